package detect

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// replicas is a made workload: pods that come and go, with one way to make values.
type replicas struct {
	name  string
	least int
	most  int                                                        // scaled with the day
	days  int                                                        // between two releases; 0: none
	value func(rng *rand.Rand, p *replica, i int, n int) float64     // of an ordinary point
	fault func(rng *rand.Rand, v float64, p *replica, k int) float64 // k-th point of a fault; nil: 1.6 times as much
}

// replica is one pod of it.
type replica struct {
	Peer
	from, to int     // points at which it is there
	weight   float64 // of its share
	wander   float64
	heap     float64
	first    bool // the leader
	step     float64
	bad      []span2
	a        rules.Alert
}

type span2 struct{ from, to int }

// at5 makes functions of the point at any step: the time of day in [0, 1).
func (p *replica) day(i int) float64 { return math.Mod(float64(i)*p.step/float64(dayMS), 1) }

func (p *replica) stray(rng *rand.Rand, size, hours float64) float64 {
	g := p.step / (hours * float64(hourMS))
	p.wander += -g*p.wander + size*math.Sqrt(2*g)*rng.NormFloat64()
	return p.wander
}

func busy(day float64) float64 { return 1 + 0.5*math.Sin(2*math.Pi*day) }

func poissonOf(rng *rand.Rand, mean float64) float64 {
	n, p := 0, rng.Float64()
	for limit := math.Exp(-mean); p > limit; n++ {
		p *= rng.Float64()
	}
	return float64(n)
}

// workloads are the kinds of replicas there are in clusters.
var workloads = []replicas{
	{"cpu", 3, 8, 4, func(rng *rand.Rand, p *replica, i, n int) float64 {
		v := busy(p.day(i)) * 4 / float64(n) * p.weight * (1 + p.stray(rng, 0.05, 1) + 0.03*rng.NormFloat64())
		if (i-p.from)*int(p.step) < 3*60_000 {
			v++
		}
		return max(v, 0)
	}, nil},
	{"latency", 4, 10, 6, func(rng *rand.Rand, p *replica, i, n int) float64 {
		cold := 1 + 0.4*math.Exp(-float64(i-p.from)*p.step/(5*60_000))
		return 0.1 * busy(p.day(i)) * cold * math.Exp(p.stray(rng, 0.08, 0.5)+0.1*rng.NormFloat64())
	}, nil},
	{"memory that fills", 5, 5, 5, func(rng *rand.Rand, p *replica, i, n int) float64 {
		age := float64(i-p.from) * p.step / float64(dayMS)
		return 300 * p.weight * (0.75 + 0.35*(1-math.Exp(-age)) + 0.1*busy(p.day(i)) + 0.004*rng.NormFloat64())
	}, func(_ *rand.Rand, v float64, p *replica, k int) float64 {
		return v * (1.15 + 0.5*min(float64(k)*p.step/float64(hourMS), 1))
	}},
	{"memory collected", 3, 6, 7, func(rng *rand.Rand, p *replica, i, n int) float64 {
		p.heap += 0.08 * (p.step / 60_000 / 5) * (0.8 + 0.4*rng.Float64()) * busy(p.day(i))
		if p.heap > 1 {
			p.heap = 0.3
		}
		return 500 * p.weight * (0.6 + 0.6*p.heap)
	}, func(_ *rand.Rand, v float64, _ *replica, _ int) float64 { return 2.2 * v }},
	{"errors", 4, 8, 5, func(rng *rand.Rand, p *replica, i, n int) float64 {
		return poissonOf(rng, 0.2*busy(p.day(i)))
	}, func(rng *rand.Rand, v float64, _ *replica, _ int) float64 { return v + poissonOf(rng, 8) }},
	{"requests", 3, 10, 4, func(rng *rand.Rand, p *replica, i, n int) float64 {
		return poissonOf(rng, 200*busy(p.day(i))/float64(n)*p.weight)
	}, func(_ *rand.Rand, v float64, _ *replica, _ int) float64 { return 0.3 * v }},
	{"a leader", 3, 3, 9, func(rng *rand.Rand, p *replica, i, n int) float64 {
		v := 1 + 0.1*busy(p.day(i)) + 0.05*rng.NormFloat64()
		if p.first {
			v += 3
		}
		return v
	}, func(_ *rand.Rand, v float64, p *replica, _ int) float64 { return v + 5 }},
	{"shards", 4, 4, 0, func(rng *rand.Rand, p *replica, i, n int) float64 {
		return 10 * math.Exp(2*math.Log(p.weight)*20+p.stray(rng, 0.7, 3)+0.1*rng.NormFloat64())
	}, nil},
	{"wild", 4, 6, 7, func(rng *rand.Rand, p *replica, i, n int) float64 {
		return 10 * math.Exp(p.stray(rng, 0.4, 3)+0.1*rng.NormFloat64())
	}, nil},
	{"equal", 3, 5, 6, func(*rand.Rand, *replica, int, int) float64 { return 7 }, nil},
}

