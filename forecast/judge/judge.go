// Package judge measures forecasts that were published, once their time has come:
// against what was observed, and against the seasonal naive forecast of the same
// moment. What a backtest promises is one thing, what was said another.
package judge

import "math"

// Pending is a forecast of the mean over [From, To) whose time has not passed. All
// times are Unix milliseconds; values are in the unit of the series, in 32 bits, which
// is more than an error is worth.
type Pending struct {
	From, To     int64
	Horizon      int32   // number of the horizon among those of its signal
	Point, Naive float32 // finite
	Lower, Upper float32 // NaN where there is no bound
	Scale        float32 // mean |y[t] − y[t − 1 d]| of the history, > 0

	n   int32
	sum float64
}

// Take adds the value observed at t. A gap, NaN, and a time outside are ignored.
func (p *Pending) Take(t int64, v float64) {
	if t >= p.From && t < p.To && !math.IsNaN(v) && !math.IsInf(v, 0) {
		p.sum += v
		p.n++
	}
}

// Outcome is what became of a forecast.
type Outcome struct {
	At      int64   // the end of what was forecast
	Horizon int     // its number
	Error   float64 // |observed − point| / scale
	Naive   float64 // |observed − naive| / scale
	Bounded bool    // it had both bounds
	Inside  bool    // and they held
}

// Outcome judges p, of a series on a grid of step. ok is false if fewer than half of
// the points were there: nothing is known then.
func (p *Pending) Outcome(step int64) (o Outcome, ok bool) {
	want := max(1, (p.To-p.From)/step)
	if p.n == 0 || 2*int64(p.n) < want {
		return Outcome{}, false
	}
	observed, scale := p.sum/float64(p.n), float64(p.Scale)
	o = Outcome{
		At: p.To, Horizon: int(p.Horizon),
		Error:   math.Abs(observed-float64(p.Point)) / scale,
		Naive:   math.Abs(observed-float64(p.Naive)) / scale,
		Bounded: !math.IsNaN(float64(p.Lower)) && !math.IsNaN(float64(p.Upper)),
	}
	o.Inside = o.Bounded && observed >= float64(p.Lower) && observed <= float64(p.Upper)
	return o, !math.IsNaN(o.Error+o.Naive) && !math.IsInf(o.Error+o.Naive, 0)
}

// Last is how long a judged forecast counts: half after that many milliseconds.
const Last = 14 * 24 * 3600 * 1000

// most bounds one error, in scales, so that one incident does not decide on a model.
const most = 20

// Tally is what became of the forecasts of one horizon. Older ones count less: half
// after Last. The zero value has none.
type Tally struct {
	Judged                              int   // ever
	at                                  int64 // of the newest
	weight, err, naive, bounded, inside float64
}

// Add counts o, in the order of time.
func (t *Tally) Add(o Outcome) {
	if o.At > t.at {
		f := math.Exp2(-float64(o.At-t.at) / Last)
		if t.at == 0 {
			f = 0
		}
		for _, x := range []*float64{&t.weight, &t.err, &t.naive, &t.bounded, &t.inside} {
			*x *= f
		}
		t.at = o.At
	}
	t.Judged++
	t.weight++
	t.err += min(o.Error, most)
	t.naive += min(o.Naive, most)
	if o.Bounded {
		t.bounded++
	}
	if o.Inside {
		t.inside++
	}
}

// MASE is the mean absolute error of the forecasts in units of the mean change of
// the history from one day to the next; errors over 20 count as 20. NaN if none was
// judged.
func (t *Tally) MASE() float64 { return t.err / t.weight }

// Skill is 1 − error / error of the seasonal naive forecast: 0 is as good, below is
// worse. NaN if none was judged or naive made no error.
func (t *Tally) Skill() float64 {
	if t.naive == 0 {
		return math.NaN()
	}
	return 1 - t.err/t.naive
}

// Coverage is the share of forecasts whose interval held. NaN if none had one.
func (t *Tally) Coverage() float64 { return t.inside / t.bounded }
