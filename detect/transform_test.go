package detect

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
)

// Through the root, the scorer speaks in the unit of the input: the band holds the
// ordinary values, minima are those of the input, and state continues.
func TestTransform(t *testing.T) {
	const step = 5 * time.Minute
	o := Options{Step: step, Budget: 1, Transform: Sqrt, MinDeviation: 5}
	s, again := mustNew(t, o), mustNew(t, o)
	rng := rand.New(rand.NewPCG(9, 10))
	at, inside, scored := t0, 0, 0
	for i := range 14 * 288 {
		v := 40 + 4*rng.NormFloat64()
		sc := s.Step(at, v)
		at += step.Milliseconds()
		if math.IsNaN(sc.Value) || i < 288 {
			continue
		}
		scored++
		if sc.Observed != v || math.Abs(sc.Expected-40) > 15 || !(sc.Lower <= sc.Expected && sc.Expected <= sc.Upper) {
			t.Fatalf("point %d of 40 ± 4: %+v", i, sc)
		}
		if sc.Lower > sc.Expected-5+1e-9 || sc.Upper < sc.Expected+5-1e-9 {
			t.Fatalf("the band is narrower than the least deviation: %+v", sc)
		}
		if v >= sc.Lower && v <= sc.Upper {
			inside++
		}
	}
	if share := float64(inside) / float64(scored); share < 0.99 {
		t.Errorf("%.4f of the ordinary values lie inside the band", share)
	}
	if err := again.LoadState(s.AppendState(nil)); err != nil {
		t.Fatal(err)
	}
	a, b := s.Step(at, 400), again.Step(at, 400)
	if a.Value < 1 || a.Type != series.TypeSpike || math.Abs(a.Why.Deviation-360) > 15 || math.Abs(a.Why.Usual-40) > 15 {
		t.Errorf("ten times as much: %+v", a)
	}
	if a != b || !bytes.Equal(s.AppendState(nil), again.AppendState(nil)) {
		t.Error("the copy goes another way")
	}
}

// A deviation below the minimum of the input is no anomaly, however rare.
func TestTransformMinimum(t *testing.T) {
	s := mustNew(t, Options{Step: 5 * time.Minute, Budget: 1, Transform: Sqrt, MinDeviation: 50})
	rng := rand.New(rand.NewPCG(9, 11))
	at := t0
	for range 7 * 288 {
		s.Step(at, 100+rng.NormFloat64())
		at += 300_000
	}
	if sc := s.Step(at, 140); sc.Value >= 1 || sc.Type != "" || sc.Why != (series.Why{}) {
		t.Errorf("40 of 50: %+v", sc)
	}
	if sc := s.Step(at+300_000, 180); sc.Value < 1 {
		t.Errorf("80 of 50: %+v", sc)
	}
}

func TestTransformHostile(t *testing.T) {
	s := mustNew(t, Options{Step: time.Minute, Budget: 1, Transform: Sqrt})
	for i, v := range []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1), 1e308, -1e308, 5e-324, 3} {
		for k := range 200 {
			sc := s.Step(t0+int64(i*200+k)*60_000, v)
			for _, x := range []float64{sc.Observed, sc.Expected, sc.Lower, sc.Upper, sc.Value, sc.Confidence, sc.Why.Deviation, sc.Why.Usual} {
				if math.IsInf(x, 0) {
					t.Fatalf("value %g: %+v", v, sc)
				}
			}
		}
	}
	if _, err := New("", Options{Step: time.Minute, Budget: 1, Transform: "cube"}); err == nil {
		t.Error("an unknown transform was taken")
	}
}
