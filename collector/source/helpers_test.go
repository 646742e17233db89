package source

import (
	"math"
	"testing"
)

// sameFloats reports whether a and b hold the same values, NaN being equal to
// NaN.
func sameFloats(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !(math.IsNaN(a[i]) && math.IsNaN(b[i])) {
			return false
		}
	}
	return true
}

func wantFloats(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if !sameFloats(got, want) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

var nan = math.NaN()
