package capacity

import (
	"math"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/upid/upid/collector/series"
)

const gib = 1 << 30

// memory is a pod's memory every five minutes.
func memory(v []float64) series.Series { return series.Series{Start: 0, Step: 300_000, Values: v} }

// foundAt returns the hour at which a leak that begins at hour from is found, -1 if never.
func foundAt(v []float64, from int) int {
	for h := from + 2; h <= len(v)/12; h++ {
		if LeakOf(memory(v[:h*12]), gib).Known() {
			return h
		}
	}
	return -1
}

// TestLeakOnNoisyPods looks for leaks of 12 MB/h in pods of 1 GiB with days, teeth, bursts and
// noise that wanders (see pod): of those that have run for four days before and
// take 40 hours and more to the limit, about 95 % are found at least 24 hours before the end. Seeds
// 1 to 3 chose the constants; these are others. 140 pods: within 3.5 points, so 90 % is asked for.
func TestLeakOnNoisyPods(t *testing.T) {
	rng := rand.New(rand.NewPCG(101, 1))
	found, all := 0, 0
	for range 150 {
		from := 96 + rng.IntN(168)
		v := pod(rng, 400, from, 0.5)
		end := len(v) / 12
		if end-from < 40 {
			continue
		}
		all++
		if at := foundAt(v, from); at >= 0 && end-at >= 24 {
			found++
		}
	}
	t.Logf("%d of %d leaks found 24 h before the end or earlier", found, all)
	if float64(found) < 0.9*float64(all) {
		t.Errorf("%d of %d leaks found 24 h before the end, want 90 %%", found, all)
	}
}

// TestNoLeakAlarms asks every hour of a week whether pods leak that do not: half are
// restarted and warm up, a third have steps, and half are young and begin with the week. 60 pods; UPID_LEAK_WEEKS says
// how many more, and then at most one in 1,000 pod-weeks is wrong.
func TestNoLeakAlarms(t *testing.T) {
	pods := 60
	if os.Getenv("UPID_LEAK_WEEKS") != "" {
		pods = 2000
	}
	var alarms atomic.Int64
	var wg sync.WaitGroup
	for half := range 2 {
		wg.Go(func() {
			for k := half; k < pods; k += 2 {
				rng := rand.New(rand.NewPCG(205, uint64(k)))
				weeks := 3
				if k%4 < 2 {
					weeks = 1
				}
				v := pod(rng, 168*weeks, -1, 1)
				on := false
				for h := 168*(weeks-1) + 1; h <= 168*weeks; h++ {
					l := LeakOf(memory(v[max(0, h-336)*12:h*12]), gib)
					if l.Known() && !on {
						alarms.Add(1)
						t.Logf("pod %d, hour %d: %+v", k, h, l)
					}
					on = l.Known()
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d false alarms in %d pod-weeks", alarms.Load(), pods)
	if most := max(1, pods/1000); alarms.Load() > int64(most) {
		t.Errorf("%d false alarms in %d pod-weeks, want at most %d", alarms.Load(), pods, most)
	}
}

func TestLeakExact(t *testing.T) {
	// 5 days flat at 400 MiB with a small ripple, then 10 MiB an hour for 30 hours.
	v := make([]float64, 150*12)
	for i := range v {
		h := float64(i) / 12
		v[i] = (400 + 2*math.Sin(float64(i)) + 10*max(0, h-120)) * mib
	}
	l := LeakOf(memory(v), gib)
	if !l.Known() {
		t.Fatal(l.Reason)
	}
	if math.Abs(l.Rate/mib-10) > 0.5 {
		t.Errorf("rate %.2f MiB/h, want 10", l.Rate/mib)
	}
	// (1024 − 700) / 10 h
	if want := 32.4 * 3600; math.Abs(l.Median-want) > 0.1*want || !(l.Lower <= l.Median && l.Median <= l.Upper) {
		t.Errorf("%.0f s (%.0f to %.0f) to the limit, want %.0f", l.Median, l.Lower, l.Upper, want)
	}
}

func TestNoLeak(t *testing.T) {
	f := func(name, reason string, limit float64, at func(h float64) float64) {
		t.Helper()
		v := make([]float64, 168*12)
		for i := range v {
			v[i] = at(float64(i)/12) * mib
		}
		if l := LeakOf(memory(v), limit); l.Known() || l.Reason != reason {
			t.Errorf("%s: %+v, want %q", name, l, reason)
		}
	}
	f("flat", ReasonNoLeak, gib, func(float64) float64 { return 400 })
	f("a day", ReasonNoLeak, gib, func(h float64) float64 { return 400 + 100*math.Sin(h*math.Pi/12) })
	f("a step", ReasonNoLeak, gib, func(h float64) float64 {
		if h > 150 {
			return 600
		}
		return 400
	})
	f("warming up", ReasonNoLeak, gib, func(h float64) float64 { return 600 - 300*math.Exp(-max(0, h-140)/6) })
	f("teeth", ReasonNoLeak, gib, func(h float64) float64 { return 300 + 400*math.Mod(h, 9)/9 })
	f("too slow to matter", ReasonNoLeak, 100*gib, func(h float64) float64 { return 400 + h })
	f("no limit", ReasonLimit, math.NaN(), func(h float64) float64 { return 400 + h })
	f("nothing", ReasonShort, gib, func(float64) float64 { return math.NaN() })
	if l := LeakOf(series.Series{Start: 0, Step: 300_000, Values: nil}, gib); l.Known() {
		t.Error("nothing leaks")
	}
}

func BenchmarkLeak(b *testing.B) {
	v := pod(rand.New(rand.NewPCG(1, 1)), 336, 280, 0.5)
	b.ReportAllocs()
	for b.Loop() {
		LeakOf(memory(v), gib)
	}
}
