package forecast

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
)

// FuzzModels feeds any bit pattern as history: an error or finite, ordered
// values, and the same whatever the scratch memory was used for before.
func FuzzModels(f *testing.F) {
	bits := func(v ...float64) []byte {
		var b []byte
		for _, x := range v {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
		return b
	}
	long := make([]float64, 400)
	for i := range long {
		long[i] = daily(i) * pick(i == 77, 1e200, 1)
	}
	f.Add(bits(1, math.NaN(), math.Inf(1), -math.MaxFloat64, math.MaxFloat64, 5e-324), uint8(24), uint8(90))
	f.Add(bits(long...), uint8(48), uint8(95))
	f.Add(bits(long...), uint8(200), uint8(92)) // hours, with a zone
	f.Add(bits(long...), uint8(60), uint8(93))  // 5 minutes, with a zone and events
	f.Add(bits(), uint8(1), uint8(50))
	dates := func(text string) []Dates {
		d, err := ParseDates(text)
		if err != nil {
			f.Fatal(err)
		}
		return []Dates{d}
	}
	calendar := Calendar{Events: []Event{
		{Name: "holiday", Kind: Holiday, Dates: append(dates("1970-01-02"), dates("01-04..01-05")...)},
		{Name: "first", Kind: Special, Dates: append(dates("1970-01-03T10:00..1970-01-03T12:30"), dates("01-08")...)},
		{Name: "never", Kind: Special, Dates: dates("01-12")},
		{Name: "outage", Kind: Exclude, Dates: dates("1970-01-06T22:00..1970-01-07T03:00")},
		{Name: "sunday", Kind: Holiday, Like: time.Wednesday, Dates: append(dates("1970-04-19"), dates("last sunday of april")...)},
	}}
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		f.Skip(err)
	}
	var used Scratch
	f.Fuzz(func(t *testing.T, b []byte, horizon, percent uint8) {
		// From the middle of April the clock of New York is put forward within the history.
		y := series.Series{Start: int64(percent/4%2) * 104 * dayMillis, Step: []int64{hour, minutes5, dayMillis, 7 * hour}[percent%4], Values: make([]float64, min(len(b)/8, 1000))}
		for i := range y.Values {
			y.Values[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		}
		for _, s := range Patterns(y).Seasons {
			if !(s.Strength > 0 && s.Strength <= 1) {
				t.Fatalf("strength %v", s.Strength)
			}
		}
		c := Calendar{}
		if percent%2 == 1 {
			c = calendar
		}
		if percent/8%2 == 1 {
			c.Location = newYork
		}
		for _, name := range Names() {
			model, err := New(name, nil)
			if err != nil {
				t.Fatal(err)
			}
			dst, again := sized(int(horizon), float64(percent)/100), sized(int(horizon), float64(percent)/100)
			err = model.Forecast(dst, y, c, &used)
			if err2 := model.Forecast(again, y, c, new(Scratch)); (err == nil) != (err2 == nil) {
				t.Fatalf("%s: %v, then %v", name, err, err2)
			}
			if err != nil {
				continue
			}
			for k, p := range dst.Point {
				l, u := dst.Lower[k], dst.Upper[k]
				if math.IsNaN(p) || math.IsInf(p, 0) || math.IsInf(l, 0) || math.IsInf(u, 0) || l > p || p > u {
					t.Fatalf("%s, step %d: %v, %v, %v", name, k, l, p, u)
				}
			}
			if said(dst) != said(again) {
				t.Fatalf("%s: the result depends on the memory", name)
			}
			if !(dst.Confidence >= 0 && dst.Confidence <= 1) {
				t.Fatalf("%s: confidence %v", name, dst.Confidence)
			}
		}
	})
}
