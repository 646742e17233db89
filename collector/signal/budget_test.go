package signal

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/detect"
	"github.com/upid/upid/rules"
)

// crowd is many ordinary series of different kinds, each a workload of its own,
// with what incident adds to the first.
func crowd(n int, incident func(t int64) float64) world {
	w := world{step: 5 * minute}
	for i := range n {
		seed := uint64(i)
		rng := func(t int64) *rand.Rand { return rand.New(rand.NewPCG(uint64(t), seed)) }
		wave := func(t int64) float64 {
			return 100 + 40*math.Sin(2*math.Pi*float64(t+int64(i)*hour)/float64(day))
		}
		value := []func(t int64) float64{
			func(t int64) float64 { return 50 + rng(t).NormFloat64() },
			func(t int64) float64 { return wave(t) + 3*rng(t).NormFloat64() },
			func(t int64) float64 { return wave(t) * math.Exp(0.1*rng(t).NormFloat64()) },
			func(t int64) float64 { return math.Exp(0.5 * rng(t).NormFloat64()) },
			func(t int64) float64 { return rng(t).ExpFloat64() },
		}[i%5]
		if i == 0 {
			ordinary := value
			value = func(t int64) float64 { return ordinary(t) + incident(t) }
		}
		w.pods = append(w.pods, pod{labels.FromStrings("namespace", "shop", "workload", fmt.Sprintf("w%03d", i)), value})
	}
	return w
}

func scoredOnly(budget string) Options {
	o := options()
	b, err := rules.ParseBudget(budget)
	if err != nil {
		panic(err)
	}
	o.Forecast = nil
	o.Detect = &Detect{
		Options: detect.Options{Step: o.Step, Budget: b.PerWeek()}, Rule: rules.Default(o.Step, series.SeverityWarning), Budget: b,
	}
	return o
}

// TestBudgetOfManySeries: 100 ordinary series of one signal keep to its budget
// together, over three weeks after the first fit, and a real incident in one of them
// gets through at once.
func TestBudgetOfManySeries(t *testing.T) {
	if testing.Short() {
		t.Skip("replays 100 series over five weeks")
	}
	const weeks = 3
	f := epoch + 14*day
	begin := f + weeks*7*day + 3*hour
	for _, budget := range []string{"1/day", "1/week", "2/month"} {
		o := scoredOnly(budget)
		u := newUnit(t, o)
		w := crowd(100, func(at int64) float64 {
			if at >= begin {
				return 12
			}
			return 0
		})
		commit, err := u.Fit(context.Background(), f, w.input(epoch, f))
		if err != nil {
			t.Fatal(err)
		}
		commit()
		raised := 0
		for d := range int64(weeks * 7) {
			step(t, u, w, f+(d+1)*day)
			raised += len(u.groups(u.order, f+d*day, f+(d+1)*day))
		}
		allowed := o.Detect.Budget.PerWeek() * weeks
		t.Logf("budget %s: %d alert groups in %d weeks, %.1f allowed, boundary %.2f", budget, raised, weeks, allowed, u.control.Boundary())
		if float64(raised) > 1.2*allowed {
			t.Errorf("budget %s: %d alert groups, want at most 1.2 × %.1f", budget, raised, allowed)
		}
		rs := step(t, u, w, begin+15*minute)
		open := 0
		for i, r := range rs {
			for _, x := range r.Findings {
				if x.Open() && i == 0 && x.Start == begin {
					open++
				}
			}
		}
		if open != 1 {
			t.Errorf("budget %s: 12 σ for 15 minutes did not get through a boundary of %.2f: %+v", budget, u.control.Boundary(), rs[0].Score)
		}
	}
}

