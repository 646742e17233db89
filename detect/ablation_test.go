package detect

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/detect/cluster"
	"github.com/upid/upid/rules"
)

// labelled is one series with its labels, in milliseconds.
type labelled struct {
	step   time.Duration
	warm   int64
	times  []int64
	values []float64
	events [][2]int64
}

// TestAblation prints what event F1, recall and false alarms become without each
// view, on all labelled series and on a simulated cluster. It takes minutes and holds
// nothing but that the whole finds more than its parts alone: UPID_ABLATION=1 runs it.
func TestAblation(t *testing.T) {
	if os.Getenv("UPID_ABLATION") == "" {
		t.Skip("set UPID_ABLATION=1")
	}
	corpora := map[string][]labelled{"cluster": simulatedSeries(t)}
	if dir, ok := labelledFolder(); ok {
		for _, name := range []string{"aiops", "asd", "inject", "msft", "nab", "smd", "wsd"} {
			corpora[name] = labelledSeries(t, filepath.Join(dir, name))
		}
	} else {
		t.Log("no labelled real series: the simulated cluster alone")
	}
	window := func(i int) uint32 { return 1<<(windowUp+2*i) | 1<<(windowDown+2*i) }
	t.Logf("%-28s %8s %8s %8s %10s   %8s %8s %10s", "without", "real F1", "recall", "prec.", "false/wk", "cluster", "recall", "false/wk")
	for _, a := range []struct {
		name string
		off  uint32
	}{
		{"nothing: the whole", 0},
		{"residual", 1<<residualUp | 1<<residualDown},
		{"window of 10 minutes", window(0)},
		{"window of 6 hours", window(1)},
		{"both windows", window(0) | window(1)},
		{"steps of the level", 1<<changeUp | 1<<changeDown},
		{"variance", 1 << variance},
		{"joint", 1 << joint},
		{"flatline", 1 << flatline},
		{"missing", 1 << missing},
	} {
		var f1, recall, precision, wrong float64
		var sim tally
		n := 0.0
		for name, all := range corpora {
			s := replayAll(t, all, a.off)
			if name == "cluster" {
				sim = s
				continue
			}
			n++
			f1, recall, precision, wrong = f1+s.f1(), recall+s.recall(), precision+s.precision(), wrong+float64(s.wrong)/s.weeks
		}
		t.Logf("%-28s %8.3f %8.3f %8.3f %10.3f   %8.3f %8.3f %10.3f", a.name, f1/n, recall/n, precision/n, wrong/n, sim.f1(), sim.recall(), float64(sim.wrong)/sim.weeks)
		if sim.events == 0 {
			t.Error("no events")
		}
	}
}

// TestSimulatedClusters prints event F1, recall and false alarms of simulated clusters at steps of
// five minutes: UPID_SEEDS="101 102 103 104" runs it, and it holds that something is found.
func TestSimulatedClusters(t *testing.T) {
	seeds := strings.Fields(os.Getenv("UPID_SEEDS"))
	if len(seeds) == 0 {
		t.Skip(`set UPID_SEEDS="101 102 103 104"`)
	}
	var sum tally
	for _, text := range seeds {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		s := replayAll(t, clusterSeries(t, cluster.Options{Seed: seed, Step: 5 * time.Minute, Days: 42, Warm: 14}), 0)
		t.Logf("seed %d: F1 %.3f, recall %.3f, false a week %.3f", seed, s.f1(), s.recall(), float64(s.wrong)/s.weeks)
		sum = tally{sum.hits + s.hits, sum.events + s.events, sum.wrong + s.wrong, sum.weeks + s.weeks}
	}
	t.Logf("together: F1 %.3f, recall %.3f, false a week %.3f", sum.f1(), sum.recall(), float64(sum.wrong)/sum.weeks)
	if sum.hits == 0 {
		t.Error("nothing is found")
	}
}

// tally is what was found of several series.
type tally struct {
	hits, events, wrong int
	weeks               float64
}

func (s tally) recall() float64 { return float64(s.hits) / float64(s.events) }

func (s tally) precision() float64 { return float64(s.hits) / max(1, float64(s.hits+s.wrong)) }

func (s tally) f1() float64 { return 2 * float64(s.hits) / float64(s.hits+s.wrong+s.events) }

