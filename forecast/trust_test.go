package forecast

import (
	"math"
	"testing"
	"time"
)

// TestReach: up to 28 days, or a quarter of the history, nothing is taken off.
func TestReach(t *testing.T) {
	const day = 24 * time.Hour
	f := func(horizon, span time.Duration, want float64) {
		t.Helper()
		if got := reach(horizon, span); math.Abs(got-want) > 1e-12 {
			t.Errorf("reach(%v, %v) = %v, want %v", horizon, span, got, want)
		}
	}
	f(time.Hour, day, 1)
	f(28*day, 7*day, 1)
	f(56*day, 28*day, 0.5)
	f(400*day, 28*day, 0.07)
	f(400*day, 5*365*day, 1)
}
