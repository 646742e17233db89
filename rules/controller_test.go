package rules

import (
	"math"
	"testing"

	"github.com/upid/upid/collector/series"
)

func TestControllerMoves(t *testing.T) {
	weekly := Budget{Count: 1, Per: "week"}
	c := NewController(100)
	if b := c.Boundary(); math.Abs(b-1.46) > 0.01 { // (100/8)^0.15
		t.Errorf("100 workloads begin at %v, want 1.46", b)
	}
	// A group more moves it up by a tenth, a week without one down by a tenth.
	up := c.Next(1, weekly).Boundary() / c.Boundary()
	if want := math.Exp(0.1 * (1 - 1.0/14)); math.Abs(up-want) > 1e-12 {
		t.Errorf("one group: × %v, want %v", up, want)
	}
	d := c
	for range 14 {
		d = d.Next(0, weekly)
	}
	if got, want := d.Boundary()/c.Boundary(), math.Exp(-0.1); math.Abs(got-want) > 1e-12 {
		t.Errorf("a quiet week: × %v, want %v", got, want)
	}
	// A storm counts as three, and there is an end on both sides.
	if c.Next(500, weekly) != c.Next(4, weekly) {
		t.Error("a storm counts as more than three groups")
	}
	for range 100 {
		c, d = c.Next(9, weekly), d.Next(0, weekly)
	}
	for range 400 {
		d = d.Next(0, weekly)
	}
	if c.Boundary() != 4 || d.Boundary() != 1 {
		t.Errorf("ends %v and %v, want 4 and 1", c.Boundary(), d.Boundary())
	}
	for range 100 {
		if one := NewController(1).Next(9, weekly); one.Boundary() != 1 {
			t.Fatal("a single workload is controlled")
		}
	}
	if NewController(0).Boundary() != 1 || NewController(8).Boundary() != 1 || NewController(1<<40).Boundary() != 4 {
		t.Error("the first boundary is out of range")
	}
}

func TestControllerCalibrates(t *testing.T) {
	c := Controller{alone: false, level: math.Log(2), block: 0}
	s := series.Score{
		Observed: 9, Expected: 4, Lower: math.NaN(), Upper: 6, Value: 3, Confidence: 0.5, Type: series.TypeSpike,
		Why: series.Why{View: series.ViewValue, Value: 12, Limit: 4, Deviation: 5, Usual: 4, Days: 9},
	}
	got := c.Calibrate(s)
	if got.Value != 1.5 || got.Upper != 8 || !math.IsNaN(got.Lower) || got.Why.Limit != 8 || got.Type != series.TypeSpike || got.Why.Value/got.Why.Limit != got.Value {
		t.Errorf("%+v", got)
	}
	s.Value = 1.9
	if got = c.Calibrate(s); got.Value != 0.95 || got.Type != "" || got.Why != (series.Why{}) {
		t.Errorf("below the boundary: %+v", got)
	}
	s.Why.View = series.ViewFlat
	if got = c.Calibrate(s); got.Value != 1.9 {
		t.Errorf("a flat line has no tail: %+v", got)
	}
	huge := series.Score{Observed: 1, Expected: 1e308, Lower: -1e308, Upper: 1.7e308, Value: 0.5}
	if got = c.Calibrate(huge); math.IsInf(got.Lower, 0) || math.IsInf(got.Upper, 0) {
		t.Errorf("infinite bounds: %+v", got)
	}
}

func TestControllerBlocks(t *testing.T) {
	d := Block.Milliseconds()
	c := NewController(20)
	if _, _, ends := c.Ends(5 * d); ends {
		t.Error("the first point ends a block")
	}
	c = c.At(5*d + 1)
	if _, _, ends := c.Ends(6*d - 1); ends {
		t.Error("the block ends before its end")
	}
	if from, to, ends := c.Ends(8 * d); !ends || from != 5*d || to != 6*d {
		t.Errorf("%d to %d, %v", from, to, ends)
	}
}

func TestControllerState(t *testing.T) {
	c := NewController(50).At(1_700_000_000_000).Next(2, Budget{Count: 1, Per: "week"})
	var got Controller
	if err := got.LoadState(c.AppendState(nil)); err != nil || got != c {
		t.Errorf("%+v, %v, want %+v", got, err, c)
	}
	good := c.AppendState(nil)
	for n := range good {
		if err := got.LoadState(good[:n]); err == nil || got != c {
			t.Errorf("%d of %d bytes: %v", n, len(good), err)
		}
	}
	for _, level := range []float64{-1, 2, math.NaN()} {
		bad := Controller{alone: false, level: level, block: 1}
		if err := got.LoadState(bad.AppendState(nil)); err == nil {
			t.Errorf("level %v was taken", level)
		}
	}
}
