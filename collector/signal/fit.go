package signal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/upid/upid/collector/feedback"
	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/detect"
	"github.com/upid/upid/forecast"
	"github.com/upid/upid/forecast/judge"
	"github.com/upid/upid/rules"
)

// Fit implements pipeline.Unit: it forecasts every series and replays its recent
// past through a fresh scorer. The returned commit swaps the new state in whole,
// anomalies that are open included, and moves the position to the end of the data.
func (u *Unit) Fit(ctx context.Context, _ int64, in pipeline.Input) (func(), error) {
	data := in.Series[Input].Series
	fitted := make([]*state, len(data))
	first := in.End
	for i, y := range data {
		fitted[i] = u.newState(y.Labels)
		first = min(first, firstPoint(y, in.End))
	}
	var events deploys
	if u.o.Rollouts != nil {
		events.take(in.Series[RolloutInput].Series)
	}
	kinds := map[string]*detect.Peers{}
	control := rules.NewController(groupCount(fitted))
	feed := u.newFeed(fitted, data, &events, kinds, func(i int) int64 { return firstPoint(data[i], in.End) })
	excluded := make([][]feedback.Span, len(data))
	if u.excluded != nil {
		feed.excluded = make([][]feedback.Span, len(data))
		for i, y := range data {
			excluded[i] = u.spans(y.Labels)
			feed.excluded[i] = over(excluded[i], in.End)
		}
	}
	err := u.blocks(ctx, &control, feed, first, in.End)
	if err != nil {
		return nil, err
	}
	active, shadow := u.model()
	_, verdict := u.live.state()
	scratch := make([]forecast.Scratch, u.o.Workers)
	err = parallel(ctx, len(data), u.o.Workers, func(worker, i int) {
		s := fitted[i]
		switch {
		case s.last == 0 || in.End-s.last > forgetAfter.Milliseconds():
			fitted[i] = nil
		case u.o.Forecast != nil:
			f := u.forecast(active, without(data[i], excluded[i]), in.End, scratch[worker].With(ctx))
			s.forecast, s.trends, s.warnings, s.fresh.active = f.forecast, f.trends, f.warnings, f.waiting
			if shadow != nil {
				s.fresh.shadow = u.forecast(shadow, without(data[i], excluded[i]), in.End, scratch[worker].With(ctx)).waiting
			}
		}
	})
	if err != nil {
		return nil, err
	}
	states := make(map[string]*state, len(data))
	var buf []byte
	for i, s := range fitted {
		if s != nil {
			buf = key(data[i].Labels, buf)
			states[string(buf)] = s
		}
	}
	if len(states) == 0 {
		return nil, ErrNoData
	}
	forgetKinds(kinds, states)
	return func() {
		if _, since := u.live.state(); since != verdict {
			for _, s := range states { // made under another verdict: neither stage's
				s.fresh = waiting{active: nil, shadow: nil}
			}
		}
		for k, s := range states {
			if was := u.states[k]; was != nil {
				s.past, s.waiting, s.above, s.below = was.past, was.waiting, was.above, was.below // what was said stays said
			}
		}
		u.states, u.order, u.control, u.deploys, u.kinds = states, sorted(states), control, events, kinds
		u.position.Store(in.End)
	}, nil
}

// rolloutsOf returns the rollouts of each series, nil if there are none at all.
func rolloutsOf(events *deploys, order []*state) [][]deploy {
	out := make([][]deploy, len(order))
	if len(events.recent) > 0 {
		for i, s := range order {
			out[i] = events.of(s)
		}
	}
	return out
}

// firstPoint returns the first point of y that a fit at end replays.
func firstPoint(y series.Series, end int64) int64 {
	return max(y.Start, end-replay.Milliseconds()+y.Step)
}

// forecasted is what a fit makes of one series.
type forecasted struct {
	forecast *series.Forecast // nil: none, and warnings say why
	trends   []series.Trend
	warnings []error
	waiting  []judge.Pending // to be judged
}

func noForecast(format string, args ...any) forecasted {
	return forecasted{forecast: nil, trends: nil, warnings: []error{fmt.Errorf(format, args...)}, waiting: nil}
}

