package output

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// AppendNumber appends the shortest decimal that reads back as exactly x,
// without an exponent for 1e-6 ≤ |x| < 1e21. NaN and ±Inf append nothing:
// neither is a value that can be passed on.
func AppendNumber(b []byte, x float64) []byte {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return b
	}
	format := byte('f')
	if a := math.Abs(x); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(b, x+0, format, -1, 64) // x+0 turns -0 into 0
}

// AppendTime appends the Unix time ms (milliseconds) in seconds, with a
// fraction only if it has one.
func AppendTime(b []byte, ms int64) []byte {
	if ms%1000 == 0 {
		return strconv.AppendInt(b, ms/1000, 10)
	}
	if ms < 0 {
		b = append(b, '-')
		ms = -ms
	}
	b = strconv.AppendInt(b, ms/1000, 10)
	fraction := strconv.AppendInt(nil, 1000+ms%1000, 10)[1:]
	b = append(b, '.')
	return append(b, strings.TrimRight(string(fraction), "0")...)
}

// Human returns x with four significant digits, or all digits before the point
// if there are up to six, with M, G, T or P from a million on, and "-" for NaN
// and ±Inf.
func Human(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "-"
	}
	a, suffix := math.Abs(x), ""
	if a >= 999999.5 {
		for _, s := range []string{"k", "M", "G", "T", "P"} {
			if a < 999.95 {
				break
			}
			a, x, suffix = a/1000, x/1000, s
		}
	}
	switch {
	case a >= 999999.5: // beyond the suffixes
		return strconv.FormatFloat(x, 'e', 2, 64) + suffix
	case a >= 9999.5:
		return strconv.FormatFloat(x, 'f', 0, 64) + suffix
	}
	return strconv.FormatFloat(x+0, 'g', 4, 64) + suffix
}

// Count returns n with its thousands separated by commas.
func Count(n int) string {
	s := strconv.Itoa(n)
	from := len(s) % 3
	if n < 0 {
		from = 1 + (len(s)-1)%3
	}
	var b strings.Builder
	b.WriteString(s[:from])
	for i := from; i < len(s); i += 3 {
		if i > 0 && s[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteString(s[i : i+3])
	}
	return b.String()
}

// Timestamp returns the Unix time ms (milliseconds) as RFC 3339 in loc.
func Timestamp(ms int64, loc *time.Location) string {
	t := time.UnixMilli(ms).In(loc)
	if ms%1000 == 0 {
		return t.Format(time.RFC3339)
	}
	return t.Format("2006-01-02T15:04:05.000Z07:00")
}

// Horizon returns d in the largest of day, hour and minute that divides it, as
// in 7d, 36h or 10m; never in weeks. Shorter ones are in Go's form.
func Horizon(d time.Duration) string {
	for _, u := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d > 0 && d%u.length == 0 {
			return strconv.FormatInt(int64(d/u.length), 10) + u.name
		}
	}
	return d.String()
}

// Span returns d with its two largest units, as in 3d4h, 2h5m or 45s.
func Span(d time.Duration) string {
	units := []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	for i, u := range units {
		if d < u.length {
			continue
		}
		s := strconv.FormatInt(int64(d/u.length), 10) + u.name
		if i+1 < len(units) {
			if rest := d % u.length / units[i+1].length; rest > 0 {
				s += strconv.FormatInt(int64(rest), 10) + units[i+1].name
			}
		}
		return s
	}
	return d.String()
}
