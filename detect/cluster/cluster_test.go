package cluster

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func made(t testing.TB, o Options) []Series {
	t.Helper()
	all, err := Make(o)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// short is enough for every part of the cluster and some of what breaks.
var short = Options{Seed: 3, Step: 5 * time.Minute, Days: 21, Warm: 8}

func TestSameSeedSameSeries(t *testing.T) {
	a, b := made(t, short), made(t, short)
	other := short
	other.Seed = 4
	c := made(t, other)
	differ := 0
	for i := range a {
		if a[i].Name != b[i].Name || a[i].Start != b[i].Start || !slices.Equal(a[i].Events, b[i].Events) || len(a[i].Values) != len(b[i].Values) {
			t.Fatalf("%s and %s", a[i].Name, b[i].Name)
		}
		for k, v := range a[i].Values {
			if math.Float64bits(v) != math.Float64bits(b[i].Values[k]) {
				t.Fatalf("%s: %v and %v at %d", a[i].Name, v, b[i].Values[k], k)
			}
		}
		if j := slices.IndexFunc(c, func(s Series) bool { return s.Name == a[i].Name }); j < 0 || !slices.Equal(a[i].Values, c[j].Values) {
			differ++
		}
	}
	if differ < len(a)*8/10 {
		t.Errorf("another seed changes only %d of %d series", differ, len(a))
	}
}

// TestSeries holds what every series must be, at both steps.
func TestSeries(t *testing.T) {
	for _, step := range []time.Duration{time.Minute, 5 * time.Minute} {
		o := short
		if step == time.Minute {
			o.Step, o.Days, o.Warm = step, 8, 2
		}
		all := made(t, o)
		if len(all) < 120 {
			t.Errorf("%d series, want 120 and more", len(all))
		}
		warm := int64(o.Warm) * dayMinutes * minuteMS
		start := all[0].Start
		names, kinds := map[string]bool{}, map[Kind]int{}
		for i := range all {
			s := &all[i]
			if names[s.Name] || strings.ContainsAny(s.Name, "/ ,") {
				t.Errorf("name %q", s.Name)
			}
			names[s.Name] = true
			n := len(s.Values)
			if math.IsNaN(s.Values[0]) || math.IsNaN(s.Values[n-1]) || s.Step != step.Milliseconds() || (s.Start-start)%s.Step != 0 {
				t.Errorf("%s begins at %d with %v and ends with %v", s.Name, s.Start, s.Values[0], s.Values[n-1])
			}
			for k, v := range s.Values {
				if math.IsInf(v, 0) || v < 0 {
					t.Fatalf("%s: %v at %d", s.Name, v, k)
				}
			}
			for _, e := range s.Events {
				kinds[e.Kind]++
				if e.Start < s.Start || e.Start > s.Start+int64(n-1)*s.Step {
					t.Errorf("%s: event %+v before it begins or after it ends", s.Name, e)
				}
				if e.Start < start+warm || e.End < e.Start || e.End >= start+int64(o.Days)*dayMinutes*minuteMS || !(e.Size > 0) {
					t.Errorf("%s: event %+v", s.Name, e)
				}
			}
			if s.Kind == "limit" || s.Kind == "certificate" || s.Kind == "flag" {
				if len(s.Events) > 0 {
					t.Errorf("%s: events %v in what no fault reaches", s.Name, s.Events)
				}
			}
		}
		if len(kinds) < 8 {
			t.Errorf("only %v at steps of %s", kinds, step)
		}
	}
}

// Nothing is labelled where nothing breaks, and what breaks changes the series
// nowhere before.
func TestLabelsAreDifferences(t *testing.T) {
	calm := newWorld(withStart(short), nil)
	calm.run()
	for _, s := range calm.label(calm, nil) {
		if len(s.Events) > 0 {
			t.Errorf("%s: %v", s.Name, s.Events)
		}
	}
	faults := plan(calm)
	w := newWorld(withStart(short), faults)
	w.run()
	first := w.minutes
	for _, f := range faults {
		first = min(first, f.start)
	}
	for i, tr := range w.tracks {
		c := calm.tracks[i]
		for k := range min(first/w.per, len(c.values)) {
			if math.Float64bits(tr.values[k]) != math.Float64bits(c.values[k]) {
				t.Fatalf("%s differs at %d, before anything broke", tr.name, k)
			}
		}
	}
	// Every fault of a kind that hits measurements is labelled with its own length.
	labelled := w.label(calm, faults)
	for _, f := range faults {
		if f.kind != Missing {
			continue
		}
		found := slices.ContainsFunc(labelled, func(s Series) bool {
			return slices.ContainsFunc(s.Events, func(e Event) bool {
				at := e.Start - w.o.Start.UnixMilli()
				return e.Kind == Missing && math.Abs(float64(at-int64(f.start)*minuteMS)) <= float64(2*short.Step.Milliseconds())
			})
		})
		if !found {
			t.Errorf("%s at minute %d: nothing labelled", f.on, f.start)
		}
	}
}

func withStart(o Options) Options {
	o.Start = date(3, 2)
	return o
}

// TestOrdinaryLife looks for what a cluster does all day.
func TestOrdinaryLife(t *testing.T) {
	o := withStart(Options{Seed: 7, Step: time.Minute, Days: 36, Warm: 35})
	all := made(t, o)
	get := func(name string) []float64 {
		t.Helper()
		i := slices.IndexFunc(all, func(s Series) bool { return s.Name == name })
		if i < 0 {
			t.Fatalf("no %s", name)
		}
		pad := make([]float64, (all[i].Start-o.Start.UnixMilli())/minuteMS)
		return append(pad, all[i].Values...)
	}
	mean := func(y []float64, from, to int) float64 {
		sum, n := 0.0, 0.0
		for _, v := range y[from:to] {
			if !math.IsNaN(v) {
				sum, n = sum+v, n+1
			}
		}
		return sum / n
	}
	hour := func(y []float64, day, h int) float64 { return mean(y, day*dayMinutes+h*60, day*dayMinutes+h*60+60) }
	logins := get("requests__login")
	if hour(logins, 2, 12) < 1.8*hour(logins, 5, 12) || hour(logins, 2, 12) < 4*hour(logins, 2, 3) {
		t.Errorf("log-ins: %v on Wednesday, %v on Saturday, %v at night", hour(logins, 2, 12), hour(logins, 5, 12), hour(logins, 2, 3))
	}
	billing := get("requests__billing") // the last of March is a Tuesday, day 29
	if hour(billing, 29, 12) < 1.5*hour(billing, 22, 12) {
		t.Errorf("billing: %v at the end of the month, %v a week before", hour(billing, 29, 12), hour(billing, 22, 12))
	}
	write := get("nodewrite__node1")
	if slices.Max(write[dayMinutes:dayMinutes*2]) < 10*hour(write, 1, 12) {
		t.Error("no backup at night")
	}
	falls := func(y []float64, share float64) (n int) {
		for i := 1; i < len(y); i++ {
			if y[i] < y[i-1]*(1-share) {
				n++
			}
		}
		return n
	}
	if n := falls(get("memory__checkout"), 0.1); n < 200 {
		t.Errorf("a garbage collector ran %d times", n)
	}
	if n := falls(get("nodedisk__node2"), 0.01); n < 25 {
		t.Errorf("logs were rotated %d times", n)
	}
	if n := falls(get("jobage__report"), 0.9); n < 33 || n > 37 {
		t.Errorf("the report ran %d times", n)
	}
	replicas := get("replicas__frontend")
	low, high := math.Inf(1), 0.0
	for _, v := range replicas {
		if !math.IsNaN(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	if low < 3 || high <= low || high > 10 {
		t.Errorf("%v to %v frontends", low, high)
	}
	pods, gaps, long := 0, 0, 0
	for i := range all {
		s := &all[i]
		if s.Kind == "podmemory" && s.Start > o.Start.UnixMilli() {
			pods++
		}
		if s.Kind == "requests" {
			run := 0
			for _, v := range s.Values {
				if math.IsNaN(v) {
					run++
					continue
				}
				if run > 0 {
					gaps++
				}
				if run > 3 {
					long++
				}
				run = 0
			}
		}
	}
	if pods < 6 || gaps < 100 || long > gaps/20 {
		t.Errorf("%d pods came later; %d gaps, %d of them long", pods, gaps, long)
	}
	rare := get("restarts__catalog")
	sum := 0.0
	for _, v := range rare {
		if !math.IsNaN(v) {
			sum += v
		}
	}
	if sum < 1 || sum > 60 {
		t.Errorf("%v restarts in five weeks", sum)
	}
}

func TestOptions(t *testing.T) {
	f := func(o Options, want string) {
		t.Helper()
		if _, err := Make(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
	f(Options{Step: 30 * time.Second, Days: 2}, "step is 30s")
	f(Options{Step: 7 * time.Minute, Days: 2}, "step is 7m")
	f(Options{Step: 2 * time.Hour, Days: 2}, "step is 2h")
	f(Options{Step: time.Minute, Days: 2, Warm: 2}, "warm-up")
	f(Options{Step: time.Minute, Days: 367}, "366 days")
}

func TestCount(t *testing.T) {
	src := newSource(1, "test")
	for _, mean := range []float64{0.02, 0.7, 8, 59, 61, 4000} {
		sum, n := 0.0, 20_000
		for i := range n {
			k := count(mean, src.at(i))
			if k < 0 || k != math.Trunc(k) {
				t.Fatalf("%v events", k)
			}
			sum += k
		}
		// The standard error of the mean is √(mean/n).
		if got := sum / float64(n); math.Abs(got-mean) > 4*math.Sqrt(mean/float64(n)) {
			t.Errorf("mean %v, want %v", got, mean)
		}
	}
	if count(0, src.at(1)) != 0 || count(-1, src.at(1)) != 0 || count(math.NaN(), src.at(1)) != 0 {
		t.Error("something of nothing")
	}
}
