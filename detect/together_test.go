package detect

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/detect/cluster"
	"github.com/upid/upid/rules"
)

// A party is the series of one workload or machine, on one grid.
type party struct {
	step   time.Duration
	start  int64
	warm   int64
	values [][]float64 // by series; NaN = missing
	events [][2]int64  // of any of them
}

// parties groups labelled series by what name says they are about.
func parties(t *testing.T, corpus string) []party {
	t.Helper()
	type one struct {
		about  string
		start  int64
		warm   int64
		values []float64
		events [][2]int64
	}
	var all []one
	var step time.Duration
	if corpus == "cluster" {
		for seed := range uint64(2) {
			step = 5 * time.Minute
			made, err := cluster.Make(cluster.Options{Seed: seed + 1, Step: step, Days: 42, Warm: 14})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range made {
				_, about, ok := strings.Cut(s.Name, "__")
				if !ok || strings.HasPrefix(s.Name, "podmemory") {
					continue
				}
				o := one{about: string(rune('a'+seed)) + about, start: s.Start, warm: made[0].Start + 14*dayMS, values: s.Values, events: nil}
				for _, e := range s.Events {
					o.events = append(o.events, [2]int64{e.Start, e.End})
				}
				all = append(all, o)
			}
		}
	} else {
		dir := filepath.Join(sharedData(t), corpus)
		var meta map[string]struct {
			Step float64 `json:"step_s"`
			Warm float64 `json:"warm_until"`
		}
		var labels map[string][][2]float64
		readJSON(t, filepath.Join(dir, "meta.json"), &meta)
		readJSON(t, filepath.Join(dir, "labels.json"), &labels)
		for name, m := range meta {
			step = time.Duration(m.Step) * time.Second
			about, _, _ := strings.Cut(name, "__")
			o := one{about: about, start: 0, warm: int64(m.Warm * 1000), values: nil, events: nil}
			readPoints(t, filepath.Join(dir, name+".csv.gz"), func(at int64, v float64) {
				if o.values == nil {
					o.start = at
				}
				for o.start+int64(len(o.values))*step.Milliseconds() < at {
					o.values = append(o.values, math.NaN())
				}
				o.values = append(o.values, v)
			})
			for _, e := range labels[name] {
				o.events = append(o.events, [2]int64{int64(e[0] * 1000), int64(e[1] * 1000)})
			}
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b one) int { return strings.Compare(a.about, b.about) })
	var out []party
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].about == all[i].about {
			j++
		}
		if j-i >= 3 {
			p := party{step: step, start: math.MaxInt64, warm: all[i].warm, values: nil, events: nil}
			n := 0
			for _, o := range all[i:j] {
				p.start = min(p.start, o.start)
			}
			for _, o := range all[i:j] {
				n = max(n, int((o.start-p.start)/step.Milliseconds())+len(o.values))
			}
			for _, o := range all[i:j] {
				y := make([]float64, n)
				for k := range y {
					y[k] = math.NaN()
				}
				copy(y[(o.start-p.start)/step.Milliseconds():], o.values)
				p.values = append(p.values, y)
				p.events = append(p.events, o.events...)
			}
			out = append(out, p)
		}
		i = j
	}
	return out
}

// combine is a score of several series together from what each says, those that are there.
type combine func(scores []series.Score) float64

// met counts events that were found and false alerts.
type met struct{ hits, events, wrong int }

func (m met) f1() float64 { return 2 * float64(m.hits) / float64(m.hits+m.wrong+m.events) }

// A way is one way to look at the series of a party together, calibrated by a tail of its
// own like any view: an alert takes above times the level.
type way struct {
	name  string
	f     combine
	above float64

	tail   tail
	alert  rules.Alert
	starts []int64
}