// A fit replays the controller as the steps lived through it: two units that were
// fitted at one time, one going on step by step and one in one go, or restored in
// between, are the same, boundary included.
func TestControllerIsReplayed(t *testing.T) {
	f := epoch + 3*day
	w := crowd(40, func(int64) float64 { return 0 })
	o := scoredOnly("1/month")
	fitted := func() *Unit {
		u := newUnit(t, o)
		fit(t, u, w, f)
		return u
	}
	a, b := fitted(), fitted()
	start := a.control
	for at := f + 5*minute; at <= f+3*day; at += 5 * minute * 7 {
		step(t, a, w, at)
		if at%(day/2) < 35*minute {
			a = restored2(t, o, a)
		}
	}
	step(t, b, w, a.Position())
	if !bytes.Equal(snapshot(t, a), snapshot(t, b)) {
		t.Errorf("boundaries %v and %v: the states differ", a.control, b.control)
	}
	if a.control == start {
		t.Error("the controller did not move: the test shows little")
	}
	// And a fit over the same stretch from empty state agrees with one that lived it.
	whole := newUnit(t, o)
	begin := epoch + 20*day
	commit, err := whole.Fit(context.Background(), 0, w.input(begin, begin+5*day))
	if err != nil {
		t.Fatal(err)
	}
	commit()
	lived := newUnit(t, o)
	commit, err = lived.Fit(context.Background(), 0, w.input(begin, begin+day))
	if err != nil {
		t.Fatal(err)
	}
	commit()
	step(t, lived, w, begin+5*day)
	if whole.control != lived.control {
		t.Errorf("replayed %v, lived %v", whole.control, lived.control)
	}
}

func restored2(t *testing.T, o Options, u *Unit) *Unit {
	t.Helper()
	n := newUnit(t, o)
	if err := n.Restore(bytes.NewReader(snapshot(t, u))); err != nil {
		t.Fatal(err)
	}
	return n
}

// A single series has its own tail and nothing else, as upid detect has.
func TestOneSeriesIsNotControlled(t *testing.T) {
	u := newUnit(t, scoredOnly("1/week"))
	f := epoch + 10*day
	bad := func(at int64) float64 {
		if at%(day/3) < 20*minute {
			return daily(at) + 20
		}
		return daily(at)
	}
	fit(t, u, single(bad), f)
	step(t, u, single(bad), f+2*day)
	if u.control.Boundary() != 1 {
		t.Errorf("boundary %v, want 1", u.control.Boundary())
	}
}

// TestGroupIDs: what the pods of one deployment open together has one group, which
// others join and nobody changes; what comes later, or is another workload's, has not.
func TestGroupIDs(t *testing.T) {
	f := epoch + 30*day
	at := func(step int64) func(int64) float64 { return incident(f+step*5*minute, f+3*hour) }
	w := world{step: 5 * minute, pods: []pod{
		{labels.FromStrings("namespace", "shop", "pod", "web-0"), at(24)},
		{labels.FromStrings("namespace", "shop", "pod", "web-1"), at(24)},
		{labels.FromStrings("namespace", "shop", "pod", "web-2"), at(25)},
		{labels.FromStrings("namespace", "shop", "pod", "web-3"), at(30)},
		{labels.FromStrings("namespace", "shop", "pod", "api-0"), at(24)},
	}}
	u := newUnit(t, options())
	fit(t, u, w, f)
	group := func(end int64) map[string]string {
		out := map[string]string{}
		for _, r := range step(t, u, w, end) {
			for _, x := range r.Findings {
				out[r.Labels.Get("pod")] = x.Group
			}
		}
		return out
	}
	first := group(f + 24*5*minute)
	if g := first["web-0"]; len(g) != 16 || first["web-1"] != g || first["api-0"] != "" || len(first) != 3 {
		t.Fatalf("%v: want one group of web-0 and web-1, none of the only api pod", first)
	}
	later := group(f + 31*5*minute)
	if later["web-0"] != first["web-0"] || later["web-1"] != first["web-0"] || later["web-2"] != first["web-0"] {
		t.Errorf("%v: want web-2 in the group %s", later, first["web-0"])
	}
	if g := later["web-3"]; len(g) != 16 || g == first["web-0"] {
		t.Errorf("%v: web-3 came half an hour later, want another group", later)
	}
}
