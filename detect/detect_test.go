package detect

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

const (
	// t0 is a midnight in UTC.
	t0 = int64(1_700_006_400_000)
)

// closeTo fails unless got is within tol of want. Two NaNs are close.
func closeTo(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if math.IsNaN(got) && math.IsNaN(want) {
		return
	}
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s is %v, want %v ± %v", what, got, want, tol)
	}
}

// options are those of a series of minutes with a budget of one alert a week.
func options() Options { return Options{Step: time.Minute, Budget: 1} }

func mustNew(t testing.TB, o Options) Scorer {
	t.Helper()
	s, err := New(Default, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A walk is what the scorer and the rule made of a series.
type walk struct {
	scores   []series.Score
	findings []series.Finding // in the order they opened, as they opened
}

// run takes a fresh scorer through values that are a step apart from t0.
func run(t testing.TB, o Options, values []float64) walk {
	t.Helper()
	s := mustNew(t, o)
	r := rules.Default(o.Step, series.SeverityWarning)
	var a rules.Alert
	var w walk
	for i, v := range values {
		at := t0 + int64(i)*o.Step.Milliseconds()
		sc := s.Step(at, v)
		was := a.Active()
		a = r.Next(a, sc, at)
		if a.Active() && !was {
			w.findings = append(w.findings, *a.Finding)
		}
		w.scores = append(w.scores, sc)
	}
	return w
}

// daily is n minutes of a daily wave between about 60 and 140 with noise of 2.
func daily(n int, seed uint64) []float64 {
	rnd := rand.New(rand.NewPCG(seed, 1))
	y := make([]float64, n)
	for i := range y {
		y[i] = 100 + 40*math.Sin(2*math.Pi*float64(i)/1440) + 2*rnd.NormFloat64()
	}
	return y
}

func fill(n int, f func(i int) float64) []float64 {
	y := make([]float64, n)
	for i := range y {
		y[i] = f(i)
	}
	return y
}