func replayAll(t *testing.T, all []labelled, off uint32) tally {
	t.Helper()
	var sum tally
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, 2)
	for i := range all {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			s := replay(&all[i], off)
			mu.Lock()
			defer mu.Unlock()
			sum = tally{sum.hits + s.hits, sum.events + s.events, sum.wrong + s.wrong, sum.weeks + s.weeks}
		})
	}
	wg.Wait()
	return sum
}

// replay scores one series with some views off; a hit starts within an event or three
// steps, at least ten minutes, around it.
func replay(l *labelled, off uint32) tally {
	o, err := Options{Step: l.step, Budget: 1}.complete()
	if err != nil {
		panic(err)
	}
	s := makeStream(o)
	s.off = off
	r := rules.Default(l.step, series.SeverityWarning)
	var a rules.Alert
	tol := max(3*l.step.Milliseconds(), 600_000)
	events := joined(l.events, tol)
	events = slices.DeleteFunc(events, func(e [2]int64) bool { return e[1] < l.warm })
	hit := make([]bool, len(events))
	res := tally{events: len(events), hits: 0, wrong: 0, weeks: float64(l.times[len(l.times)-1]-max(l.times[0], l.warm)) / (7 * float64(dayMS))}
	end := int64(math.MinInt64)
	feed := func(at int64, v float64) {
		was := a.Active()
		a = r.Next(a, s.Step(at, v), at)
		if !a.Active() || at < l.warm {
			return
		}
		begins := (!was || end == math.MinInt64) && (end == math.MinInt64 || at-end > tol)
		end = at
		if !begins {
			return
		}
		real := false
		for i, e := range events {
			if at >= e[0]-tol && at <= e[1]+tol {
				real, hit[i] = true, true
			}
		}
		if !real {
			res.wrong++
		}
	}
	for i, at := range l.times {
		if i > 0 {
			for g := range Gaps(l.times[i-1], at, l.step.Milliseconds()) {
				feed(g, math.NaN())
			}
		}
		feed(at, l.values[i])
	}
	for _, h := range hit {
		if h {
			res.hits++
		}
	}
	return res
}

func joined(all [][2]int64, gap int64) [][2]int64 {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b [2]int64) int { return int(a[0]-b[0]) / 1000 })
	var out [][2]int64
	for _, e := range all {
		if n := len(out); n > 0 && e[0]-out[n-1][1] <= gap {
			out[n-1][1] = max(out[n-1][1], e[1])
		} else {
			out = append(out, e)
		}
	}
	return out
}

func simulatedSeries(t *testing.T) []labelled {
	t.Helper()
	return clusterSeries(t, cluster.Options{Seed: 1, Step: 5 * time.Minute, Days: 42, Warm: 14})
}

func clusterSeries(t *testing.T, o cluster.Options) []labelled {
	t.Helper()
	made, err := cluster.Make(o)
	if err != nil {
		t.Fatal(err)
	}
	var all []labelled
	for _, s := range made {
		l := labelled{step: o.Step, warm: made[0].Start + int64(o.Warm)*dayMS}
		for i, v := range s.Values {
			if !math.IsNaN(v) {
				l.times, l.values = append(l.times, s.Start+int64(i)*s.Step), append(l.values, v)
			}
		}
		for _, e := range s.Events {
			l.events = append(l.events, [2]int64{e.Start, e.End})
		}
		all = append(all, l)
	}
	return all
}

func labelledSeries(t *testing.T, dir string) []labelled {
	t.Helper()
	var meta map[string]struct {
		Step float64 `json:"step_s"`
		Warm float64 `json:"warm_until"`
	}
	var labels map[string][][2]float64
	readJSON(t, filepath.Join(dir, "meta.json"), &meta)
	readJSON(t, filepath.Join(dir, "labels.json"), &labels)
	var all []labelled
	for name, m := range meta {
		l := labelled{step: time.Duration(m.Step) * time.Second, warm: int64(m.Warm * 1000)}
		readPoints(t, filepath.Join(dir, name+".csv.gz"), func(at int64, v float64) {
			l.times, l.values = append(l.times, at), append(l.values, v)
		})
		for _, e := range labels[name] {
			l.events = append(l.events, [2]int64{int64(e[0] * 1000), int64(e[1] * 1000)})
		}
		all = append(all, l)
	}
	return all
}