// forecast predicts y, whose newest point was asked for at end, far enough for the
// longest horizon to be read off until the next fit, and the one after in case that
// fails, and says where y is going.
func (u *Unit) forecast(m forecast.Forecaster, y series.Series, end int64, sc *forecast.Scratch) forecasted {
	o := u.o.Forecast
	longest := o.Horizons[len(o.Horizons)-1]
	y = born(y)
	if have, want := time.Duration(y.End()-y.Start)*time.Millisecond, min(longest, leastHistory); have < want {
		return noForecast("no forecast yet: %v of history, want %v", have, want)
	}
	grid := coarsen(u.o.Step, longest, time.Duration(y.End()-y.Start)*time.Millisecond)
	y, err := forecast.Resample(y, grid.Milliseconds())
	if err != nil {
		return noForecast("no forecast: %w", err)
	}
	ahead := longest + 2*u.o.FitEvery + 2*grid
	n := int((ahead + grid - 1) / grid)
	f := &series.Forecast{Band: series.Band{
		Start: 0, Step: 0, Level: o.Level, Coverage: math.NaN(),
		Point: make([]float64, n), Lower: make([]float64, n), Upper: make([]float64, n),
	}}
	calendar := forecast.Calendar{Location: u.o.Location, Events: u.o.Events}
	switch err := m.Forecast(f, y, calendar, sc); {
	case errors.Is(err, forecast.ErrShort):
		return noForecast("no forecast yet: %w", err)
	case err != nil:
		return noForecast("no forecast: %w", err)
	}
	if o.Max != nil {
		forecast.Limit(f, y, *o.Max)
	}
	return forecasted{
		forecast: f, trends: forecast.Patterns(forecast.Without(y, calendar)).Trends, warnings: f.Warnings, waiting: u.await(f, y, end),
	}
}

// born returns y from its first value on: what was before is no history.
func born(y series.Series) series.Series {
	for i, v := range y.Values {
		if !math.IsNaN(v) {
			return y.Slice(y.At(i), y.End())
		}
	}
	return y
}

// grids are the steps a forecast may have where the signal's own is finer.
var grids = []time.Duration{
	5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour,
}

// coarsen returns the step of the forecast: at least an hour beyond a few hours,
// where the minutes are noise, else fine enough for the horizon and coarse enough
// for the history.
//
//	longest horizon 7d, any history   1h: 168 steps
//	longest horizon 1h, 28d           5m: 12 steps from 8,064 points
//	longest horizon 1h, 3h            30s: 120 steps from 360 points
func coarsen(step, longest, history time.Duration) time.Duration {
	const (
		nearBy    = 6 * time.Hour
		maxSteps  = 200
		maxPoints = 10_000
	)
	best := step
	for _, g := range grids {
		if g <= step || g%step != 0 {
			continue
		}
		if enough := longest/best <= maxSteps && history/best <= maxPoints && (longest <= nearBy || best >= time.Hour); enough {
			break
		}
		best = g
	}
	return best
}

// bitmap says at which grid times something is there.
type bitmap struct {
	start, step int64
	bits        []uint64
}

func (b *bitmap) has(t int64) bool {
	if t < b.start || b.step == 0 {
		return false
	}
	i := (t - b.start) / b.step
	return i < int64(len(b.bits))*64 && b.bits[i/64]&(1<<(i%64)) != 0
}

func (b *bitmap) set(i int64) { b.bits[i/64] |= 1 << (i % 64) }

// presence returns, for each workload that has more than one of the replicas
// known, when at least one of them has a value. data[i] is of order[i].
func presence(data []series.Series, order []*state, replicas map[string]int, step time.Duration) map[string]bitmap {
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	for _, s := range data {
		if len(s.Values) > 0 {
			first, last = min(first, s.Start), max(last, s.End())
		}
	}
	out := map[string]bitmap{}
	for i, s := range data {
		w := order[i].workload
		if replicas[w] < 2 || len(s.Values) == 0 {
			continue
		}
		b, ok := out[w]
		if !ok {
			n := (last - first) / step.Milliseconds()
			b = bitmap{start: first, step: step.Milliseconds(), bits: make([]uint64, n/64+1)}
			out[w] = b
		}
		for i, v := range s.Values {
			if !math.IsNaN(v) {
				b.set((s.At(i) - first) / b.step)
			}
		}
	}
	return out
}
