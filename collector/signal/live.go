package signal

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/upid/upid/collector/coding"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast"
	"github.com/upid/upid/forecast/judge"
)

// perHorizon is how many forecasts of one series and horizon may wait for their time:
// one a quarter of the horizon, so that judging the next week costs no more than
// judging the next hour.
const perHorizon = 4

// renewAfter is after how many times a trial without a verdict against the model
// begins anew, so that what went well last month does not hide what goes wrong now.
const renewAfter = 120

// live is what became of the forecasts of a signal that were published. It is no
// function of the data alone but of what this process said; it is kept in snapshots
// and survives fits.
type live struct {
	until int64 // grid time up to which values were taken into account

	// Of the forecasts that are published, and of those of the configured model while
	// it is demoted.
	active, shadow record

	mu      sync.Mutex // guards what fits read while steps write
	demoted string     // why; "" means the configured model is in use
	since   int64      // grid time since which it is so, 0 = from the start
}

// record is what became of the forecasts of one stage.
type record struct {
	tallies []judge.Tally // by horizon
	trial   judge.Trial
}

// waiting are the forecasts of one series whose time has not come.
type waiting struct{ active, shadow []judge.Pending }

// state says whether the configured model is in use.
func (l *live) state() (demoted string, since int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.demoted, l.since
}

// await returns the forecasts of f that will be judged, of a series of history y on
// f's grid whose newest point was asked for at end. Nothing can be judged of a series
// that never changes from one day to the next: any error would be infinitely large.
func (u *Unit) await(f *series.Forecast, y series.Series, end int64) []judge.Pending {
	day := (24 * time.Hour).Milliseconds()
	scale := dailyChange(y)
	if f == nil || !(scale > 0) || day%y.Step != 0 {
		return nil
	}
	var out []judge.Pending
	for i, h := range u.o.Forecast.Horizons {
		// The first step of the forecast that lies as far ahead, and wholly in the future.
		k := int(max(0, ceilDiv(end+h.Milliseconds()-f.Step-f.Start, f.Step)))
		if k >= len(f.Point) {
			continue
		}
		p := judge.Pending{
			From: f.Start + int64(k)*f.Step, To: f.Start + int64(k+1)*f.Step, Horizon: int32(i),
			Point: float32(f.Point[k]), Lower: float32(f.Lower[k]), Upper: float32(f.Upper[k]),
			Naive: float32(naive(y, f.Start+int64(k)*f.Step)), Scale: float32(scale),
		}
		if bad := float64(p.Point) + float64(p.Naive); !math.IsNaN(bad) && !math.IsInf(bad, 0) && p.Scale > 0 {
			out = append(out, p)
		}
	}
	return out
}

func ceilDiv(a, b int64) int64 {
	q := a / b
	if a%b > 0 {
		q++
	}
	return q
}

// naive is the seasonal naive forecast of y at t after its end: the newest known
// value of that time of day.
func naive(y series.Series, t int64) float64 {
	day := (24 * time.Hour).Milliseconds()
	for at := t - day; at >= y.Start; at -= day {
		if i, ok := y.Index(at); ok && !math.IsNaN(y.Values[i]) {
			return y.Values[i]
		}
	}
	return math.NaN()
}

// dailyChange is the mean |y[t] − y[t − 1 d]|, what MASE is in units of; NaN where nothing is
// known.
func dailyChange(y series.Series) float64 {
	m := int((24 * time.Hour).Milliseconds() / y.Step)
	var mean series.Mean
	for i := m; i < len(y.Values); i++ {
		mean.Add(math.Abs(y.Values[i] - y.Values[i-m]))
	}
	return mean.Value()
}

// publish lets the forecasts of the newest fit wait for their time, now that a step at
// slot publishes them: a fit may be of a time long before it, as the first one is.
func (u *Unit) publish(slot int64) {
	for _, s := range u.order {
		s.waiting = u.join(s.waiting, s.fresh, max(slot, u.live.until))
		s.fresh = waiting{active: nil, shadow: nil}
	}
}

