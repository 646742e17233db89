package forecast

import (
	"math"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
)

func berlin(t *testing.T) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	return loc
}

// A load that follows the clock on the wall is forecast by it through both changes
// of 2026, whether they lie in the history or ahead.
func TestDaylightSaving(t *testing.T) {
	loc := berlin(t)
	value := func(at time.Time) float64 {
		return 100 + 50*math.Sin(2*math.Pi*float64(at.In(loc).Hour())/24)
	}
	for _, name := range []string{"auto", "hour_of_day_median", "seasonal_naive"} {
		model := mustNew(t, name)
		for _, start := range []string{"2026-03-03", "2026-03-25", "2026-02-25", "2026-09-29", "2026-10-20", "2026-06-01"} {
			from, err := time.Parse(time.DateOnly, start)
			if err != nil {
				t.Fatal(err)
			}
			y := series.Series{Start: from.UnixMilli(), Step: hour, Values: make([]float64, 28*24)}
			for i := range y.Values {
				y.Values[i] = value(time.UnixMilli(y.At(i)))
			}
			dst := sized(7*24, 0.9)
			if err := model.Forecast(dst, y, Calendar{Location: loc}, new(Scratch)); err != nil {
				t.Fatal(err)
			}
			if dst.Start != y.End() || dst.Step != hour || len(dst.Point) != 7*24 {
				t.Fatalf("%s from %s: start %d", name, start, dst.Start)
			}
			for k, p := range dst.Point {
				// The hour that comes twice or not at all may be off: its neighbours are known.
				if want := value(time.UnixMilli(dst.Start + int64(k)*hour)); math.Abs(p-want) > 14 {
					t.Errorf("%s from %s, step %d: %v, want %v", name, start, k, p, want)
				}
			}
		}
	}
}

// Without a change of the clock a zone changes nothing, and costs no memory.
func TestZoneWithoutChange(t *testing.T) {
	loc := berlin(t)
	model := mustNew(t, "auto")
	y := hourly(28*24, daily)
	var s Scratch
	plain, zoned := sized(48, 0.9), sized(48, 0.9)
	if err := model.Forecast(plain, y, Calendar{}, &s); err != nil {
		t.Fatal(err)
	}
	allocs := testing.AllocsPerRun(3, func() {
		if err := model.Forecast(zoned, y, Calendar{Location: loc}, &s); err != nil {
			t.Fatal(err)
		}
	})
	for k, p := range plain.Point {
		closeTo(t, zoned.Point[k], p, 0)
	}
	if allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestWallClock(t *testing.T) {
	loc := berlin(t)
	// 2026-03-29 01:00 UTC is 02:00, which becomes 03:00; 2026-10-25 01:00 UTC is 03:00, which becomes 02:00.
	spring := newWallClock(loc, time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC).UnixMilli(), hour)
	if a, b := spring.index(1), spring.index(2); a != 1 || b != 3 {
		t.Errorf("spring: %d, %d, want 1, 3", a, b)
	}
	autumn := newWallClock(loc, time.Date(2026, 10, 24, 23, 0, 0, 0, time.UTC).UnixMilli(), hour)
	if a, b := autumn.index(1), autumn.index(2); a != 1 || b != 1 {
		t.Errorf("autumn: %d, %d, want 1, 1", a, b)
	}
	if !spring.changes(24) || spring.changes(2) {
		t.Error("changes")
	}
	if odd := newWallClock(loc, time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC).UnixMilli(), 25*hour); odd.changes(10) {
		t.Error("an hour is no whole number of steps of 25 h")
	}
}