// outcome of a replay, in alerts and pod-weeks.
type outcome struct {
	faults, found, falseAlarms, findings, early int
	weeks                                       float64
	bands                                       [len(confidenceBands)]counted
}

// play runs a workload for so many weeks after one to learn from, and judges every replica by
// the comparison alone. faulty of its pods a week are unlike the others for two hours.
func (w *replicas) play(t *testing.T, o Options, seed uint64, weeks int, faulty float64) outcome {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 77))
	step := float64(o.Step.Milliseconds())
	day := int(float64(dayMS) / step)
	group, err := NewPeers(o)
	if err != nil {
		t.Fatal(err)
	}
	rule := rules.Default(o.Step, series.SeverityWarning)
	var pods []*replica
	add := func(i int) {
		pods = append(pods, &replica{from: i, to: math.MaxInt, weight: 0.95 + 0.1*rng.Float64(), heap: rng.Float64(), step: step, first: len(pods) == 0})
	}
	for range w.least {
		add(0)
	}
	var out outcome
	tol := max(3, int(10*60_000/step))
	release := w.days * day
	replace := 0
	for i := range (weeks + 1) * 7 * day {
		alive := pods[:0:0]
		for _, p := range pods {
			if i < p.to {
				alive = append(alive, p)
			}
		}
		if w.days > 0 && i == release+day*10/24 {
			replace, release = len(alive), release+w.days*day
		}
		want := w.least + int(math.Round(float64(w.most-w.least)*(busy(math.Mod(float64(i)/float64(day), 1))-0.5)))
		switch per := max(1, int(2*60_000/step)); {
		case replace > 0 && i%per == 0:
			replace--
			alive[0].to = i + 1 // the oldest goes
			add(i)
			pods[len(pods)-1].first = alive[0].first
		case replace > 0:
		case len(alive) < want && i%per == 0:
			add(i)
		case len(alive) > want && i%(3*per) == 0 && !alive[len(alive)-1].first:
			alive[len(alive)-1].to = i + 1
		}
		if i > 7*day && len(alive) >= leastPeers && rng.Float64() < faulty/float64(7*day) {
			p := alive[rng.IntN(len(alive))]
			n := 2 * int(float64(hourMS)/step)
			if i-p.from > day/4 && p.to > i+n && (len(p.bad) == 0 || p.bad[len(p.bad)-1].to+day < i) {
				p.bad = append(p.bad, span2{i, i + n})
			}
		}
		x, peers, look := make([]float64, len(pods)), make([]*Peer, len(pods)), make([]Unlike, len(pods))
		for j, p := range pods {
			peers[j], x[j] = &p.Peer, math.NaN()
			if i >= p.from && i < p.to {
				x[j] = w.value(rng, p, i, len(alive))
				if n := len(p.bad); n > 0 && i >= p.bad[n-1].from && i < p.bad[n-1].to {
					fault := w.fault
					if fault == nil {
						fault = func(_ *rand.Rand, v float64, _ *replica, _ int) float64 { return 1.6 * v }
					}
					x[j] = fault(rng, x[j], p, i-p.bad[n-1].from)
				}
			}
		}
		at := t0 + int64(float64(i)*step)
		group.Compare(at, peers, x, look)
		for j, p := range pods {
			if math.IsNaN(x[j]) {
				continue
			}
			if i > 7*day {
				out.weeks += 1 / float64(7*day)
			}
			was := p.a.Active()
			p.a = rule.Next(p.a, look[j].Judge(o, series.Score{Observed: x[j], Value: 0}), at)
			if !p.a.Active() || was || i <= 7*day {
				if p.a.Active() && !was {
					out.early++
				}
				continue
			}
			out.findings++
			real := 0.0
			if n := len(p.bad); n > 0 && i >= p.bad[n-1].from-tol && i <= p.bad[n-1].to+tol {
				out.found++
				real = 1
			} else {
				out.falseAlarms++
			}
			b := &out.bands[confidentBand(p.a.Finding.Peak)]
			b.real += real
			b.all++
		}
		if i%day == 0 { // what is gone for a day is forgotten
			kept := pods[:0]
			for _, p := range pods {
				if p.to > i-day {
					kept = append(kept, p)
				} else {
					out.faults += len(p.bad)
				}
			}
			pods = kept
		}
	}
	for _, p := range pods {
		out.faults += len(p.bad)
	}
	return out
}

