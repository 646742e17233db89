package rules

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Quantity is how texts of alerts write a value in the unit of its signal, for
// commands that show it: "unknown" for NaN and ±Inf.
func Quantity(v float64, unit string) string { return quantity(v, unit) }

// quantity writes a value with its unit for a human: four significant digits, a
// prefix where the number would be long, "unknown" for NaN and ±Inf.
//
//	unit     0.0004        82.4567       5.3e9
//	""       0.0004        82.46         5.3 G
//	cores    0.0004 cores  82.46 cores   5.3 G cores
//	bytes    0.0004 B      82.46 B       4.936 GiB
//	seconds  400 µs        82.46 s       61343 d
//	ratio    0.04 %        8246 %        530000000000 %
func quantity(v float64, unit string) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "unknown"
	}
	switch unit {
	case "bytes", "byte", "B":
		return binary(v) + "B"
	case "bytes/s", "bytes_per_second", "B/s":
		return binary(v) + "B/s"
	case "seconds", "second", "s":
		return duration(v)
	case "ratio":
		return digits(100*v) + " %"
	case "percent", "%":
		return digits(v) + " %"
	}
	return strings.TrimSpace(decimal(v) + unit)
}

// difference is quantity for the distance between two values. For shares it
// says points, as "3 % above" could mean a relative difference.
func difference(d float64, unit string) string {
	switch unit {
	case "ratio":
		return digits(100*d) + " percentage points"
	case "percent", "%":
		return digits(d) + " percentage points"
	}
	return quantity(d, unit)
}

// digits writes v with four significant digits, but never drops digits before
// the decimal point, and without an exponent where a reader can do without.
func digits(v float64) string {
	a := math.Abs(v)
	switch {
	case v == 0:
		return "0" // also for −0
	case a >= 1e15 || a < 1e-5:
		return strconv.FormatFloat(v, 'g', 4, 64)
	case a >= 1000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	places := min(8, 3-int(math.Floor(math.Log10(a))))
	s := strconv.FormatFloat(v, 'f', places, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// decimal writes v and a space, with an SI prefix from a million on.
func decimal(v float64) string {
	a := math.Abs(v)
	for _, p := range []struct {
		size   float64
		prefix string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}} {
		if a >= p.size && a < 1e15 {
			return digits(v/p.size) + " " + p.prefix + " "
		}
	}
	return digits(v) + " "
}

// binary writes v, a space and an IEC prefix.
func binary(v float64) string {
	prefixes := []string{"", "Ki", "Mi", "Gi", "Ti", "Pi"}
	i := 0
	for math.Abs(v) >= 1024 && i < len(prefixes)-1 {
		v /= 1024
		i++
	}
	return digits(v) + " " + prefixes[i]
}

// duration writes v seconds: small ones in ms or µs, from two minutes on in
// minutes or hours.
func duration(v float64) string {
	switch a := math.Abs(v); {
	case a == 0:
		return "0 s"
	case a < 0.001:
		return digits(v*1e6) + " µs"
	case a < 1:
		return digits(v*1e3) + " ms"
	case a < 120:
		return digits(v) + " s"
	case a < 2*3600:
		return digits(v/60) + " min"
	case a < 2*86400:
		return digits(v/3600) + " h"
	}
	return digits(v/86400) + " d"
}

// clock writes Unix milliseconds as RFC 3339 in UTC.
func clock(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

// shorten cuts s to at most n bytes, at a rune boundary, and says so.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
