package signal

import (
	"context"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// shapes are what replicas measure, by age in ms and time.
var shapes = map[string]func(rng *rand.Rand, weight float64, age, t int64) float64{
	"cpu": func(rng *rand.Rand, weight float64, age, t int64) float64 {
		v := weight * (1 + 0.5*math.Sin(2*math.Pi*float64(t%day)/float64(day))) * (1 + 0.06*rng.NormFloat64())
		if age < 5*minute {
			v += 2
		}
		return v
	},
	"memory": func(rng *rand.Rand, weight float64, age, t int64) float64 {
		return 300 * weight * (0.75 + 0.35*(1-math.Exp(-float64(age)/float64(day))) + 0.1*math.Sin(2*math.Pi*float64(t%day)/float64(day)) + 0.004*rng.NormFloat64())
	},
	"latency": func(rng *rand.Rand, _ float64, age, t int64) float64 {
		return 0.1 * (1 + 0.4*math.Sin(2*math.Pi*float64(t%day)/float64(day))) * (1 + 0.5*math.Exp(-float64(age)/float64(5*minute))) * math.Exp(0.12*rng.NormFloat64())
	},
}

// generations is a workload in which a pod of another name is born every nine hours, in eight of
// them at every third hour of the day, and lives for so long; odd adds to a value of the pod that is born k-th.
func generations(shape, label string, stepMS, lives, end int64, odd func(k int, age int64, v float64) float64) world {
	w := world{step: stepMS}
	for k := 0; ; k++ {
		born := bornAt(k)
		if born >= end {
			return w
		}
		name := "web-" + nameOf(k)
		weight := 0.95 + 0.1*rand.New(rand.NewPCG(uint64(k), 9)).Float64()
		w.pods = append(w.pods, pod{labels.FromStrings("namespace", "shop", label, name), func(t int64) float64 {
			if t < born || t >= born+lives {
				return math.NaN()
			}
			v := shapes[shape](rand.New(rand.NewPCG(uint64(t), uint64(k))), weight, t-born, t)
			if odd != nil {
				v = odd(k, t-born, v)
			}
			return v
		}})
	}
}

// bornAt is when the k-th pod of generations is born.
func bornAt(k int) int64 { return epoch + int64(k-4)*9*hour }

func nameOf(k int) string {
	return [...]string{"7d9f8b6c5d-", "6b5c4d7f88-"}[k/4%2] + suffixOf(k)
}

// suffixOf writes k in the alphabet of Kubernetes' suffixes.
func suffixOf(k int) string {
	const alphabet = "bcdfghjklmnpqrstvwxz2456789"
	b := []byte("bbbbb")
	for i := 4; k > 0; i-- {
		b[i] = alphabet[k%len(alphabet)]
		k /= len(alphabet)
	}
	return string(b)
}

// TestNewborns: a pod that is born into a known workload, at whatever hour, is silent for its first week while it is
// well, and found when it is not, 40 minutes after it began: with what its predecessors taught, and less
// confidence than in an old one.
func TestNewborns(t *testing.T) {
	const fitted, lived = 5 * day, 12 * day
	const from, to = 40 * minute, 100 * minute // of the faulty ones' life
	births := map[string]int64{}
	for k := 0; bornAt(k) < epoch+fitted+lived; k++ {
		births["web-"+nameOf(k)] = bornAt(k)
	}
	for _, step := range []int64{5 * minute, minute} {
		for shape := range shapes {
			run := func(lives int64, odd func(k int, age int64, v float64) float64) map[string]series.Finding {
				o := options()
				o.Forecast = nil
				o.Step = time.Duration(step) * time.Millisecond
				o.Detect.Options.Step, o.Detect.Rule = o.Step, rules.Default(o.Step, "warning")
				w := generations(shape, "pod", step, lives, epoch+fitted+lived, odd)
				u := newUnit(t, o)
				fit(t, u, w, epoch+fitted)
				found := map[string]series.Finding{}
				for end := epoch + fitted + 30*minute; end <= epoch+fitted+lived; end += 30 * minute {
					rs, err := u.Step(context.Background(), end, w.input(u.Position()+step, end))
					if err != nil {
						t.Fatal(err)
					}
					for _, r := range rs {
						for _, f := range r.Findings {
							if f.Start-births[r.Labels.Get("pod")] < 7*day { // how they began is the matter here
								found[r.Labels.Get("pod")+" "+f.ID] = f
							}
						}
					}
				}
				return found
			}
			// Those that live for long stand beside the faulty ones below.
			if quiet := run(36*hour, nil); len(quiet) > 0 {
				t.Errorf("step %d min, %s: nothing is wrong: %+v", step/minute, shape, quiet)
			}
			// Every third one, at each hour that pods are born.
			bad := func(k int) bool { return bornAt(k) > epoch+fitted && k%3 == 0 }
			odd := func(k int, age int64, v float64) float64 {
				if bad(k) && age >= from && age < to {
					return 3 * v
				}
				return v
			}
			want, hours := map[string]int64{}, map[int64]bool{}
			for k := 0; bornAt(k)+to < epoch+fitted+lived; k++ {
				if bad(k) {
					want["web-"+nameOf(k)] = bornAt(k) + from
					hours[bornAt(k)%day] = true
				}
			}
			if len(hours) < 8 {
				t.Fatalf("pods are born at %d times of day: the test shows little", len(hours))
			}
			faults := maps.Clone(want)
			for id, f := range run(8*day, odd) {
				pod := strings.Fields(id)[0]
				at, ok := faults[pod]
				switch {
				case ok && f.Start >= at+to-from && f.Start <= at+to-from+15*minute: // back from three times as much, at once
				case ok && f.Start >= at && f.Start <= at+15*minute:
					delete(want, pod)
					// The largest share of real findings of a mean is 0.88; at that age it counts age/(age + 30 min).
					if most := 0.88 * float64(to) / float64(to+30*minute); !(f.Confidence > 0.2 && f.Confidence <= most) {
						t.Errorf("step %d min, %s: %s: %+v", step/minute, shape, pod, f)
					}
				default: // a healthy one, or a fault told twice
					t.Errorf("step %d min, %s: %s at an age of %d min: %+v", step/minute, shape, pod, (f.Start-births[pod])/minute, f)
				}
			}
			if len(want) > 0 {
				t.Errorf("step %d min, %s: not found: %v", step/minute, shape, want)
			}
		}
	}
}

// A newcomer inherits from none, one of another kind, one that has known too little, or
// replicas that are never alike.
func TestDonor(t *testing.T) {
	at := epoch + 5*day
	wave := func(size float64, seed uint64) func(int64) float64 {
		return func(t int64) float64 {
			return size * (10 + math.Sin(2*math.Pi*float64(t%day)/float64(day)) + 0.3*rand.New(rand.NewPCG(uint64(t), seed)).NormFloat64())
		}
	}
	from := func(born int64, f func(int64) float64) func(int64) float64 {
		return func(t int64) float64 {
			if t < born {
				return math.NaN()
			}
			return f(t)
		}
	}
	l := labels.FromStrings
	f := func(name string, want bool, pods ...pod) {
		t.Helper()
		w := world{step: 5 * minute, pods: append(pods, pod{l("job", "other"), wave(1, 9)})}
		o := options()
		o.Forecast = nil
		u := newUnit(t, o)
		fit(t, u, w, at-30*minute)
		step(t, u, w, at+20*minute)
		s := u.states[string(key(pods[0].labels, nil))]
		if s.newborn.young != want {
			t.Errorf("%s: watched %t, want %t", name, s.newborn.young, want)
		}
		rs := step(t, u, w, at+30*minute)
		if s.newborn.young || s.newborn.inherited() != want {
			t.Errorf("%s: after half an hour %+v, want it to inherit: %t", name, s.newborn, want)
		}
		for _, r := range rs {
			if labels.Equal(r.Labels, pods[0].labels) && (r.Score.Value >= 0) != want {
				t.Errorf("%s: score %+v", name, r.Score)
			}
		}
	}
	newcomer := pod{l("pod", "web-9"), from(at, wave(1, 1))}
	f("none", false, newcomer)
	f("one of the workload", true, newcomer, pod{l("pod", "web-1"), wave(1, 2)})
	f("another revision", true, pod{l("deployment", "web", "pod", "web-9", "version", "2"), from(at, wave(1, 1))}, pod{l("deployment", "web", "pod", "web-1", "version", "1"), wave(1, 2)})
	f("another workload", false, newcomer, pod{l("pod", "api-1"), wave(1, 2)})
	f("one that is young itself", false, newcomer, pod{l("pod", "web-1"), from(at-5*hour, wave(1, 2))})
	f("one that ended", true, newcomer, pod{l("pod", "web-1"), func(t int64) float64 {
		if t >= at-2*hour {
			return math.NaN()
		}
		return wave(1, 2)(t)
	}})
	f("shards", false, newcomer, pod{l("pod", "web-1"), wave(1, 2)}, pod{l("pod", "web-2"), wave(5, 3)}, pod{l("pod", "web-3"), wave(0.1, 4)}, pod{l("pod", "web-4"), wave(3, 5)})
	f("a target among like ones", true, pod{l("job", "x", "instance", "9"), from(at, wave(1, 1))}, pod{l("job", "x", "instance", "1"), wave(1, 2)}, pod{l("job", "x", "instance", "2"), wave(1, 3)}, pod{l("job", "x", "instance", "3"), wave(1, 4)})
	f("a target beside one", false, pod{l("job", "x", "instance", "9"), from(at, wave(1, 1))}, pod{l("job", "x", "instance", "1"), wave(1, 2)})
}