// join adds the forecasts of a fit to those that wait from earlier ones. What has
// begun by now, but for its first quarter, is not judged.
func (u *Unit) join(old, fresh waiting, now int64) waiting {
	join := func(old, fresh []judge.Pending) []judge.Pending {
		if len(fresh) == 0 {
			return old
		}
		out := slices.Clone(old)
		for _, p := range fresh {
			apart := u.o.Forecast.Horizons[p.Horizon].Milliseconds() / perHorizon
			near := slices.ContainsFunc(out, func(o judge.Pending) bool { return o.Horizon == p.Horizon && p.From-o.From < apart })
			if p.From+(p.To-p.From)/4 > now && !near {
				out = append(out, p)
			}
		}
		return out
	}
	return waiting{active: join(old.active, fresh.active), shadow: join(old.shadow, fresh.shadow)}
}

// judge takes the values after the newest one that was judged, up to end, and counts
// the forecasts whose time is over.
func (u *Unit) judge(points map[*state]series.Series, end int64) {
	if u.o.Forecast == nil || end <= u.live.until {
		return
	}
	var active, shadow []judge.Outcome
	for _, s := range u.order {
		y := points[s]
		s.waiting.active = u.settle(s.waiting.active, y, end, &active)
		s.waiting.shadow = u.settle(s.waiting.shadow, y, end, &shadow)
	}
	u.live.until = end
	u.live.active.add(active, len(u.o.Forecast.Horizons))
	u.live.shadow.add(shadow, len(u.o.Forecast.Horizons))
	u.decide(end)
}

// settle takes the values of y up to end into the forecasts that wait and returns
// those that still do.
func (u *Unit) settle(wait []judge.Pending, y series.Series, end int64, done *[]judge.Outcome) []judge.Pending {
	step := u.o.Step.Milliseconds()
	kept := wait[:0]
	for _, p := range wait {
		if len(y.Values) > 0 {
			part := y.Slice(max(p.From, u.live.until+1), min(p.To, end+1))
			for i, v := range part.Values {
				p.Take(part.At(i), v)
			}
		}
		if end < p.To-step {
			kept = append(kept, p)
		} else if o, ok := p.Outcome(step); ok {
			*done = append(*done, o)
		}
	}
	return kept
}

func (r *record) add(done []judge.Outcome, horizons int) {
	if r.tallies == nil {
		r.tallies = make([]judge.Tally, horizons)
	}
	slices.SortStableFunc(done, func(a, b judge.Outcome) int { return cmp.Compare(a.At, b.At) })
	for _, o := range done {
		r.tallies[o.Horizon].Add(o)
		r.trial.Add(o)
	}
}

// decide demotes a model that is worse than naive, and takes it back when it has
// become better. The published forecasts are then those of the seasonal naive model; the
// configured one goes on in its shadow.
func (u *Unit) decide(now int64) {
	l := &u.live
	if u.o.Forecast.Fallback == nil {
		return
	}
	demoted, _ := l.state()
	switch {
	case demoted == "" && l.active.trial.Verdict() == judge.Worse:
		t := &l.active.trial
		why := fmt.Sprintf("worse than the seasonal naive forecast: skill %.2f over %d forecasts for %d different times", t.Skill(), t.Judged, t.Times)
		l.shadow, l.active = record{tallies: l.active.tallies, trial: judge.Trial{}}, record{}
		for _, s := range u.order {
			s.waiting = waiting{active: nil, shadow: s.waiting.active}
		}
		l.set(why, now)
	case demoted != "" && l.shadow.trial.Verdict() == judge.Better:
		l.active, l.shadow = record{tallies: l.shadow.tallies, trial: judge.Trial{}}, record{}
		for _, s := range u.order {
			s.waiting = waiting{active: s.waiting.shadow, shadow: nil}
		}
		l.set("", now)
	}
	for _, r := range []*record{&l.active, &l.shadow} {
		if r.trial.Times >= renewAfter {
			r.trial = judge.Trial{}
		}
	}
}

