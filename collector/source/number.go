package source

import (
	"math"
	"strconv"
)

// pow10 holds the powers of ten that a float64 represents exactly.
var pow10 = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// parseFloat parses a decimal number: [+-]digits[.digits][e[+-]digits], with
// digits before or after the point. It returns exactly what strconv.ParseFloat
// returns for it. ok is false for anything else (also hexadecimal, "NaN",
// "Inf") and for a number beyond the range of float64. It does not allocate for
// numbers of up to 32 bytes.
//
// A mantissa below 2^53 and a power of ten up to 22 are exact in a float64, so
// that their product or quotient is rounded once, hence correctly. Everything
// else is strconv's. Clinger, How to read floating point numbers accurately
// (1990).
func parseFloat(b []byte) (v float64, ok bool) {
	i, neg := 0, false
	if i < len(b) && (b[i] == '+' || b[i] == '-') {
		neg = b[i] == '-'
		i++
	}
	var mant uint64
	digits, exp := 0, 0
	for ; i < len(b) && isDigit(b[i]); i++ {
		mant = mant*10 + uint64(b[i]-'0') // wraps after 19 digits; unused then
		digits++
	}
	if i < len(b) && b[i] == '.' {
		for i++; i < len(b) && isDigit(b[i]); i++ {
			mant = mant*10 + uint64(b[i]-'0')
			digits++
			exp--
		}
	}
	if digits == 0 {
		return 0, false
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		e, n, ok := parseExp(b[i+1:])
		if !ok {
			return 0, false
		}
		exp += e
		i += 1 + n
	}
	if i != len(b) {
		return 0, false
	}
	if digits > 19 || mant >= 1<<53 || exp < -22 || exp > 22 {
		v, err := strconv.ParseFloat(string(b), 64)
		return v, err == nil
	}
	v = float64(mant)
	if exp < 0 {
		v /= pow10[-exp]
	} else {
		v *= pow10[exp]
	}
	if neg {
		v = math.Copysign(v, -1) // also of zero
	}
	return v, true
}

// parseExp parses [+-]digits and returns its value, held within ±10,000, and
// its length. It does not stop at the end of the digits for an error: the
// caller finds what follows.
func parseExp(b []byte) (e, n int, ok bool) {
	neg := false
	if n < len(b) && (b[n] == '+' || b[n] == '-') {
		neg = b[n] == '-'
		n++
	}
	first := n
	for ; n < len(b) && isDigit(b[n]); n++ {
		e = min(e*10+int(b[n]-'0'), 10000)
	}
	if neg {
		e = -e
	}
	return e, n, n > first
}

// maxSeconds is the last second of the year 9999, the last RFC 3339 can write.
const maxSeconds = 253402300799

// parseSeconds parses Unix seconds with an optional fraction and returns them in
// milliseconds, rounded to the nearest. ok is false if b is no number or beyond
// the year 9999 on either side of 1970.
func parseSeconds(b []byte) (ms int64, ok bool) {
	// Plain digits with up to three decimals are all that Prometheus writes.
	var n int64
	i := 0
	for ; i < len(b) && i < 12 && isDigit(b[i]); i++ {
		n = n*10 + int64(b[i]-'0')
	}
	if i > 0 && n <= maxSeconds {
		if i == len(b) {
			return n * 1000, true
		}
		if b[i] == '.' && len(b)-i >= 2 && len(b)-i <= 4 {
			frac := int64(0)
			j := i + 1
			for ; j < len(b) && isDigit(b[j]); j++ {
				frac = frac*10 + int64(b[j]-'0')
			}
			if j == len(b) {
				for ; j-i < 4; j++ {
					frac *= 10
				}
				return n*1000 + frac, true
			}
		}
	}
	v, ok := parseFloat(b)
	if !ok || math.Abs(v) > maxSeconds {
		return 0, false
	}
	return int64(math.Round(v * 1000)), true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
