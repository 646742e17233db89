package rules

import (
	"math"
	"testing"
)

func TestQuantity(t *testing.T) {
	f := func(v float64, unit, want string) {
		t.Helper()
		if got := quantity(v, unit); got != want {
			t.Errorf("quantity(%v, %q) = %q, want %q", v, unit, got, want)
		}
	}
	f(0.0004, "", "0.0004")
	f(82.4567, "", "82.46")
	f(5.3e9, "", "5.3 G")
	f(0.0004, "cores", "0.0004 cores")
	f(-82.4567, "cores", "-82.46 cores")
	f(5.3e9, "cores", "5.3 G cores")
	f(123456, "requests/s", "123456 requests/s")
	f(1234567, "requests/s", "1.235 M requests/s")
	f(2e12, "", "2 T")
	f(1e20, "", "1e+20")
	f(1e-9, "cores", "1e-09 cores")
	f(0.00001234567, "", "0.00001235")
	f(0, "cores", "0 cores")
	f(math.Copysign(0, -1), "", "0")
	f(0.0004, "bytes", "0.0004 B")
	f(82.4567, "bytes", "82.46 B")
	f(5.3e9, "bytes", "4.936 GiB") // 5.3e9 / 2^30
	f(1<<60, "B", "1024 PiB")
	f(1536, "bytes/s", "1.5 KiB/s")
	f(0.0004, "seconds", "400 µs")
	f(0.25, "s", "250 ms")
	f(82.4567, "seconds", "82.46 s")
	f(150, "seconds", "2.5 min")
	f(9000, "seconds", "2.5 h")
	f(5.3e9, "seconds", "61343 d") // 5.3e9 / 86400
	f(0, "seconds", "0 s")
	f(0.0004, "ratio", "0.04 %")
	f(0.824567, "ratio", "82.46 %")
	f(5.3e9, "ratio", "530000000000 %")
	f(12.5, "percent", "12.5 %")
	f(math.NaN(), "cores", "unknown")
	f(math.Inf(-1), "bytes", "unknown")
	f(999.96, "", "1000")
	f(-1e-300, "", "-1e-300")
}

func TestShorten(t *testing.T) {
	if got := shorten("grüße", 3); got != "gr…" { // ü is two bytes
		t.Errorf("got %q", got)
	}
	if got := shorten("abc", 3); got != "abc" {
		t.Errorf("got %q", got)
	}
}
