package detect

import (
	"encoding/csv"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// The largest of the three differences over the usual one, by hand: 28 blocks of one
// point, 16 at 0 and 12 at 6 with a usual difference of 2, are 3 usual ones.
func TestChangeMeasuresStep(t *testing.T) {
	c := newChange(float64(5 * minuteMS))
	if c.per != 1 {
		t.Fatalf("%d points a block, want 1", c.per)
	}
	for range changeBefore {
		c.add(0, 0, 1, 1e-9)
	}
	for i := range 12 {
		c.usual = [changeSpans]float64{2, 2, 2}
		c.n = 1e9 // so that usual hardly moves
		if full := c.add(6, 6, 1, 1e-9); !full {
			t.Fatal("a point of five minutes is a block")
		}
		if i < 11 && c.z != 0 {
			t.Fatalf("a verdict of %v with %d blocks", c.z, c.have)
		}
	}
	closeTo(t, "z", c.z, 3, 1e-6)
	closeTo(t, "raw", c.raw, 3, 1e-6)
	closeTo(t, "step", c.by, 6, 1e-6)
	// One block after the step is at a third of it: 1/3 over 0.7 of the score is left for
	// the spans that hold it; the one of 8 does not reach back to it.
	c.block[(int(c.pos)-10+changeBlocks)%changeBlocks] = 2
	c.look(1, 1e-9)
	if c.z <= 0 || c.z >= c.raw {
		t.Errorf("z is %v of %v with one block that lags", c.z, c.raw)
	}
	// A level that was away and comes back is not a step.
	for i := range c.block {
		c.block[i] -= 6
	}
	c.look(1, 1e-9)
	closeTo(t, "z of a return", c.z, 0, 0)
	if c.raw < 2 {
		t.Errorf("raw is %v, want it to count for the tail", c.raw)
	}
	c.forget()
	c.add(6, 6, 1, 1e-9)
	closeTo(t, "z after forgetting", c.z+c.raw, 0, 0)
}

// A level of a wandering series that is higher for hours is a level shift within the
// half hour, though it stays inside the range of the days before.
func TestLevelShiftInRange(t *testing.T) {
	for name, shape := range map[string]struct {
		minutes int
		found   bool
	}{"ten hours": {600, true}, "nothing": {0, false}} {
		rnd := rand.New(rand.NewPCG(11, 12))
		s := mustNew(t, Options{Step: time.Minute, Budget: 1})
		r := rules.Default(time.Minute, series.SeverityWarning)
		var a rules.Alert
		const days = 15
		wander := 0.0
		at := t0
		begin := t0 + 14*dayMS
		var found []string
		for i := range days * week / 7 {
			at += minuteMS
			wander = 0.999*wander + 0.05*rnd.NormFloat64()
			v := 100 + 20*math.Sin(2*math.Pi*float64(i)/1440) + wander + rnd.NormFloat64()
			if since := (at - begin) / minuteMS; since >= 0 && since < int64(shape.minutes) {
				v += 4
			}
			was := a.Active()
			a = r.Next(a, s.Step(at, v), at)
			if a.Active() && !was && at >= begin {
				found = append(found, a.Finding.Type)
				if d := (at - begin) / minuteMS; d > 30 && len(found) == 1 {
					t.Errorf("%s: found after %d minutes", name, d)
				}
			}
		}
		if got := len(found) > 0; got != shape.found {
			t.Errorf("%s: findings %q", name, found)
		}
		if shape.found && len(found) > 0 && found[0] != series.TypeLevelShift {
			t.Errorf("%s: type %q", name, found[0])
		}
	}
}

// A new level of real requests, three and a half deviations above their mean and with a fifth of their noise, is found
// within 100 minutes at two of three hours of the day at least, as a step or the spike it begins with.
func TestStepOfRequests(t *testing.T) {
	f, err := os.Open("../cmd/upid/testdata/nab/elb_request_count.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	const first, hours, n = 2712, 24, 20
	var y []float64
	for _, row := range rows[1 : first+12*hours+n+1] {
		v, err := strconv.ParseFloat(row[1], 64)
		if row[1] == "" {
			v, err = y[len(y)-1], nil
		}
		if err != nil {
			t.Fatal(err)
		}
		y = append(y, v)
	}
	mean, square := 0.0, 0.0
	for _, v := range y[:first] {
		mean, square = mean+v/first, square+v*v/first
	}
	sd := math.Sqrt(square - mean*mean)
	types, all := map[string]int{}, 0
	for h := range hours {
		begin := first + 12*h
		z := slices.Clone(y[:begin+n])
		for i := begin; i < len(z); i++ {
			z[i] = mean + 3.5*sd + 0.2*z[i]
		}
		if fs, _ := found(t, z, begin); len(fs) > 0 {
			types[fs[0].Type]++
			all++
		}
	}
	if steps := types[series.TypeLevelShift] + types[series.TypeSpike]; steps < hours*2/3 || steps < all {
		t.Errorf("found in %v of %d hours", types, hours)
	}
}
