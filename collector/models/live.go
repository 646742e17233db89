package models

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/upid/upid/collector/store"
	"github.com/upid/upid/forecast/accuracy"
	"github.com/upid/upid/forecast/judge"
	"github.com/upid/upid/forecast/learn"
)

// Judging says how the versions of a model type in use are judged live.
type Judging struct {
	ModelType string
	Now       time.Time
	Step      time.Duration // between the times at which rows are made, whole hours
	Lookback  time.Duration // how far back they go at most
	Location  *time.Location
	Limits    Limits
}

// Judged is what became of the predictions of the versions in use, on rows that came after
// all that a version has seen in training: those of active, canary and shadow are of the
// same rows. A prediction is a function of the version and of what was measured up to its
// time, so nothing is kept of it: it is made again when its time has come.
type Judged struct {
	At    float64 `json:"at"`   // Unix seconds
	Slot  float64 `json:"slot"` // the newest time that predictions were made for
	Error string  `json:"error"`
	Drift string  `json:"drift"` // what of the active version drifts, "" if nothing does
	Live  []Live  `json:"live"`
	Pairs []Pair  `json:"pairs"` // of the active version and one beside it
	// Features are how far the features have moved from the rows that the active version has
	// learned from, the largest first.
	Features []Drift `json:"features"`
}

// Drift is how far a feature has moved.
type Drift struct {
	Feature string  `json:"feature"`
	PSI     float64 `json:"psi"` // see learn.Profile.PSI
}

// Live is how good one version was live on one target. Null is unknown.
type Live struct {
	Version  string   `json:"version"`
	Stage    string   `json:"stage"`
	Target   string   `json:"target"`
	Unit     string   `json:"unit"`
	Horizon  string   `json:"horizon"`
	Rows     int      `json:"rows"`  // whose time has come
	Times    int      `json:"times"` // different times among them
	Loss     *float64 `json:"loss"`  // mean |error|
	Naive    *float64 `json:"naive_loss"`
	Skill    *float64 `json:"skill"` // 1 − loss / naive loss
	Coverage *float64 `json:"coverage"`
	Level    *float64 `json:"level"` // that the coverage should have
	Verdict  string   `json:"verdict"`
	P        *float64 `json:"p"`
	Least    int      `json:"times_needed"`
	// On how many rows it alerts, or would if it were active: a value outside its interval, a
	// score above 1. All of them, and those of the newest time that was judged.
	Alerts    int      `json:"alerts"`
	Alerting  int      `json:"alerting"`
	AlertedAt *float64 `json:"alerted_at"`
	// Drifts says what has changed lately, "" if nothing has.
	Drifts string `json:"drifts"`

	MASE     *float64 `json:"mase"` // in units of the error of the naive prediction on the rows learned from
	SMAPE    *float64 `json:"smape"`
	Bias     *float64 `json:"bias"`           // mean of prediction − what came, over the mean absolute error
	Residual *float64 `json:"residual_drift"` // the mean absolute error over that of the held-out rows; 1 is as good
	Demoted  string   `json:"demoted"`        // why the naive prediction answers for the target instead; "": it does not

	trial judge.Trial // of what came since the newest demotion
}

// Pair is a comparison of the active version with one beside it.
type Pair struct {
	Active      string       `json:"active"`
	Version     string       `json:"version"`
	Stage       string       `json:"stage"`
	Comparisons []Comparison `json:"comparisons"`
	Verdict     string       `json:"verdict"` // of the version against the active one
	Error       string       `json:"error"`   // why there is no comparison
}

// Said is a prediction of the newest time.
type Said struct {
	Version, Stage, Target, Horizon string
	Workload                        []string // values of features.EntityLabels
	Value, Lower, Upper             float64  // NaN where unknown
}

// candidate is a version in use with the time from which rows are new to it.
type candidate struct {
	*Version
	stage string
	from  int64 // Unix milliseconds
}

