package rules

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/upid/upid/collector/series"
)

// A Controller holds the budget of a signal with many series. The boundary of one
// is its own tail, which keeps to the budget for that series alone; of many together
// the controller raises the boundary for all, slowly, until their alert groups keep
// to it:
//
//	ln b ← ln b + gain · min(n − budget, most)   in [0, ln 4], once per Block
//
// n are the groups that the block raised near the boundary, budget what a block may
// raise. Groups far above the boundary are incidents: they spend the budget, but a
// higher boundary would not keep them away, and must not keep the next one away.
//
// It is part of a signal's state: a pure function of the groups raised, so a replay
// finds the same boundaries. The zero value is not a controller; see NewController.
type Controller struct {
	alone bool    // one workload: its own tail is all there is to it
	level float64 // ln b
	block int64   // number of the block that is being filled; 0 before the first point
}

// Block is how often the boundary moves, at multiples of it since 1970.
const Block = 12 * time.Hour

const (
	// A group near the boundary moves it up by a tenth. Without one it sinks by a
	// tenth while the budget allows one: in a week, for 1/week.
	controlGain = 0.1
	// What one block may move it: a storm of alerts is one event.
	controlMost = 3
	// The boundary is at most that many times the series' own. Real incidents score
	// 5 to 50.
	controlLimit = 4
	// A group is near the boundary up to that many times of it.
	controlNear = 3
)

// NewController returns the controller of a signal with series of n workloads: the
// boundary begins where so many ordinary ones about keep to the budget of one, and
// stays at 1 for a single one.
//
//	n   1  8  20    100   1,000  10,000
//	b   1  1  1.15  1.46  2.06   2.91
func NewController(n int) Controller {
	level := controlPrior * math.Log(float64(max(n, 1))/controlFew)
	return Controller{alone: n <= 1, level: min(max(level, 0), math.Log(controlLimit)), block: 0}
}

// The boundary begins at (n/few)^prior: ordinary series raise a tenth of their
// budget, and seven times less with each 1.3 times the boundary.
const controlPrior, controlFew = 0.15, 8

// Boundary returns b, from 1 to 4: what scores are divided by.
func (c Controller) Boundary() float64 { return math.Exp(c.level) }

// Calibrate returns s on the scale on which 1 spends the signal's budget: value,
// limits and band are those of the boundary. What is about a time (gaps, flat
// lines, states, what is late) has no tail and is left as it is.
func (c Controller) Calibrate(s series.Score) series.Score {
	if c.level == 0 || s.Why.Timed() || math.IsNaN(s.Observed) {
		return s
	}
	b := c.Boundary()
	s.Value /= b
	s.Lower = finiteOr(s.Expected-b*(s.Expected-s.Lower), s.Lower)
	s.Upper = finiteOr(s.Expected+b*(s.Upper-s.Expected), s.Upper)
	s.Why.Limit *= b
	if s.Value < 1 {
		s.Type, s.Why = "", series.Why{}
	}
	return s
}

// Near reports whether a group whose highest score is peak counts for Next.
func (c Controller) Near(peak float64) bool { return peak < controlNear }

// finiteOr returns x, or other where x is infinite.
func finiteOr(x, other float64) float64 {
	if math.IsInf(x, 0) {
		return other
	}
	return x
}

// Ends reports whether a point at t (Unix milliseconds) is in another block than
// the points before it: then Next is due, with what the block from … to (exclusive)
// raised.
func (c Controller) Ends(t int64) (from, to int64, ends bool) {
	d := Block.Milliseconds()
	return c.block * d, (c.block + 1) * d, c.block != 0 && t/d != c.block
}

// At returns the controller in the block of a point at t.
func (c Controller) At(t int64) Controller {
	c.block = t / Block.Milliseconds()
	return c
}

// Next returns the controller after a block that raised n groups near the boundary.
func (c Controller) Next(n int, budget Budget) Controller {
	p := budget.Period()
	if p == 0 || c.alone {
		return c
	}
	excess := float64(n) - float64(budget.Count)*float64(Block)/float64(p)
	c.level = min(max(c.level+controlGain*min(excess, controlMost), 0), math.Log(controlLimit))
	return c
}

const controllerVersion = 1

// AppendState appends a versioned encoding of c to b.
func (c Controller) AppendState(b []byte) []byte {
	w := codec{b: append(b, controllerVersion), read: false, err: nil}
	w.flag(&c.alone)
	w.f64(&c.level)
	w.i64(&c.block)
	return w.b
}

// LoadState replaces c by what AppendState encoded in b. On error c is unchanged.
func (c *Controller) LoadState(b []byte) error {
	if len(b) == 0 || b[0] != controllerVersion {
		return errors.New("load controller: not a controller of this version")
	}
	r := codec{b: b[1:], read: true, err: nil}
	var n Controller
	r.flag(&n.alone)
	r.f64(&n.level)
	r.i64(&n.block)
	if r.err == nil && (len(r.b) > 0 || !(n.level >= 0 && n.level <= math.Log(controlLimit))) {
		r.fail("too long or out of range")
	}
	if r.err != nil {
		return fmt.Errorf("load controller: %w", r.err)
	}
	*c = n
	return nil
}
