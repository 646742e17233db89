package output

import (
	"math"
	"strconv"
	"testing"
	"time"
)

func TestAppendNumber(t *testing.T) {
	f := func(x float64, want string) {
		t.Helper()
		if got := string(AppendNumber(nil, x)); got != want {
			t.Errorf("AppendNumber(%g) = %q, want %q", x, got, want)
		}
	}
	f(0, "0")
	f(math.Copysign(0, -1), "0")
	f(1e6, "1000000") // 'g' would say 1e+06
	f(17179869184, "17179869184")
	f(0.30000000000000004, "0.30000000000000004") // reads back exactly
	f(-1.5, "-1.5")
	f(1e-6, "0.000001")
	f(5e-7, "5e-07")
	f(1e20, "100000000000000000000")
	f(1e21, "1e+21")
	f(math.NaN(), "")
	f(math.Inf(1), "")
	f(math.Inf(-1), "")
}

func TestAppendNumber_roundTrip(t *testing.T) {
	for _, x := range []float64{math.Pi, 1.0 / 3, math.MaxFloat64, math.SmallestNonzeroFloat64, 123456789.123456789, -2e-9} {
		got, err := strconv.ParseFloat(string(AppendNumber(nil, x)), 64)
		if err != nil || got != x {
			t.Errorf("%g reads back as %g, %v", x, got, err)
		}
	}
}

func TestAppendTime(t *testing.T) {
	f := func(ms int64, want string) {
		t.Helper()
		if got := string(AppendTime(nil, ms)); got != want {
			t.Errorf("AppendTime(%d) = %q, want %q", ms, got, want)
		}
	}
	f(0, "0")
	f(1700000000000, "1700000000")
	f(1700000000500, "1700000000.5")
	f(1700000000005, "1700000000.005")
	f(-1500, "-1.5")
	f(-500, "-0.5")
}

func TestHuman(t *testing.T) {
	f := func(x float64, want string) {
		t.Helper()
		if got := Human(x); got != want {
			t.Errorf("Human(%g) = %q, want %q", x, got, want)
		}
	}
	f(0, "0")
	f(math.Copysign(0, -1), "0")
	f(0.123456, "0.1235")
	f(12.3456, "12.35")
	f(9999.4, "9999")
	f(12345.6, "12346")
	f(99999.5, "100000")
	f(-123456, "-123456")
	f(999999.5, "1M")
	f(-1234567, "-1.235M")
	f(17179869184, "17.18G")
	f(2.5e15, "2.5P")
	f(1e30, "1.00e+15P")
	f(math.NaN(), "-")
	f(math.Inf(-1), "-")
}

func TestCount(t *testing.T) {
	f := func(n int, want string) {
		t.Helper()
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
	f(0, "0")
	f(7, "7")
	f(999, "999")
	f(1000, "1,000")
	f(12345, "12,345")
	f(1234567, "1,234,567")
	f(-5, "-5")
	f(-123, "-123")
	f(-123456, "-123,456")
	f(-1234, "-1,234")
}

func TestTimestamp(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	f := func(ms int64, loc *time.Location, want string) {
		t.Helper()
		if got := Timestamp(ms, loc); got != want {
			t.Errorf("Timestamp(%d, %s) = %q, want %q", ms, loc, got, want)
		}
	}
	f(1700000000000, time.UTC, "2023-11-14T22:13:20Z")
	f(1700000000000, berlin, "2023-11-14T23:13:20+01:00")
	f(1700000000250, time.UTC, "2023-11-14T22:13:20.250Z")
}

func TestHorizon(t *testing.T) {
	f := func(d time.Duration, want string) {
		t.Helper()
		if got := Horizon(d); got != want {
			t.Errorf("Horizon(%s) = %q, want %q", d, got, want)
		}
	}
	f(7*24*time.Hour, "7d") // never weeks
	f(36*time.Hour, "36h")
	f(10*time.Minute, "10m")
	f(90*time.Second, "1m30s")
	f(0, "0s")
}

func TestSpan(t *testing.T) {
	f := func(d time.Duration, want string) {
		t.Helper()
		if got := Span(d); got != want {
			t.Errorf("Span(%s) = %q, want %q", d, got, want)
		}
	}
	f(76*time.Hour, "3d4h")
	f(48*time.Hour+time.Minute, "2d")
	f(125*time.Minute, "2h5m")
	f(45*time.Second, "45s")
	f(300*time.Millisecond, "300ms")
}