// Drift is when a version that was good is so no more: the interval held less than its
// level by more than driftCoverage, or more than driftAlerts of the rows were anomalies,
// over the newest judge.LeastPaired times.
const (
	driftCoverage = 0.15
	driftAlerts   = 0.05
)

// Judge judges the versions of a type in use, and predicts for the newest time. It is nil
// without an active version. Cost: the queries of Extract, and some 40 µs a row, target
// and version.
func (r *Registry) Judge(ctx context.Context, q Querier, j Judging) (*Judged, []Said, error) {
	stages, err := r.Stages(j.ModelType)
	if err != nil || stages.Active == "" {
		return nil, nil, err
	}
	step := j.Step.Milliseconds()
	to := j.Now.UnixMilli() / step * step
	least := (j.Now.Add(-j.Lookback).UnixMilli() + step - 1) / step * step
	from := to
	var versions []candidate
	for _, s := range []struct{ stage, name string }{{Active, stages.Active}, {Canary, stages.Canary}, {Shadow, stages.Shadow}} {
		if s.name == "" {
			continue
		}
		v, err := r.Get(j.ModelType, s.name)
		if err != nil {
			return nil, nil, err
		}
		c := candidate{v, s.stage, int64(v.CreatedAt * 1000)}
		if v.Until != nil {
			c.from = int64(*v.Until*1000) + 1
		}
		versions = append(versions, c)
		from = min(from, (c.from+step-1)/step*step)
	}
	from = max(from, least)
	rows, err := Extract(ctx, q, Extraction{ModelType: j.ModelType, From: from, To: to, Every: j.Step, Location: j.Location, Limits: j.Limits, Open: true})
	if err != nil {
		return nil, nil, err
	}
	out := &Judged{At: unix(j.Now), Slot: float64(to) / 1000, Live: []Live{}, Pairs: []Pair{}, Features: []Drift{}}
	var said []Said
	for _, c := range versions {
		fresh := rows.after(c.from)
		if fresh.N == 0 {
			continue
		}
		o, err := r.outputs(ctx, c.Version, fresh)
		if errors.Is(err, ErrFailed) || errors.Is(err, ErrParked) || errors.Is(err, ErrRows) {
			continue // which is told, or the server knows none of its features; the others go on
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s %s: %w", j.ModelType, c.Version.Version, err)
		}
		if c.stage == Active {
			out.Features = c.drift(fresh)
		}
		for k := range c.Targets {
			d, _ := stages.DemotionOf(c.Version.Version, c.Targets[k].Name)
			l := c.live(k, fresh, o[k], d)
			if c.stage == Active && out.Drift == "" && l.Drifts != "" {
				out.Drift = c.Version.Version + ": " + l.Drifts
			}
			out.Live = append(out.Live, l)
		}
		said = append(said, c.say(fresh, o, to)...)
	}
	for _, c := range versions[1:] {
		p := Pair{Active: stages.Active, Version: c.Version.Version, Stage: c.stage, Verdict: Open, Comparisons: []Comparison{}, Error: NotLive(j.ModelType)}
		if p.Error != "" {
			out.Pairs = append(out.Pairs, p)
			continue
		}
		cs, err := r.Compare(ctx, versions[0].Version, c.Version, rows.after(max(versions[0].from, c.from)))
		if err != nil {
			p.Error = err.Error()
		} else {
			p.Comparisons, p.Verdict = cs, Sum(cs)
		}
		out.Pairs = append(out.Pairs, p)
	}
	return out, said, nil
}

// output is what a version says of every row of one target.
type output struct{ value, lower, upper, naive []float64 }

// outputs asks v behind the guard.
func (r *Registry) outputs(ctx context.Context, v *Version, rows *Rows) ([]output, error) {
	return guarded(ctx, r, v, rows.N, int64(32*len(v.Models)), func(ctx context.Context) ([]output, error) { return v.outputs(ctx, rows) })
}

