package signal

import (
	"context"
	"math"

	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast"
)

// Step implements pipeline.Unit: it takes in the grid points after the position.
// A series never seen before starts with empty state; one that is absent has a
// missing point.
func (u *Unit) Step(ctx context.Context, slot int64, in pipeline.Input) ([]series.Result, error) {
	data := in.Series[Input].Series
	var buf []byte
	points := make(map[*state]series.Series, len(data))
	born := false
	for _, s := range data {
		buf = key(s.Labels, buf)
		st := u.states[string(buf)]
		if st == nil {
			st = u.newState(s.Labels)
			u.states[string(buf)] = st
			born = true
		}
		points[st] = s
	}
	if born {
		u.order = sorted(u.states)
	}
	if u.o.Rollouts != nil {
		u.deploys.take(in.Series[RolloutInput].Series)
	}
	news := make([]series.Series, len(u.order))
	for i, st := range u.order {
		news[i] = points[st]
	}
	feed := u.newFeed(u.order, news, &u.deploys, u.kinds, func(int) int64 { return in.Start })
	err := u.blocks(ctx, &u.control, feed, in.Start, in.End)
	if err != nil {
		return nil, err
	}
	u.publish(slot)
	u.judge(points, in.End)
	now := max(in.End, u.position.Load())
	for _, s := range u.order {
		u.breached(s, now)
	}
	u.position.Store(now)
	u.forget(now)
	return u.results(slot, now), nil
}

// forget drops series that have been absent too long, or never had a value.
func (u *Unit) forget(now int64) {
	gone := false
	for k, s := range u.states {
		if now-s.last > forgetAfter.Milliseconds() {
			delete(u.states, k)
			gone = true
		}
	}
	if gone {
		u.order = sorted(u.states)
		forgetKinds(u.kinds, u.states)
	}
}

func (u *Unit) results(slot, t int64) []series.Result {
	spent, groups, live := u.spent(t), u.groupIDs(), u.said()
	out := make([]series.Result, 0, len(u.order))
	for i, s := range u.order {
		r := series.Result{
			Signal: u.o.Name, SourceName: s.sourceName, Labels: s.labels, Slot: slot, Time: t, Observed: s.value,
			Forecast: nil, Trends: nil, Horizons: nil, Score: nil, Findings: nil, Past: s.past, BudgetSpent: math.NaN(), Warnings: s.warnings, Rollout: nil, Threat: nil, Plan: nil, Live: live,
		}
		if o := u.o.Rollouts; o != nil {
			r.Rollout = s.rollout.said(t, o.Grace)
		}
		// A series that is absent now has no forecast: it may never come back.
		if s.forecast != nil && !math.IsNaN(s.value) {
			r.Forecast, r.Trends = s.forecast, s.trends
			r.Horizons = u.horizons(s.forecast, t)
		}
		if s.scorer != nil {
			score := s.score
			r.Score = &score
			r.Findings = u.findings(s, i, groups)
			r.BudgetSpent = spent[i]
		}
		r.Findings = append(r.Findings, u.breaches(s)...)
		out = append(out, r)
	}
	return out
}

func (u *Unit) horizons(f *series.Forecast, t int64) []series.Horizon {
	stamp := forecast.Instant
	if f.Step > u.o.Step.Milliseconds() {
		stamp = forecast.BucketMean
	}
	out := make([]series.Horizon, 0, len(u.o.Forecast.Horizons))
	for _, h := range u.o.Forecast.Horizons {
		out = append(out, forecast.At(f, t, h, stamp))
	}
	return out
}

// findings returns those of the series at a place in the order.
func (u *Unit) findings(s *state, place int, groups map[member]string) []series.Finding {
	fs := s.alert.Findings()
	for i := range fs {
		fs[i] = u.identify(s, fs[i])
		fs[i].Group = groups[member{place, fs[i].Start}]
	}
	return fs
}