// TestPeersOnWorkloads: replicas that are unlike the others are found in workloads whose
// pods come and go, and where nothing is wrong the alerts keep to the budget: one a
// week of each workload is allowed. The share of findings that are real is what
// peersShare says.
func TestPeersOnWorkloads(t *testing.T) {
	const budget = 1
	// Faults of those are to be found, at least that share of them.
	recall := map[string]float64{"cpu": 0.9, "memory that fills": 0.9, "errors": 0.85, "a leader": 0.6, "memory collected": 0.4}
	var bands [len(confidenceBands)]counted
	for _, step := range []time.Duration{5 * time.Minute, time.Minute} {
		weeks, seeds := 6, uint64(3)
		if step < 5*time.Minute {
			weeks, seeds = 2, 2
		}
		o := Options{Step: step, Budget: budget}
		all := 0
		for _, w := range workloads {
			var quiet, bad outcome
			for seed := range seeds {
				q := w.play(t, o, seed, weeks, 0)
				quiet.falseAlarms += q.falseAlarms
				b := w.play(t, o, 100+seed, weeks, 2)
				bad.faults += b.faults
				bad.found += b.found
				bad.falseAlarms += b.falseAlarms
				seldom := w.play(t, o, 200+seed, weeks, 0.5)
				for i, c := range seldom.bands {
					bands[i].real += c.real
					bands[i].all += c.all
				}
			}
			of := float64(weeks * int(seeds))
			t.Logf("%v %-18s quiet: %d in %.0f group-weeks; %d of %d found, %d false", step, w.name, quiet.falseAlarms, of, bad.found, bad.faults, bad.falseAlarms)
			all += quiet.falseAlarms
			if float64(quiet.falseAlarms) > 1.2*budget*of {
				t.Errorf("%v %s: %d alerts in %.0f quiet weeks", step, w.name, quiet.falseAlarms, of)
			}
			if want := recall[w.name]; step == 5*time.Minute && float64(bad.found) < want*float64(bad.faults) {
				t.Errorf("%v %s: %d of %d found, want %.2f of them", step, w.name, bad.found, bad.faults, want)
			}
			if w.name == "equal" && quiet.falseAlarms+bad.found+bad.falseAlarms > 0 {
				t.Errorf("%v: values that are always equal are not compared", step)
			}
		}
		if weeks := float64(weeks * int(seeds) * len(workloads)); float64(all) > 0.2*budget*weeks {
			t.Errorf("%v: %d alerts in %.0f quiet group-weeks, far from the fifteenth of the budget that is usual", step, all, weeks)
		}
	}
	for i, c := range bands {
		t.Logf("score from %v: %v of %v real, %.2f said", confidenceBands[i], c.real, c.all, peersShare[i].share())
		if c.all >= 10 && math.Abs(c.share()-peersShare[i].share()) > 0.1 {
			t.Errorf("score from %v: %.2f were real, %.2f is said", confidenceBands[i], c.share(), peersShare[i].share())
		}
	}
}

// group is some replicas of which each has a value of its own making.
type group struct {
	*Peers
	of  []*Peer
	x   []float64
	out []Unlike
	at  int64
}

