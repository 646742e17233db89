package judge

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

const minute = 60_000

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) < 1e-6) && !(math.IsNaN(got) && math.IsNaN(want)) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestOutcome(t *testing.T) {
	nan := float32(math.NaN())
	fresh := Pending{From: 10 * minute, To: 20 * minute, Horizon: 1, Point: 10, Naive: 16, Lower: 8, Upper: 11, Scale: 2}
	p := fresh
	for at := int64(0); at < 40*minute; at += minute {
		v := 1000.0 // not its time
		if at >= 10*minute && at < 20*minute {
			v = 12 + float64(at%(2*minute))/minute // mean 12.5
		}
		p.Take(at, v)
		p.Take(at, math.NaN())
		p.Take(at, math.Inf(1))
	}
	o, ok := p.Outcome(minute)
	if want := (Outcome{At: 20 * minute, Horizon: 1, Error: 1.25, Naive: 1.75, Bounded: true, Inside: false}); !ok || o != want {
		t.Errorf("%+v, %v, want %+v", o, ok, want)
	}

	p = fresh
	p.Lower = nan
	for i := range int64(5) {
		p.Take(10*minute+i*minute, 10)
	}
	if o, ok := p.Outcome(minute); !ok || o.Bounded || o.Inside || o.Error != 0 {
		t.Errorf("half of the points, no lower bound: %+v, %v", o, ok)
	}
	p = fresh
	for i := range int64(4) {
		p.Take(10*minute+i*minute, 10)
	}
	if _, ok := p.Outcome(minute); ok {
		t.Error("judged on four of ten points")
	}
	if _, ok := fresh.Outcome(minute); ok {
		t.Error("judged on nothing")
	}
}

func TestTally(t *testing.T) {
	var none Tally
	near(t, "MASE of nothing", none.MASE(), math.NaN())
	near(t, "skill of nothing", none.Skill(), math.NaN())
	near(t, "coverage of nothing", none.Coverage(), math.NaN())

	var y Tally
	y.Add(Outcome{At: 1000, Error: 1, Naive: 2, Bounded: true, Inside: true})
	y.Add(Outcome{At: 1000, Error: 3, Naive: 2, Bounded: true, Inside: false})
	y.Add(Outcome{At: 1000, Error: 2, Naive: 4, Bounded: false, Inside: false})
	near(t, "MASE", y.MASE(), 2)
	near(t, "skill", y.Skill(), 1-6.0/8)
	near(t, "coverage", y.Coverage(), 0.5)

	// A half-life later what was before counts half.
	y.Add(Outcome{At: 1000 + Last, Error: 5, Naive: 1, Bounded: true, Inside: true})
	near(t, "MASE later", y.MASE(), (6*0.5+5)/(3*0.5+1))
	near(t, "skill later", y.Skill(), 1-(6*0.5+5)/(8*0.5+1))
	near(t, "coverage later", y.Coverage(), (0.5+1)/(2*0.5+1))
	if y.Judged != 4 {
		t.Errorf("%d judged", y.Judged)
	}
	// One error in a thousand scales does not decide.
	var z Tally
	z.Add(Outcome{At: 1, Error: 1e6, Naive: 1})
	near(t, "MASE of a disaster", z.MASE(), most)
}

// trial judges n times of three series each, where the model's error is better than
// naive's by gain on average.
func trial(rng *rand.Rand, n int, gain float64) *Trial {
	var r Trial
	for i := range n {
		common := rng.NormFloat64() // what all series share
		for range 3 {
			naive := 1 + 0.3*rng.Float64()
			r.Add(Outcome{At: int64(i+1) * minute, Error: max(0, naive-gain+0.2*common+0.1*rng.NormFloat64()), Naive: naive})
		}
	}
	return &r
}

func TestVerdict(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	if v := trial(rng, 40, 0.4).Verdict(); v != Better {
		t.Errorf("a better model: %v", v)
	}
	if v := trial(rng, 40, -0.4).Verdict(); v != Worse {
		t.Errorf("a worse model: %v", v)
	}
	// A model without any skill at all is found within 20 forecasts of one series.
	var bad Trial
	for i := range 20 {
		bad.Add(Outcome{At: int64(i+1) * minute, Error: 3 + rng.Float64(), Naive: 1 + rng.Float64()})
	}
	if v := bad.Verdict(); v != Worse || !(bad.Skill() < -0.5) {
		t.Errorf("a broken model after 20 forecasts: %v, skill %v", v, bad.Skill())
	}
	// Many series at few times are few observations.
	var few Trial
	for i := range LeastTimes - 1 {
		for range 1000 {
			few.Add(Outcome{At: int64(i+1) * minute, Error: 3, Naive: 1})
		}
	}
	if v := few.Verdict(); v != Open {
		t.Errorf("%d times: %v", LeastTimes-1, v)
	}
	// Naive itself, which is what a demoted signal says, is neither.
	var same Trial
	for i := range 100 {
		same.Add(Outcome{At: int64(i+1) * minute, Error: 1, Naive: 1})
	}
	if v := same.Verdict(); v != Open || same.Skill() != 0 {
		t.Errorf("naive against itself: %v, skill %v", v, same.Skill())
	}
}

// TestVerdictIsSeldomWrong: of models as good as naive at most one in twenty is called
// worse, looked at once after 12 to 60 times.
func TestVerdictIsSeldomWrong(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const n = 4000
	worse, better := 0, 0
	for range n {
		switch trial(rng, 12+rng.IntN(48), 0).Verdict() {
		case Worse:
			worse++
		case Better:
			better++
		case Open:
		}
	}
	if worse > n/20 || better > n/20 {
		t.Errorf("of %d, %d were called worse and %d better", n, worse, better)
	}
}

func TestState(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	r := trial(rng, 20, 0.1)
	var y Tally
	y.Add(Outcome{At: 5000, Error: 1, Naive: 2, Bounded: true, Inside: true})
	p := Pending{From: 1, To: 2e12, Horizon: 3, Point: 1.5, Naive: -2, Lower: -1, Upper: 4, Scale: 0.25}
	p.Take(5, 7)
	b := p.AppendState(y.AppendState(r.AppendState(nil)))
	var (
		r2 Trial
		y2 Tally
		p2 Pending
	)
	rest, err := r2.LoadState(b)
	if err == nil {
		rest, err = y2.LoadState(rest)
	}
	if err == nil {
		rest, err = p2.LoadState(rest)
	}
	if err != nil || len(rest) != 0 || !reflect.DeepEqual(*r, r2) || y != y2 || p != p2 {
		t.Errorf("%v, %d left: %+v, %+v, %+v", err, len(rest), r2, y2, p2)
	}
	if _, err := p2.LoadState(b[:79]); err == nil {
		t.Error("a short state is read")
	}
}
