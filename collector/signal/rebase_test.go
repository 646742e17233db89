package signal

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// released is a workload that is released every three days, and what tells of it.
type released struct {
	step  int64
	seed  uint64
	value func(rng *rand.Rand, generation int, age, t int64) float64
}

func (w released) at(generation int) int64 {
	return epoch + int64(generation)*3*day + 10*hour + int64(w.seed)*2*hour
}

func (w released) generation(t int64) int {
	n := 0
	for w.at(n+1) <= t {
		n++
	}
	return n
}

var releasedLabels = labels.FromStrings("namespace", "shop", "deployment", "web")

// worlds returns the series and the events; untold, there is one event from the beginning.
func (w released) worlds(told bool) (values, events world) {
	values = world{step: w.step, pods: []pod{{releasedLabels, func(t int64) float64 {
		g := w.generation(t)
		return w.value(rand.New(rand.NewPCG(uint64(t), w.seed)), g, t-w.at(g), t)
	}}}}
	events = world{step: w.step, pods: []pod{{releasedLabels, func(t int64) float64 {
		if !told {
			return 1
		}
		return float64(w.generation(t))
	}}}}
	return values, events
}

func releasedOptions(step int64, typ string) Options {
	o := options()
	o.Forecast, o.Type, o.Step = nil, typ, time.Duration(step)*time.Millisecond
	o.Detect.Options.Step, o.Detect.Rule = o.Step, rules.Default(o.Step, "warning")
	if typ == "performance" {
		o.Detect.Options.Transform, o.Detect.Options.Direction = "sqrt", "up"
	}
	o.Rollouts = &Rollouts{Grace: 10 * time.Minute}
	return o
}

// live fits a unit after eight days and lives on to the 24th; it returns every finding with
// the result it came with.
func (w released) live(t *testing.T, o Options, told bool) map[string]series.Result {
	t.Helper()
	values, events := w.worlds(told)
	u := newUnit(t, o)
	begin := epoch + 8*day
	commit, err := u.Fit(context.Background(), begin, with(values.input(epoch, begin), events))
	if err != nil {
		t.Fatal(err)
	}
	commit()
	found := map[string]series.Result{}
	for end := begin + 30*minute; end <= epoch+24*day; end += 30 * minute {
		rs, err := u.Step(context.Background(), end, with(values.input(u.Position()+w.step, end), events))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range rs[0].Findings {
			r := rs[0]
			r.Findings = []series.Finding{f}
			found[f.ID] = r
		}
	}
	return found
}