func newGroup(t *testing.T, o Options, n int) *group {
	t.Helper()
	p, err := NewPeers(o)
	if err != nil {
		t.Fatal(err)
	}
	g := &group{Peers: p, at: t0}
	for range n {
		g.join()
	}
	return g
}

func (g *group) join() int {
	g.of, g.x, g.out = append(g.of, new(Peer)), append(g.x, math.NaN()), append(g.out, Unlike{})
	return len(g.of) - 1
}

func (g *group) run(points int, value func(i int) float64) {
	for range points {
		for i := range g.x {
			g.x[i] = value(i)
		}
		g.Compare(g.at, g.of, g.x, g.out)
		g.at += g.o.Step.Milliseconds()
	}
}

func (g *group) judge(i int) series.Score {
	return g.out[i].Judge(g.o, series.Score{Observed: g.x[i], Value: 0.1, Expected: 1})
}

func noisy(rng *rand.Rand) func(int) float64 {
	return func(int) float64 { return 100 + 5*rng.NormFloat64() }
}

func TestPeersJudge(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	ordinary := noisy(rng)
	odd := func(to float64) func(int) float64 {
		return func(i int) float64 {
			if i == 2 {
				return to
			}
			return ordinary(i)
		}
	}
	f := func(name string, o Options, to float64, wantOdd bool) {
		t.Helper()
		o.Step, o.Budget = time.Minute, 1
		g := newGroup(t, o, 5)
		g.run(1440, ordinary)
		if s := g.judge(2); s.Value >= 1 || s.Type != "" {
			t.Fatalf("%s: before: %+v", name, s)
		}
		g.run(2, odd(to))
		if s := g.judge(2); s.Value >= 1 {
			t.Errorf("%s: after two points %+v", name, s)
		}
		g.run(15, odd(to))
		s := g.judge(2)
		if (s.Value >= 1) != wantOdd {
			t.Fatalf("%s: %+v of %+v", name, s, g.out[2])
		}
		if other := g.judge(1); other.Value >= 1 {
			t.Errorf("%s: an ordinary one: %+v", name, other)
		}
		if !wantOdd {
			return
		}
		w := s.Why
		if s.Type != series.TypeOutlier || w.View != series.ViewPeers || w.Peers != 4 || math.Abs(w.Usual-100) > 8 || math.Abs(w.Deviation-(to-w.Usual)) > 1e-9 || math.Abs(w.Value/w.Limit-s.Value) > 1e-9 || !(s.Confidence > 0.4) || w.Days < 7 {
			t.Errorf("%s: %+v", name, s)
		}
		g.run(1, ordinary)
		if s := g.judge(2); s.Value >= 1 {
			t.Errorf("%s: back with the others, %+v", name, s)
		}
	}
	f("up", Options{}, 160, true)
	f("down", Options{}, 40, true)
	f("up, watched for drops", Options{Direction: Down}, 160, false)
	f("down, watched for rises", Options{Direction: Up}, 40, false)
	f("too small", Options{MinDeviation: 70}, 160, false)
	f("too small a share", Options{MinRelative: 0.8}, 160, false)
	f("the root", Options{Transform: Sqrt}, 160, true)
	f("a few percent", Options{}, 107, false)
}

// What all do together sets none apart.
func TestPeersTogether(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	g := newGroup(t, Options{Step: time.Minute, Budget: 1}, 4)
	g.run(1440, noisy(rng))
	g.run(60, func(i int) float64 { return 4 * noisy(rng)(i) })
	for i := range g.of {
		if s := g.judge(i); s.Value >= 1 {
			t.Errorf("%d: %+v", i, s)
		}
	}
}

// A newcomer is compared with those of its age, when there are two, from half an hour
// on, and known history is not needed for it. Its own scorer may know nothing yet.
func TestPeersNewcomers(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	g := newGroup(t, Options{Step: time.Minute, Budget: 1}, 4)
	g.run(2*1440, noisy(rng))
	for range 4 { // a rollout: four new ones in place of the old, the third of them bad
		g.join()
	}
	value := func(i int) float64 {
		switch v := noisy(rng)(i); {
		case i < 4:
			return math.NaN()
		case i == 6:
			return 2 * v
		default:
			return v
		}
	}
	g.run(30, value)
	for i := range g.of {
		if g.out[i].Peers != 0 {
			t.Errorf("%d is compared in its first half hour: %+v", i, g.out[i])
		}
	}
	g.run(10, value)
	s := g.out[6].Judge(g.o, unknown(g.x[6]))
	if s.Value < 1 || s.Type != series.TypeOutlier || math.Abs(s.Expected-100) > 10 || s.Why.Peers != 3 {
		t.Errorf("a bad newcomer after 40 minutes: %+v", s)
	}
	if s := g.out[5].Judge(g.o, unknown(g.x[5])); !(s.Value < 1) || s.Type != "" {
		t.Errorf("a good one: %+v", s)
	}
}