// outputs asks v for every row; NaN where a row has none of its features.
func (v *Version) outputs(ctx context.Context, rows *Rows) ([]output, error) {
	at, err := v.columns(rows)
	if err != nil {
		return nil, err
	}
	out := make([]output, len(v.Models))
	for k := range out {
		for _, c := range []*[]float64{&out[k].value, &out[k].lower, &out[k].upper, &out[k].naive} {
			*c = slices.Repeat([]float64{math.NaN()}, rows.N)
		}
	}
	x := make([]float64, len(v.Features))
	for i := range rows.N {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		empty := !rows.fill(x, at, i)
		if empty {
			continue
		}
		for k, m := range v.Models {
			o, err := m.At(x, false)
			if err != nil {
				return nil, fmt.Errorf("row %d: target %s: %w", i+1, v.Targets[k].Name, err)
			}
			out[k].value[i], out[k].lower[i], out[k].upper[i], out[k].naive[i] = o.Value, o.Lower, o.Upper, m.NaiveAt(x)
		}
	}
	return out, nil
}

// live judges target k on rows that are new to the version.
func (c candidate) live(k int, rows *Rows, o output, demoted store.Demotion) Live {
	t := c.Targets[k]
	l := Live{Version: c.Version.Version, Stage: c.stage, Target: t.Name, Unit: t.Unit, Horizon: c.Horizon, Verdict: Open, Demoted: demoted.Why}
	horizon, err := time.ParseDuration(hours(c.Horizon))
	if err != nil {
		horizon = 0
	}
	scale := t.Report.Metric("mae") / t.Report.Metric("mase")
	var actual, point []float64
	column := slices.Index(rows.Targets, t.Name)
	odd := kindOf(c.ModelType) == learn.Oddness
	var losses []judge.Loss
	var inside, bounded float64
	var alerts []alarm
	times := map[int64]bool{}
	for i := range rows.N {
		at := rows.Times[i]
		if odd {
			if v := o.value[i]; !math.IsNaN(v) {
				alerts = append(alerts, alarm{at, v > 1})
				times[at] = true
				l.Rows++
			}
			continue
		}
		if column < 0 || math.IsNaN(rows.Values[column][i]) || math.IsNaN(o.value[i]) {
			continue
		}
		y := rows.Values[column][i]
		losses = append(losses, judge.Loss{At: at, A: math.Abs(o.naive[i] - y), B: math.Abs(o.value[i] - y)})
		times[at] = true
		l.Rows++
		actual, point = append(actual, y), append(point, o.value[i])
		if end := at + horizon.Milliseconds(); end > demoted.At && scale > 0 {
			l.trial.Add(judge.Outcome{At: end, Error: math.Abs(y-o.value[i]) / scale, Naive: math.Abs(y-o.naive[i]) / scale})
		}
		if math.IsNaN(o.lower[i]) || math.IsNaN(o.upper[i]) {
			continue
		}
		in := y >= o.lower[i] && y <= o.upper[i]
		alerts = append(alerts, alarm{at, !in})
		bounded++
		if in {
			inside++
		}
	}
	l.Times, l.Least = len(times), judge.LeastPaired
	if bounded > 0 {
		l.Coverage, l.Level = finite(inside/bounded), finite(c.Level)
	}
	l.count(alerts)
	if len(losses) > 0 {
		p := judge.Compare(losses, horizon.Milliseconds())
		l.Loss, l.Naive, l.P, l.Least = finite(p.B), finite(p.A), finite(p.P), p.Least
		l.Skill = finite(1 - p.B/p.A)
		l.Verdict = verdict(p.Verdict)
		bias := 0.0
		for i := range actual {
			bias += (point[i] - actual[i]) / float64(len(actual))
		}
		l.MASE, l.SMAPE = finite(p.B/scale), finite(accuracy.SMAPE(actual, point))
		l.Bias, l.Residual = finite(bias/p.B), finite(p.B/t.Report.Metric("mae"))
	}
	l.Drifts = drifts(alerts, odd, c.Level)
	return l
}

