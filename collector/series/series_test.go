package series

import (
	"math"
	"reflect"
	"testing"
)

func TestSeriesGrid(t *testing.T) {
	s := Series{Start: 1000, Step: 10, Values: []float64{1, 2, 3}}
	if s.At(2) != 1020 || s.End() != 1030 {
		t.Errorf("At(2) = %d, End = %d", s.At(2), s.End())
	}
	f := func(at int64, want int, ok bool) {
		t.Helper()
		if i, got := s.Index(at); i != want || got != ok {
			t.Errorf("Index(%d) = %d, %v; want %d, %v", at, i, got, want, ok)
		}
	}
	f(1000, 0, true)
	f(1020, 2, true)
	f(1030, 0, false)
	f(990, 0, false)
	f(1005, 0, false)
	if _, ok := (Series{Start: 0, Step: 0, Values: []float64{1}}).Index(0); ok {
		t.Error("a series without a step has no grid")
	}
}

func TestSlice(t *testing.T) {
	s := Series{Start: 1000, Step: 10, Values: []float64{1, 2, 3, 4}}
	f := func(from, to, start int64, want ...float64) {
		t.Helper()
		got := s.Slice(from, to)
		if got.Start != start || !reflect.DeepEqual(append([]float64{}, got.Values...), append([]float64{}, want...)) {
			t.Errorf("Slice(%d, %d) = %d %v, want %d %v", from, to, got.Start, got.Values, start, want)
		}
	}
	f(1010, 1030, 1010, 2, 3)
	f(1001, 1031, 1010, 2, 3, 4)
	f(0, 5000, 1000, 1, 2, 3, 4)
	f(1030, 1010, 1030)
	f(2000, 3000, 1040)
}

func TestConfidenceLevel(t *testing.T) {
	for c, want := range map[float64]string{0: "low", 0.39: "low", 0.4: "medium", 0.59: "medium", 0.6: "high", 0.79: "high", 0.8: "very_high", 1: "very_high"} {
		if got := ConfidenceLevel(c); got != want {
			t.Errorf("%v is %q, want %q", c, got, want)
		}
	}
}

func TestOpen(t *testing.T) {
	if !(Finding{}).Open() || (Finding{End: 1}).Open() {
		t.Error("a finding is open until it has an end")
	}
}

func TestOwnLabels(t *testing.T) {
	if !IsOwnLabel("horizon") || IsOwnLabel("pod") {
		t.Error("horizon is upid's own, pod is not")
	}
}

func TestMean(t *testing.T) {
	var m Mean
	if !math.IsNaN(m.Value()) {
		t.Errorf("of nothing: %v", m.Value())
	}
	for _, v := range []float64{1, math.NaN(), 3, math.Inf(1), math.Inf(-1)} {
		m.Add(v)
	}
	if m.Value() != 2 || m.Sum != 4 || m.N != 2 {
		t.Errorf("%+v, mean %v", m, m.Value())
	}
}
