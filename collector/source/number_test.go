package source

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

func checkFloat(t *testing.T, s string) {
	t.Helper()
	got, ok := parseFloat([]byte(s))
	want, err := strconv.ParseFloat(s, 64)
	if ok != (err == nil) || ok && math.Float64bits(got) != math.Float64bits(want) {
		t.Fatalf("parseFloat(%q) = %v (%x) %v, strconv %v (%x) %v", s, got, math.Float64bits(got), ok, want, math.Float64bits(want), err)
	}
}

func TestParseFloat_likeStrconv(t *testing.T) {
	for _, s := range []string{
		"0", "-0", "+1", "1.", ".5", "00012", "1e5", "1E+5", "1e-5", "9007199254740991", "9007199254740992", "9007199254740993",
		"0.30000000000000004", "1e22", "1e23", "123456789012345678901234567890", "1e308", "1e309", "-1e309", "4.9e-324", "1e-400",
		"2.2250738585072011e-308", "179769313486231580793728971405301e277", "0e99999999999", "1e99999999999", "0.000000000000000000000001",
		"", "-", "+", ".", "e5", "1e", "1e+", "1.5.5", "1 ", " 1", "--1", "1e5.5", "12a",
	} {
		checkFloat(t, s)
	}
	// What strconv takes and we do not.
	for _, s := range []string{"NaN", "Inf", "-Inf", "+inf", "infinity", "0x1p-2", "1_000"} {
		if v, ok := parseFloat([]byte(s)); ok {
			t.Errorf("parseFloat(%q) = %v, want it refused", s, v)
		}
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 40_000 {
		v := math.Float64frombits(rng.Uint64())
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		checkFloat(t, strconv.FormatFloat(v, "efg"[rng.IntN(3)], rng.IntN(25)-1, 64))
		// Short decimals, as metrics have them: the fast path.
		checkFloat(t, strconv.FormatFloat(float64(rng.Int64N(1<<50))/math.Pow10(rng.IntN(10)), 'f', -1, 64))
		checkFloat(t, strconv.FormatUint(rng.Uint64N(1<<54), 10)+"e"+strconv.Itoa(rng.IntN(50)-25))
	}
}

func FuzzParseFloat(f *testing.F) {
	for _, s := range []string{"1.5", "-1e-7", "0.1", "123456789.123456789e22"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseFloat([]byte(s))
		want, err := strconv.ParseFloat(s, 64)
		if ok && (err != nil || math.Float64bits(got) != math.Float64bits(want)) {
			t.Fatalf("parseFloat(%q) = %v, strconv %v %v", s, got, want, err)
		}
	})
}

func TestParseFloat_noGarbage(t *testing.T) {
	for _, s := range []string{"1.5", "0.30000000000000004", "-1.7976931348623157e+308"} {
		b := []byte(s)
		if n := testing.AllocsPerRun(100, func() { parseFloat(b) }); n != 0 {
			t.Errorf("parseFloat(%q) allocates %v times", s, n)
		}
	}
}

func TestParseSeconds(t *testing.T) {
	f := func(s string, want int64, ok bool) {
		t.Helper()
		if got, gotOK := parseSeconds([]byte(s)); got != want || gotOK != ok {
			t.Errorf("parseSeconds(%q) = %d, %v, want %d, %v", s, got, gotOK, want, ok)
		}
	}
	f("0", 0, true)
	f("1435781430", 1435781430000, true)
	f("1435781430.7", 1435781430700, true)
	f("1435781430.78", 1435781430780, true)
	f("1435781430.781", 1435781430781, true)
	f("1435781430.7814", 1435781430781, true)
	f("1435781430.7816", 1435781430782, true)
	f("-1.5", -1500, true)
	f("1.5e3", 1500000, true)
	f("253402300799", 253402300799000, true)
	f("253402300800", 0, false)
	f("1767225600000", 0, false)
	f("1.", 1000, true)
	f("1.x", 0, false)
	f("", 0, false)
	f("NaN", 0, false)
}