// drift is how far the features of rows have moved from those that c has learned from.
func (c candidate) drift(rows *Rows) []Drift {
	out := []Drift{}
	for j, p := range c.Models[0].Profiles {
		values := slices.Repeat([]float64{math.NaN()}, rows.N)
		if at := slices.Index(rows.Features, c.Features[j]); at >= 0 {
			values = rows.Columns[at]
		}
		if psi := p.PSI(values); !math.IsNaN(psi) {
			out = append(out, Drift{c.Features[j], psi})
		}
	}
	slices.SortStableFunc(out, func(a, b Drift) int { return cmp.Compare(b.PSI, a.PSI) })
	return out
}

// alarm is whether a row made a version alert.
type alarm struct {
	at int64
	on bool
}

// count counts alerts: all of them and those of the newest time.
func (l *Live) count(alarms []alarm) {
	newest := int64(math.MinInt64)
	for _, a := range alarms {
		newest = max(newest, a.at)
	}
	for _, a := range alarms {
		if a.on {
			l.Alerts++
			if a.at == newest {
				l.Alerting++
			}
		}
	}
	if len(alarms) > 0 {
		l.AlertedAt = finite(float64(newest) / 1000)
	}
}

// drifts says what has changed over the newest judge.LeastPaired times, "" if nothing has
// or fewer are known.
func drifts(alarms []alarm, odd bool, level float64) string {
	var times []int64
	for _, a := range alarms {
		times = append(times, a.at)
	}
	slices.Sort(times)
	times = slices.Compact(times)
	if len(times) < judge.LeastPaired {
		return ""
	}
	since, n, on := times[len(times)-judge.LeastPaired], 0.0, 0.0
	for _, a := range alarms {
		if a.at >= since {
			n++
			if a.on {
				on++
			}
		}
	}
	switch share := on / n; {
	case odd && share > driftAlerts:
		return fmt.Sprintf("%.0f %% of the rows of the newest %d times are above the boundary, at most %.0f %% should be", 100*share, judge.LeastPaired, 100*driftAlerts)
	case !odd && 1-share < level-driftCoverage:
		return fmt.Sprintf("the interval held %.0f %% of the values of the newest %d times, %.0f %% is its level", 100*(1-share), judge.LeastPaired, 100*level)
	}
	return ""
}

// say returns the predictions for the rows of one time.
func (c candidate) say(rows *Rows, o []output, at int64) []Said {
	var out []Said
	for i := range rows.N {
		if rows.Times[i] != at || rows.workloads == nil {
			continue
		}
		for k, t := range c.Targets {
			if math.IsNaN(o[k].value[i]) {
				continue
			}
			out = append(out, Said{
				Version: c.Version.Version, Stage: c.stage, Target: t.Name, Horizon: c.Horizon, Workload: strings.Split(rows.workloads[i], "\xff"),
				Value: o[k].value[i], Lower: o[k].lower[i], Upper: o[k].upper[i],
			})
		}
	}
	return out
}

// Pair returns the newest comparison of a version with the active one, false if there is
// none.
func (j *Judged) Pair(active, version string) (Pair, bool) {
	if j == nil {
		return Pair{}, false
	}
	i := slices.IndexFunc(j.Pairs, func(p Pair) bool { return p.Active == active && p.Version == version })
	if i < 0 {
		return Pair{}, false
	}
	return j.Pairs[i], true
}

// worse says on which targets of the active version the naive prediction was better, ""
// if on none. Targets that the naive prediction answers cannot be.
func (j *Judged) worse() string {
	var said []string
	for _, l := range j.Live {
		if l.Stage == Active && l.Verdict == Worse {
			said = append(said, fmt.Sprintf("%s: error %s, that of the naive prediction %s, on %d rows of %d times (p = %.2g)", l.Target, digits(l.Loss), digits(l.Naive), l.Rows, l.Times, *l.P))
		}
	}
	return strings.Join(said, "; ")
}

// better reports whether the active version beats the naive prediction on some target.
func (j *Judged) better() bool {
	return slices.ContainsFunc(j.Live, func(l Live) bool { return l.Stage == Active && l.Verdict == Better })
}