// TestRolloutsAreFollowed: what a release changes for good and for no worse is followed
// within its grace without a word, and what it makes worse is an alert with its revision.
func TestRolloutsAreFollowed(t *testing.T) {
	size := func(generation int, most float64) float64 {
		return 1 + most*(2*rand.New(rand.NewPCG(uint64(generation), 4)).Float64()-1)
	}
	wave := func(t int64) float64 { return 1 + 0.4*math.Sin(2*math.Pi*float64(t%day)/float64(day)) }
	latency := func(factor float64) func(rng *rand.Rand, g int, _, t int64) float64 {
		return func(rng *rand.Rand, g int, _, t int64) float64 {
			v := 0.1 * wave(t) * math.Exp(0.08*rng.NormFloat64())
			if factor < 1 { // each is faster than the one before
				return v * math.Pow(factor, float64(g))
			}
			if g%2 == 1 {
				v *= factor
			}
			return v
		}
	}
	cases := []struct {
		name, typ string
		value     func(rng *rand.Rand, generation int, age, t int64) float64
		untold    int // findings at least where nobody tells; 0 is none
		told      int // where it is told
	}{
		{"cpu that starts with a burst and goes on 25 % higher or lower", "resource", func(rng *rand.Rand, g int, age, t int64) float64 {
			v := 4 * wave(t) * size(g, 0.25) * (1 + 0.03*rng.NormFloat64())
			if age < 6*minute && g > 0 {
				v += 1.5
			}
			return v
		}, 4, 0},
		{"memory that fills again for a day", "resource", func(rng *rand.Rand, g int, age, t int64) float64 {
			return 1500 * size(g, 0.03) * (0.75 + 0.35*(1-math.Exp(-float64(age)/float64(day))) + 0.05*wave(t) + 0.004*rng.NormFloat64())
		}, 0, 0}, // it falls back to where it began: nobody need tell
		{"memory that stays 30 % higher or lower", "resource", func(rng *rand.Rand, g int, _, t int64) float64 {
			return 1500 * size(g, 0.3) * (1 + 0.05*wave(t) + 0.004*rng.NormFloat64())
		}, 10, 0},
		{"answers that are faster", "performance", latency(0.7), 0, 0},
		{"answers that take three times as long", "performance", latency(3), 5, 9},
	}
	for _, step := range []int64{5 * minute, minute} {
		for _, c := range cases {
			var untold, told int
			releases := map[[2]int]int{} // findings by seed and generation
			for seed := range uint64(3) {
				w := released{step, seed, c.value}
				o := releasedOptions(step, c.typ)
				untold += len(w.live(t, o, false))
				for _, r := range w.live(t, o, true) {
					told++
					f := r.Findings[0]
					g := w.generation(f.Start)
					at := w.at(g)
					releases[[2]int{int(seed), g}]++
					if c.told == 0 {
						t.Logf("%d min after: %+v", (f.Start-at)/minute, f)
						continue
					}
					if f.Start > at+20*minute {
						t.Errorf("step %d min, %s: it began %d min after the release: %+v", step/minute, c.name, (f.Start-at)/minute, f)
					}
					said := rules.Annotations(rules.SignalInfo{Name: "latency", Type: c.typ, Unit: "s"}, r, f, rules.Context{})
					if !strings.Contains(said["description"], "Regression: it follows the rollout of revision ") {
						t.Errorf("step %d min: %s", step/minute, said["description"])
					}
				}
			}
			t.Logf("step %d min, 15 releases, %s: %d findings where nobody tells, %d where it is told", step/minute, c.name, untold, told)
			if untold < c.untold || c.untold == 0 && untold > 0 || told != c.told {
				t.Errorf("step %d min, %s: %d and %d findings, want at least %d and %d", step/minute, c.name, untold, told, c.untold, c.told)
			}
			for of, n := range releases { // each of them once
				if n != 1 || of[1]%2 == 0 {
					t.Errorf("step %d min, %s: %d findings of release %d of workload %d", step/minute, c.name, n, of[1], of[0])
				}
			}
		}
	}
}

// A fit finds the level that was followed, as one that lived it, in bits or restored.
func TestRebaseIsReplayed(t *testing.T) {
	w := released{5 * minute, 0, func(rng *rand.Rand, g int, _, _ int64) float64 {
		return 100 + 20*float64(g%2) + 2*rng.NormFloat64()
	}}
	values, events := w.worlds(true)
	o := releasedOptions(w.step, "resource")
	fitted := func(end int64) *Unit {
		u := newUnit(t, o)
		commit, err := u.Fit(context.Background(), end, with(values.input(epoch, end), events))
		if err != nil {
			t.Fatal(err)
		}
		commit()
		return u
	}
	lived := fitted(epoch + 2*day)
	for end := lived.Position() + 5*minute; end <= epoch+10*day; end += 5 * minute {
		if _, err := lived.Step(context.Background(), end, with(values.input(end, end), events)); err != nil {
			t.Fatal(err)
		}
		if end%hour == 0 || end >= w.at(1) && end <= w.at(1)+15*minute {
			lived = restored2(t, o, lived)
		}
	}
	whole := fitted(lived.Position())
	if a, b := whole.order[0].append(nil), lived.order[0].append(nil); !bytes.Equal(a, b) {
		t.Error("replayed and lived differ")
	}
	if !whole.order[0].rollout.based || whole.order[0].alert.Active() {
		t.Errorf("%+v", whole.order[0].rollout)
	}
}
