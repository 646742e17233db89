package detect

import (
	"math"

	"github.com/upid/upid/collector/series"
)

// Transform names a function that values go through before they are scored.
type Transform string

// The transforms a signal can have.
const (
	NoTransform Transform = "none"
	// Sqrt is sign(x)·√|x|: the noise of counts, and of shares near 0, grows with
	// the root of their level and is even after it.
	Sqrt Transform = "sqrt"
)

// Transforms lists them.
func Transforms() []string { return []string{string(NoTransform), string(Sqrt)} }

// transformed scores through a function and speaks in the unit of the input.
type transformed struct {
	inner Scorer
	o     Options
}

// newTransformed wraps the scorer that f makes in the transform of o, which is Sqrt. The least deviations are those of
// the input, so the inner scorer has none.
func newTransformed(f Factory, o Options) (Scorer, error) {
	in := o
	in.MinDeviation, in.MinRelative, in.Transform = 0, 0, NoTransform
	s, err := f(in)
	if err != nil {
		return nil, err
	}
	return &transformed{inner: s, o: o}, nil
}

func root(x float64) float64   { return math.Copysign(math.Sqrt(math.Abs(x)), x) }
func square(y float64) float64 { return finite(y * math.Abs(y)) }

// Step implements Scorer.
func (s *transformed) Step(t int64, v float64) series.Score {
	sc := s.inner.Step(t, root(v))
	sc.Observed = v
	if math.IsInf(v, 0) {
		sc.Observed = math.NaN()
	}
	w := &sc.Why
	if w.View != "" && w.Deviation != 0 {
		usual := square(w.Usual)
		w.Deviation, w.Usual = finite(square(w.Usual+w.Deviation)-usual), usual
	}
	sc.Expected, sc.Lower, sc.Upper = square(sc.Expected), square(sc.Lower), square(sc.Upper)
	if math.IsNaN(sc.Value) || math.IsNaN(sc.Observed) {
		return sc
	}
	least := max(s.o.MinDeviation, s.o.MinRelative*math.Abs(sc.Expected))
	sc.Lower, sc.Upper = min(sc.Lower, finite(sc.Expected-least)), max(sc.Upper, finite(sc.Expected+least))
	if d := max(math.Abs(sc.Observed-sc.Expected), math.Abs(w.Deviation)); d < least && (!w.Timed() || w.View == series.ViewState) {
		sc.Value = min(sc.Value, d/least)
	}
	if sc.Value < 1 {
		sc.Type, sc.Why = "", series.Why{}
	}
	return sc
}

// AppendState implements Scorer.
func (s *transformed) AppendState(b []byte) []byte { return s.inner.AppendState(b) }

// LoadState implements Scorer.
func (s *transformed) LoadState(b []byte) error { return s.inner.LoadState(b) }