func (l *live) set(why string, now int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.demoted, l.since = why, now
}

// said is what results say of it, shared by all of a slot.
func (u *Unit) said() *series.Live {
	if u.o.Forecast == nil {
		return nil
	}
	why, since := u.live.state()
	out := &series.Live{Demoted: why, Since: since}
	for _, r := range []struct {
		stage string
		of    *record
	}{{series.StageActive, &u.live.active}, {series.StageShadow, &u.live.shadow}} {
		for i := range r.of.tallies {
			if t := &r.of.tallies[i]; t.Judged > 0 {
				out.Judged = append(out.Judged, series.Judged{
					Stage: r.stage, Horizon: u.o.Forecast.Horizons[i], Forecasts: t.Judged, MASE: t.MASE(), Skill: t.Skill(), Coverage: t.Coverage(),
				})
			}
		}
	}
	return out
}

func (u *Unit) horizonCount() int {
	if u.o.Forecast == nil {
		return 0
	}
	return len(u.o.Forecast.Horizons)
}

// model returns what a fit publishes, and what it makes in the shadow; nil is nothing.
func (u *Unit) model() (active, shadow forecast.Forecaster) {
	if u.o.Forecast == nil {
		return nil, nil
	}
	if demoted, _ := u.live.state(); demoted != "" {
		return u.o.Forecast.Fallback, u.o.Forecast.Model
	}
	return u.o.Forecast.Model, nil
}

// append packs what became of a signal's forecasts.
func (l *live) append(b []byte) []byte {
	b = binary.AppendVarint(b, l.until)
	why, since := l.state()
	b = coding.AppendText(b, why)
	b = binary.AppendVarint(b, since)
	for _, r := range []*record{&l.active, &l.shadow} {
		state := r.trial.AppendState(nil)
		for i := range r.tallies {
			state = r.tallies[i].AppendState(state)
		}
		b = coding.AppendBytes(b, state)
	}
	return b
}

// load unpacks what append packed, of a signal with so many horizons.
func (l *live) load(b []byte, horizons int) error {
	in := coding.NewReader(b)
	l.until = in.Int()
	l.set(in.Text(), in.Int())
	for _, r := range []*record{&l.active, &l.shadow} {
		state := in.Bytes()
		if in.Err() != nil {
			return in.Err()
		}
		rest, err := r.trial.LoadState(state)
		if err != nil {
			return err
		}
		if len(rest) == 0 {
			continue
		}
		r.tallies = make([]judge.Tally, horizons)
		for i := range r.tallies {
			if rest, err = r.tallies[i].LoadState(rest); err != nil {
				return err
			}
		}
		if len(rest) > 0 {
			return coding.ErrFields
		}
	}
	if in.Len() > 0 {
		return coding.ErrFields
	}
	return in.Err()
}

// append packs the forecasts that wait.
func (w *waiting) append(b []byte) []byte {
	for _, ps := range [][]judge.Pending{w.active, w.shadow} {
		b = binary.AppendUvarint(b, uint64(len(ps)))
		for i := range ps {
			b = coding.AppendBytes(b, ps[i].AppendState(nil))
		}
	}
	return b
}

// readWaiting unpacks what append packed, of a signal with so many horizons.
func readWaiting(r *coding.Reader, horizons int) waiting {
	read := func() (ps []judge.Pending) {
		for range r.Count(81) {
			var p judge.Pending
			if rest, err := p.LoadState(r.Bytes()); err != nil || len(rest) > 0 || p.Horizon < 0 || int(p.Horizon) >= horizons {
				r.Fail()
				return nil
			}
			ps = append(ps, p)
		}
		return ps
	}
	return waiting{active: read(), shadow: read()}
}
