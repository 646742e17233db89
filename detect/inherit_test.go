package detect

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// trained returns a scorer that has seen ten days of a daily wave around level.
func trained(t *testing.T, o Options, level float64) (s Scorer, at int64, next func(at int64) float64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(21, 22))
	next = func(at int64) float64 {
		return level + 30*math.Sin(2*math.Pi*float64(at%dayMS)/float64(dayMS)) + 3*rng.NormFloat64()
	}
	s = mustNew(t, o)
	at = t0
	for range 10 * dayMS / o.Step.Milliseconds() {
		at += o.Step.Milliseconds()
		s.Step(at, next(at))
	}
	return s, at, next
}

func TestRebase(t *testing.T) {
	for _, transform := range []Transform{NoTransform, Sqrt} {
		o := Options{Step: 5 * time.Minute, Budget: 1, Transform: transform}
		plain, at, next := trained(t, o, 100)
		moved := mustNew(t, o)
		if err := moved.LoadState(plain.AppendState(nil)); err != nil {
			t.Fatal(err)
		}
		here := next(at)
		scales, share, ok := Shifted(plain, at, here+60)
		if !ok || scales < 10 || math.Abs(share-60/here) > 0.2 {
			t.Errorf("%s: 60 above %v are %v scales and a share of %v", transform, here, scales, share)
		}
		if !Rebase(moved, at, here+60, 3) {
			t.Fatalf("%s: not moved", transform)
		}
		if scales, share, ok := Shifted(moved, at, here+60); !ok || math.Abs(scales) > 0.5 || math.Abs(share) > 0.02 {
			t.Errorf("%s: after the move %v scales, %v", transform, scales, share)
		}
		odd, calm := 0.0, 0.0
		for range 288 {
			at += o.Step.Milliseconds()
			v := next(at) + 60
			odd = max(odd, plain.Step(at, v).Value)
			calm = max(calm, moved.Step(at, v).Value)
		}
		if odd < 1.5 || calm >= 1 {
			t.Errorf("%s: the highest scores of the day after a move are %.2f, and %.2f for one that was told", transform, odd, calm)
		}
		at += o.Step.Milliseconds()
		if s := moved.Step(at, next(at)+180); s.Value < 1.2 {
			t.Errorf("%s: an anomaly after a move: %+v", transform, s)
		}
	}
}

// What has a known cause is no habit, though it comes at the same time of day: where nobody tells,
// the fourth of such releases is silent.
func TestCaused(t *testing.T) {
	o := Options{Step: 5 * time.Minute, Budget: 1}
	plain, at, next := trained(t, o, 100)
	told := mustNew(t, o)
	if err := told.LoadState(plain.AppendState(nil)); err != nil {
		t.Fatal(err)
	}
	begin := at
	for range 4 * dayMS / o.Step.Milliseconds() {
		at += o.Step.Milliseconds()
		v, times := next(at), 0.0
		if since := (at - begin) % dayMS; since >= 6*hourMS && since < 6*hourMS+20*minuteMS {
			v, times = v+32, 1.25
		}
		Caused(told, times)
		a, b := plain.Step(at, v), told.Step(at, v)
		if (at-begin)%dayMS != 6*hourMS || at-begin < 3*dayMS {
			continue
		}
		if a.Value != habitual || b.Value < 1.2 {
			t.Errorf("the fourth in four days: %+v where nobody tells, %+v with a cause", a, b)
		}
		if !(b.Upper < a.Upper && b.Upper > b.Expected) {
			t.Errorf("what counts more has a narrower band: up to %v, and %v with a cause", a.Upper, b.Upper)
		}
	}
	o.MinDeviation = 30
	least, at, next := trained(t, o, 100)
	Caused(least, 5)
	if sc := least.Step(at+o.Step.Milliseconds(), next(at)+25); !(sc.Value < 1) {
		t.Errorf("below the least deviation: %+v", sc)
	}
}

func TestInherit(t *testing.T) {
	o := Options{Step: 5 * time.Minute, Budget: 1}
	donor, at, next := trained(t, o, 100)
	before := donor.AppendState(nil)
	s := mustNew(t, o)
	level := next(at) + 20 // like the donor, somewhat higher
	if !Inherit(s, donor, at, level, level, 3) {
		t.Fatal("not inherited")
	}
	high := 0.0
	for range 288 {
		at += o.Step.Milliseconds()
		high = max(high, s.Step(at, next(at)+20).Value)
	}
	if high >= 1 {
		t.Errorf("the highest score of an ordinary day is %.2f", high)
	}
	at += o.Step.Milliseconds()
	if sc := s.Step(at, next(at)+80); sc.Value < 1.2 {
		t.Errorf("60 more: %+v", sc)
	}
	if !bytes.Equal(before, donor.AppendState(nil)) {
		t.Error("the donor has changed")
	}
	again := mustNew(t, o)
	if err := again.LoadState(s.AppendState(nil)); err != nil {
		t.Errorf("the state of an heir: %v", err)
	}
}

func TestInheritNothing(t *testing.T) {
	o := Options{Step: 5 * time.Minute, Budget: 1}
	known, at, _ := trained(t, o, 100)
	fresh := mustNew(t, o)
	empty := fresh.AppendState(nil)
	two := mustNew(t, o)
	for i := range int64(3000) {
		two.Step(t0+i*o.Step.Milliseconds(), float64(i/700%2))
	}
	coarse := mustNew(t, Options{Step: time.Hour, Budget: 1})
	root := mustNew(t, Options{Step: 5 * time.Minute, Budget: 1, Transform: Sqrt})
	for name, ok := range map[string]bool{
		"from one that knows nothing": Inherit(mustNew(t, o), fresh, at, 1, 1, 1),
		"from a series of two values": Inherit(mustNew(t, o), two, at, 1, 1, 1),
		"into another step":           Inherit(coarse, known, at, 1, 1, 1),
		"into another transform":      Inherit(root, known, at, 1, 1, 1),
		"from another transform":      Inherit(mustNew(t, o), root, at, 1, 1, 1),
		"rebase nothing":              Rebase(fresh, at, 1, 1),
		"rebase two values":           Rebase(two, at, 1, 1),
	} {
		if ok {
			t.Errorf("%s: it could", name)
		}
	}
	if !bytes.Equal(empty, fresh.AppendState(nil)) {
		t.Error("what could not be has changed it")
	}
	if _, _, ok := Shifted(fresh, at, 1); ok {
		t.Error("a fresh scorer expects something")
	}
	if !Rebase(known, at, 1e308, math.MaxFloat64) || known.LoadState(known.AppendState(nil)) != nil {
		t.Error("a level beyond all bounds")
	}
}