// Below three, and in the first hour, nothing is said.
func TestPeersAreFew(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	g := newGroup(t, Options{Step: time.Minute, Budget: 1}, 3)
	g.run(59, noisy(rng))
	if g.out[0].Peers != 0 {
		t.Errorf("after 59 points: %+v", g.out[0])
	}
	g.run(120, noisy(rng))
	if g.out[0].Peers != 2 {
		t.Errorf("after 179 points: %+v", g.out[0])
	}
	g.run(10, func(i int) float64 {
		if i == 1 {
			return math.NaN()
		}
		return noisy(rng)(i) * float64(1+i)
	})
	if g.out[0].Peers != 0 || g.out[2].Peers != 0 {
		t.Errorf("two of three: %+v", g.out)
	}
	if s := g.judge(1); s.Value != 0.1 {
		t.Errorf("one that is not there: %+v", s)
	}
}

// The state goes on where it was, byte by byte, and is refused when it is cut or
// changed; hostile values leave it finite.
func TestPeersState(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	o := Options{Step: time.Minute, Budget: 1}
	a := newGroup(t, o, 5)
	hostile := []float64{0, 1e300, -1e300, math.Inf(1), math.NaN(), 5e-324, 1e-300, 42}
	a.run(700, func(int) float64 {
		if rng.IntN(9) == 0 {
			return hostile[rng.IntN(len(hostile))]
		}
		return noisy(rng)(0)
	})
	b := newGroup(t, o, 5)
	b.at = a.at
	reload := func(from interface{ AppendState([]byte) []byte }, to interface{ LoadState([]byte) error }) {
		t.Helper()
		state := from.AppendState(nil)
		if err := to.LoadState(state); err != nil {
			t.Fatal(err)
		}
		for n := range state {
			if to.LoadState(state[:n]) == nil {
				t.Fatalf("%d of %d bytes were taken", n, len(state))
			}
			bad := bytes.Clone(state)
			bad[n] ^= 4
			if to.LoadState(bad) == nil {
				t.Fatalf("byte %d may be anything", n)
			}
		}
	}
	reload(a.Peers, b.Peers)
	for i := range a.of {
		reload(a.of[i], b.of[i])
	}
	seed := rand.NewPCG(15, 16)
	again := *seed
	a.run(300, noisy(rand.New(seed)))
	b.run(300, noisy(rand.New(&again)))
	if !bytes.Equal(a.AppendState(nil), b.AppendState(nil)) {
		t.Error("the group went another way")
	}
	for i := range a.of {
		if !bytes.Equal(a.of[i].AppendState(nil), b.of[i].AppendState(nil)) || a.out[i] != b.out[i] {
			t.Errorf("replica %d went another way", i)
		}
	}
	if err := newGroup(t, Options{Step: time.Hour, Budget: 1}, 0).LoadState(a.AppendState(nil)); err == nil {
		t.Error("the state of another step was taken")
	}
	if _, err := NewPeers(Options{Step: time.Minute}); err == nil {
		t.Error("no budget, no error")
	}
}

func BenchmarkPeers(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	p, err := NewPeers(Options{Step: time.Minute, Budget: 1})
	if err != nil {
		b.Fatal(err)
	}
	const n = 10
	of, x, out := make([]*Peer, n), make([]float64, n), make([]Unlike, n)
	for i := range of {
		of[i] = new(Peer)
	}
	at := t0
	for b.Loop() {
		for i := range x {
			x[i] = 100 + 5*rng.NormFloat64()
		}
		p.Compare(at, of, x, out)
		at += 60_000
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/replica")
}