// judgeTogether counts the alerts of the series of a party, those that begin within an hour
// of one another as one, alone, and with those of each way where no series has had a
// finding for half an hour.
func judgeTogether(t *testing.T, p party, ways []*way) (alone met, with []met) {
	t.Helper()
	o := Options{Step: p.step, Budget: 1}
	scorers := make([]Scorer, len(p.values))
	alerts := make([]rules.Alert, len(p.values))
	for i := range scorers {
		scorers[i] = mustNew(t, o)
	}
	rule := rules.Default(p.step, series.SeverityWarning)
	for _, w := range ways {
		w.tail, w.alert, w.starts = tail{level: unknownLevel}, rules.Alert{}, nil
	}
	perDay := int(dayMS / p.step.Milliseconds())
	rate := perBudget / (7 * float64(perDay))
	var starts []int64
	quiet := int64(math.MinInt64)
	for k := range p.values[0] {
		at := p.start + int64(k)*p.step.Milliseconds()
		var scores []series.Score
		for i, y := range p.values {
			s := scorers[i].Step(at, y[k])
			was := alerts[i].Active()
			alerts[i] = rule.Next(alerts[i], s, at)
			if alerts[i].Active() {
				quiet = at
			}
			if alerts[i].Active() && !was && at >= p.warm {
				starts = append(starts, at)
			}
			if !math.IsNaN(s.Value) && !math.IsNaN(s.Observed) {
				scores = append(scores, s)
			}
		}
		if len(scores) < 2 {
			continue
		}
		for _, w := range ways {
			v := w.f(scores)
			was := w.alert.Active()
			w.alert = rule.Next(w.alert, series.Score{Observed: v, Value: v / w.tail.level / w.above}, at)
			if w.alert.Active() && !was && at >= p.warm && at-quiet > 30*60_000 {
				w.starts = append(w.starts, at)
			}
			w.tail.add(min(v, tailClip*w.tail.level))
			if k%perDay == 0 {
				w.tail.decay(tailFade)
			}
			if q, ok := w.tail.quantile(rate); ok && k%20 == 0 && k > 200 {
				w.tail.level = q
			}
		}
	}
	count := func(starts []int64) met {
		tol := max(3*p.step.Milliseconds(), 600_000)
		events := slices.DeleteFunc(joined(p.events, tol), func(e [2]int64) bool { return e[1] < p.warm })
		hit := make([]bool, len(events))
		out := met{hits: 0, events: len(events), wrong: 0}
		slices.Sort(starts)
		last := int64(math.MinInt64)
		for _, at := range starts {
			real := false
			for i, e := range events {
				if at >= e[0]-tol && at <= e[1]+tol {
					real, hit[i] = true, true
				}
			}
			if !real && (last == math.MinInt64 || at-last > hourMS) {
				out.wrong++
			}
			last = at
		}
		for _, h := range hit {
			if h {
				out.hits++
			}
		}
		return out
	}
	for _, w := range ways {
		with = append(with, count(append(w.starts, starts...)))
	}
	return count(starts), with
}

// TestTogether measures whether a score of all series of a workload finds what none of
// them does alone: on the machines of two labelled corpora and the services of two simulated
// clusters. What it prints is in DESIGN.md. UPID_ABLATION=1 runs it.
func TestTogether(t *testing.T) {
	if os.Getenv("UPID_ABLATION") == "" {
		t.Skip("set UPID_ABLATION=1")
	}
	norm := func(scores []series.Score) float64 {
		sum := 0.0
		for _, s := range scores {
			sum += min(s.Value, 2) * min(s.Value, 2)
		}
		return 4 * math.Sqrt(sum/float64(len(scores)))
	}
	top := func(scores []series.Score) float64 {
		x := make([]float64, 0, len(scores))
		for _, s := range scores {
			x = append(x, min(s.Value, 2))
		}
		slices.Sort(x)
		n := min(3, len(x))
		sum := 0.0
		for _, v := range x[len(x)-n:] {
			sum += v
		}
		return 4 * sum / float64(n)
	}
	surprise := func(scores []series.Score) float64 { // Fisher's method with exponential tails, per root of the series
		sum := 0.0
		for _, s := range scores {
			sum += max(5*min(s.Value, 2)-1, 0)
		}
		return sum / math.Sqrt(float64(len(scores)))
	}
	var ways []*way
	for _, above := range []float64{margin, 1, 0.8} {
		for _, w := range []way{{name: "root of the mean square", f: norm}, {name: "mean of the three highest", f: top}, {name: "sum of surprise", f: surprise}} {
			w.above = above
			ways = append(ways, &w)
		}
	}
	for _, corpus := range []string{"asd", "cluster", "smd"} {
		all := parties(t, corpus)
		var alone met
		with := make([]met, len(ways))
		add := func(to *met, j met) {
			to.hits, to.events, to.wrong = to.hits+j.hits, to.events+j.events, to.wrong+j.wrong
		}
		for _, p := range all {
			a, b := judgeTogether(t, p, ways)
			add(&alone, a)
			for i := range ways {
				add(&with[i], b[i])
			}
		}
		t.Logf("%s, %d workloads: alone %d of %d, %d false, F1 %.3f", corpus, len(all), alone.hits, alone.events, alone.wrong, alone.f1())
		for i, w := range ways {
			t.Logf("   %s above %.2f levels: %d, %d false, F1 %.3f", w.name, w.above, with[i].hits, with[i].wrong, with[i].f1())
		}
	}
}
