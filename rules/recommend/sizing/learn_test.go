package sizing

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/upid/upid/collector/series"
)

// TestLearn: whole history, a container of five days, one without CPU, and one without anything.
func TestLearn(t *testing.T) {
	const end = 1_764_028_800
	made := func(days int, level float64) series.Series {
		y := series.Series{Start: (end - int64(days)*86400) * 1000, Step: 300_000, Values: make([]float64, days*288)}
		for i := range y.Values {
			y.Values[i] = level * (1 + 0.2*math.Sin(float64(i)))
		}
		return y
	}
	all := []Usage{
		{CPU: made(40, 1), Memory: made(40, 1<<30)},
		{CPU: made(5, 1), Memory: made(5, 1<<30)},
		{Memory: made(28, 1<<30)},
		{},
	}
	p, _ := PolicyNamed("balanced")
	got, err := Learn(t.Context(), p, all, end, scratch(t))
	if err != nil {
		t.Fatal(err)
	}
	if s := got[0]; s.Days() != 28 || s.Size().CPU < 1.19 || s.Size().CPU > 2 || s.Size().Memory < 1.2*(1<<30) || s.Size().Memory > 2<<30 {
		t.Errorf("%d days, %+v", s.Days(), s.Size())
	}
	if s := got[1]; s.Days() != 5 || !math.IsNaN(s.Size().CPU) {
		t.Errorf("five days: %d, %+v", s.Days(), s.Size())
	}
	if s := got[2]; s.Days() != 28 || !math.IsNaN(s.Size().CPU) || math.IsNaN(s.Size().Memory) {
		t.Errorf("memory alone: %d, %+v", s.Days(), s.Size())
	}
	if s := got[3]; s.Days() != 0 || !math.IsNaN(s.Size().Memory) {
		t.Errorf("nothing: %d, %+v", s.Days(), s.Size())
	}
	again, err := Learn(t.Context(), p, all, end, scratch(t))
	if err != nil || again[0].Size() != got[0].Size() {
		t.Errorf("%+v, again %+v, %v", got[0].Size(), again[0].Size(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Learn(ctx, p, all, end, scratch(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
