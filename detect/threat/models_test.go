package threat

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// stepper is a model of one number.
type stepper interface {
	Step(t int64, x float64) Reading
}

// ratioOf gives Ratio its failures among ten times as many attempts.
type ratioOf struct{ *Ratio }

func (m ratioOf) Step(t int64, x float64) Reading { return m.Ratio.Step(t, x, 10*x+5) }

type telemetryOf struct{ *TelemetryLoss }

func (m telemetryOf) Step(t int64, x float64) Reading { return m.TelemetryLoss.Step(t, x, true) }

type sequenceOf struct{ *Sequence }

func (m sequenceOf) Step(t int64, x float64) Reading {
	if x > 2 {
		m.Alarm(t)
	}
	return m.Sequence.Step(t, x)
}

type noveltyOf struct{ *Novelty }

func (m noveltyOf) Step(t int64, x float64) Reading {
	return m.Novelty.Step(t, []Action{{Verb: "create", Resource: "clusterrolebindings", Count: x, Succeeded: true, Refused: x > 3}})
}

// steppers are all models.
var steppers = map[string]func() stepper{
	"ratio":       func() stepper { return ratioOf{NewRatio(Options{}, nil)} },
	"count":       func() stepper { return NewCount(Options{}, nil) },
	"egress":      func() stepper { return NewEgress(Options{}) },
	"novelty":     func() stepper { return noveltyOf{NewNovelty(NoveltyOptions{}, nil)} },
	"sequence":    func() stepper { return sequenceOf{NewSequence()} },
	"off_hours":   func() stepper { return NewOffHours(nil) },
	"passthrough": func() stepper { return NewPassthrough(Options{}) },
	"telemetry":   func() stepper { return telemetryOf{NewTelemetryLoss(Options{})} },
}

// TestHostileNumbers gives every model every number no counter has, at every stage of
// its life, with slots missing, twice and going back.
func TestHostileNumbers(t *testing.T) {
	for name, model := range steppers {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, 8))
			m := model()
			at := start
			for i := range 20_000 {
				x := poisson(r, 3*daily(at))
				if r.IntN(10) == 0 {
					x = hostile[r.IntN(len(hostile))]
				}
				switch r.IntN(200) {
				case 0:
					at += int64(r.IntN(int(10 * day)))
				case 1:
					at -= int64(r.IntN(int(day)))
				case 2: // the same slot again
				default:
					at += step.Milliseconds()
				}
				sane(t, m.Step(at, x))
				_ = i
			}
		})
	}
}

// TestDeterministic wants the same readings for the same slots.
func TestDeterministic(t *testing.T) {
	for name, model := range steppers {
		a, b := model(), model()
		r := rand.New(rand.NewPCG(9, 10))
		slots(12, func(at int64) {
			x := negBin(r, 4*daily(at), 1)
			if x, y := a.Step(at, x), b.Step(at, x); x.Surprise != y.Surprise || x.Window != y.Window {
				t.Fatalf("%s: %+v and %+v", name, x, y)
			}
		})
	}
}

// TestFixedMemory wants no allocation once a model has seen three weeks.
func TestFixedMemory(t *testing.T) {
	for name, model := range steppers {
		if name == "novelty" { // bounded instead, see TestNoveltyIsBounded
			continue
		}
		m, r, at := model(), rand.New(rand.NewPCG(11, 12)), start
		one := func() {
			at += step.Milliseconds()
			m.Step(at, negBin(r, 3, 1))
		}
		for range 21 * 288 {
			one()
		}
		if n := testing.AllocsPerRun(1000, one); n > 0.5 {
			t.Errorf("%s: %v allocations a slot", name, n)
		}
	}
}

// falseAlerts counts the evidence of entities that do nothing wrong, a week, runs of
// half an hour being one, after the first of weeks.
func falseAlerts(entities, weeks int, model func() stepper, draw func(r *rand.Rand, t int64) float64) float64 {
	n := 0
	for e := range entities {
		m, r, last := model(), rand.New(rand.NewPCG(uint64(e), 99)), int64(0)
		slots(7*weeks, func(at int64) {
			if m.Step(at, draw(r, at)).Evident() && at >= start+week {
				if at-last > hour/2 {
					n++
				}
				last = at
			}
		})
	}
	return float64(n) / float64(entities*(weeks-1))
}

// TestBudgetOfCount holds twice the budget of 0.1 a week on counts of its own form. What
// has a heavier tail costs more, and fatigue bounds it: without it, it is half more.
func TestBudgetOfCount(t *testing.T) {
	model := func() stepper { return NewCount(Options{}, nil) }
	for _, c := range []struct {
		name string
		most float64
		draw func(*rand.Rand, int64) float64
	}{
		{"negative binomial", 0.2, func(r *rand.Rand, t int64) float64 { return negBin(r, 6*daily(t), 1.5) }},
		{"sparse", 0.2, func(r *rand.Rand, t int64) float64 { return negBin(r, 0.02*daily(t), 0.1) }},
		{"log-normal rates", 0.75, func(r *rand.Rand, t int64) float64 { return poisson(r, 5*daily(t)*math.Exp(0.7*r.NormFloat64())) }},
	} {
		if got := falseAlerts(40, 6, model, c.draw); got > c.most {
			t.Errorf("%s: %.3f false alerts an entity-week, want at most %v", c.name, got, c.most)
		}
	}
}

// TestBudgetOfRatio holds twice the budget where shares are nearly binomial, and three times
// where they are clustered: residuals are clipped at three deviations before ρ is
// learned, so that attacks do not teach it.
func TestBudgetOfRatio(t *testing.T) {
	for _, c := range []struct{ rho, most float64 }{{1e-3, 0.2}, {0.03, 0.3}} {
		n := 0
		const entities, weeks = 30, 5
		for e := range entities {
			m, r, last := NewRatio(Options{}, nil), rand.New(rand.NewPCG(uint64(e), 98)), int64(0)
			slots(7*weeks, func(at int64) {
				attempts := negBin(r, 25*daily(at), 3)
				f := betaBin(r, attempts, 0.05, c.rho)
				if m.Step(at, f, attempts).Evident() && at >= start+week {
					if at-last > hour/2 {
						n++
					}
					last = at
				}
			})
		}
		if got := float64(n) / (entities * (weeks - 1)); got > c.most {
			t.Errorf("ρ = %v: %.3f false alerts an entity-week, want at most %v", c.rho, got, c.most)
		}
	}
}

func TestBudgetOfEgress(t *testing.T) {
	model := func() stepper { return NewEgress(Options{}) }
	got := falseAlerts(40, 6, model, func(r *rand.Rand, t int64) float64 {
		return 5e7 * daily(t) * math.Exp(0.5*r.NormFloat64())
	})
	if got > 0.2 {
		t.Errorf("%.3f false alerts an entity-week", got)
	}
}

// TestCountFindsABurst wants ten failures in five minutes on a quiet host at once, and
// told once; three failures are nothing.
func TestCountFindsABurst(t *testing.T) {
	m := NewCount(Options{}, nil)
	r := rand.New(rand.NewPCG(13, 14))
	slots(10, func(at int64) { m.Step(at, negBin(r, 0.01, 0.1)) })
	at := start + 11*day
	if got := m.Step(at, 3); got.Evident() {
		t.Errorf("three failures: %+v", got)
	}
	if got := m.Step(at+hour, 12); !got.Evident() || got.Observed < 12 || !(got.Expected < 1) {
		t.Errorf("twelve failures: %+v", got)
	}
	for i := range int64(12) {
		if got := m.Step(at+hour+(i+1)*step.Milliseconds(), 0); got.Evident() {
			t.Errorf("reported twice: %+v", got)
		}
	}
}

// TestCountKnowsNewcomers finds the address that was never seen and guesses at once, in a
// crowd of others that was watched for a week; in one that was not, nothing is known.
func TestCountKnowsNewcomers(t *testing.T) {
	for _, days := range []int{1, 7} {
		crowd := &Peers{}
		r := rand.New(rand.NewPCG(29, 30))
		others := make([]*Count, 5)
		for i := range others {
			others[i] = NewCount(Options{}, crowd)
		}
		slots(days, func(at int64) {
			for _, m := range others {
				m.Step(at, negBin(r, 0.02, 0.1))
			}
			crowd.Settle(step)
		})
		at := start + int64(days)*day
		if got := NewCount(Options{}, crowd).Step(at, 2); got.Evident() {
			t.Errorf("%d days: two failures of a new one: %+v", days, got)
		}
		if got := NewCount(Options{}, crowd).Step(at, 15); got.Evident() != (days == 7) {
			t.Errorf("%d days: fifteen: %+v", days, got)
		}
	}
}

// TestRatioKnowsMoreTraffic finds failures, not visitors: with ten times the attempts,
// and failures, nothing is wrong; with the failures alone it is.
func TestRatioKnowsMoreTraffic(t *testing.T) {
	learn := func() *Ratio {
		m, r := NewRatio(Options{}, nil), rand.New(rand.NewPCG(15, 16))
		slots(14, func(at int64) {
			n := poisson(r, 40*daily(at))
			m.Step(at, betaBin(r, n, 0.05, 0.005), n)
		})
		return m
	}
	at1 := start + 14*day
	if got := learn().Step(at1, 20, 400); got.Evident() {
		t.Errorf("more visitors: %+v", got)
	}
	m := learn()
	if got := m.Step(at1, 25, 45); !got.Evident() {
		t.Errorf("failures: %+v", got)
	}
	at(t, "rate", m.Rate(), 0.05, 0.01)
}

// TestRatioFindsLowAndSlow wants 150 failures spread over a day at a client with one an
// hour, none of whose five minutes is remarkable.
func TestRatioFindsLowAndSlow(t *testing.T) {
	m, r := NewRatio(Options{}, nil), rand.New(rand.NewPCG(17, 18))
	slots(14, func(at int64) {
		n := poisson(r, 2)
		m.Step(at, betaBin(r, n, 0.04, 0.005), n)
	})
	found := false
	for i := range int64(288) {
		at := start + 14*day + i*step.Milliseconds()
		extra := 0.0
		if i%2 == 0 {
			extra = 1
		}
		n := poisson(r, 2)
		got := m.Step(at, betaBin(r, n, 0.04, 0.005)+extra, n+extra)
		found = found || got.Evident() && got.Window > step
	}
	if !found {
		t.Error("not found")
	}
}

// TestRatioLearnsNoAttack repeats an attack every second day: it stays evident, and the
// rate that is learned stays that of ordinary days.
func TestRatioLearnsNoAttack(t *testing.T) {
	m, r := NewRatio(Options{}, nil), rand.New(rand.NewPCG(19, 20))
	found := 0
	for d := range int64(30) {
		for i := range int64(288) {
			at := start + d*day + i*step.Milliseconds()
			n := poisson(r, 20)
			f := betaBin(r, n, 0.05, 0.005)
			if d >= 10 && d%2 == 0 && i >= 100 && i < 106 {
				f, n = f+30, n+30
			}
			if m.Step(at, f, n).Evident() && d >= 10 && d%2 == 0 && i == 100 {
				found++
			}
		}
	}
	if found != 10 {
		t.Errorf("%d of 10 attacks", found)
	}
	at(t, "rate", m.Rate(), 0.05, 0.01)
}

// TestRatioStartsFromPeers gives a new client the rate of the others.
func TestRatioStartsFromPeers(t *testing.T) {
	peers := &Peers{}
	old := NewRatio(Options{}, peers)
	slots(10, func(at int64) {
		old.Step(at, 6, 20)
		peers.Settle(step)
	})
	at(t, "rate of a new client", NewRatio(Options{}, peers).Rate(), 0.3, 0.02)
}

// TestEgress finds a transfer, does not find less traffic, and knows a nightly backup.
func TestEgress(t *testing.T) {
	m, r := NewEgress(Options{}), rand.New(rand.NewPCG(21, 22))
	backup := func(at int64) float64 {
		x := 2e6 * math.Exp(0.4*r.NormFloat64())
		if at%day >= 2*hour && at%day < 3*hour {
			x += 4e8
		}
		return x
	}
	slots(21, func(at int64) {
		if got := m.Step(at, backup(at)); got.Evident() && at > start+14*day {
			t.Errorf("the backup: %+v", got)
		}
	})
	at := start + 21*day
	for i := range int64(12) {
		if got := m.Step(at+i*step.Milliseconds(), 0); got.Evident() {
			t.Errorf("nothing sent: %+v", got)
		}
	}
	at += hour
	found := false
	for i := range int64(6) {
		got := m.Step(at+i*step.Milliseconds(), 2e10)
		found = found || got.Evident()
	}
	if !found {
		t.Error("120 GB not found")
	}
}

// TestEgressNeedsBytes does not report a thousandfold of nearly nothing.
func TestEgressNeedsBytes(t *testing.T) {
	m, r := NewEgress(Options{}), rand.New(rand.NewPCG(23, 24))
	slots(15, func(at int64) { m.Step(at, 100*r.Float64()) })
	if got := m.Step(start+15*day, 1e7); got.Evident() {
		t.Errorf("10 MB: %+v", got)
	}
	if got := m.Step(start+15*day+step.Milliseconds(), 1e9); !got.Evident() {
		t.Errorf("1 GB: %+v", got)
	}
}

// TestSequence finds a first success after failures, not that of a busy client.
func TestSequence(t *testing.T) {
	m := NewSequence()
	slots(10, func(at int64) { m.Step(at, 0) })
	at := start + 10*day
	m.Alarm(at)
	if got := m.Step(at, 0); got.Evident() {
		t.Errorf("no success: %+v", got)
	}
	if got := m.Step(at+hour/2, 1); !got.Evident() {
		t.Errorf("success: %+v", got)
	}
	if got := m.Step(at+hour/2+1, 1); got.Evident() {
		t.Errorf("told twice: %+v", got)
	}
	busy := NewSequence()
	slots(10, func(at int64) { busy.Step(at, 2) })
	busy.Alarm(at)
	if got := busy.Step(at, 2); got.Evident() {
		t.Errorf("a busy client: %+v", got)
	}
	late := NewSequence()
	late.Step(start, 0)
	late.Alarm(start + day)
	if got := late.Step(start+day+2*hour, 1); got.Evident() {
		t.Errorf("two hours later: %+v", got)
	}
}

func TestOffHours(t *testing.T) {
	m := NewOffHours(nil)
	for d := range int64(28) {
		if w := (start/day + d + 4) % 7; w == 0 || w == 6 {
			continue
		}
		for h := int64(9); h < 17; h++ {
			if got := m.Step(start+d*day+h*hour, 3); got.Evident() && d > 7 {
				t.Errorf("day %d, %d h: %+v", d, h, got)
			}
		}
	}
	if got := m.Step(start+28*day+3*hour, 1); !got.Evident() {
		t.Errorf("three at night: %+v", got)
	}
	// Who is active around the clock has no odd hours, not even on the first weekends.
	always := NewOffHours(nil)
	for h := range int64(28 * 24) {
		if got := always.Step(start+h*hour, 3); got.Evident() {
			t.Errorf("around the clock, hour %d: %+v", h, got)
		}
	}
	if w := offHoursWorth.Of(Reading{Surprise: 300, Threshold: offHoursThreshold}); Band(w) != BandLow {
		t.Errorf("off hours alone are %s", Band(w))
	}
}

func TestPassthrough(t *testing.T) {
	m := NewPassthrough(Options{})
	if got := m.Step(start, 1); !got.Evident() || got.Surprise < 0.9 {
		t.Errorf("the first match: %+v", got)
	}
	slots(10, func(at int64) { m.Step(at+1, 5) })
	if got := m.Step(start+10*day+1, 5); got.Evident() {
		t.Errorf("a chatty rule: %+v", got)
	}
	for name, want := range map[string]float64{"Critical": 80, "EMERGENCY": 80, "Error": 60, "Warning": 45, "Notice": 25, "Debug": 10, "": 45, "2": 80, "4": 45, "7": 10} {
		if got := Weight(name); got != want {
			t.Errorf("%s weighs %v, want %v", name, got, want)
		}
	}
	if got := Techniques([]string{"tag_T1555", "tag_mitre_T1552_007", "tag_container", "T1611", "tag_T15556", "tag_T1O55", "x_T1"}); got != "T1555;T1552.007;T1611" {
		t.Errorf("techniques %q", got)
	}
}

// TestTelemetryLoss finds the log that is off, and not the host that is down, nor the
// log that is silent at night.
func TestTelemetryLoss(t *testing.T) {
	run := func(events func(r *rand.Rand, at int64) float64, up bool) (first time.Duration) {
		m, r := NewTelemetryLoss(Options{}), rand.New(rand.NewPCG(25, 26))
		slots(14, func(at int64) {
			if got := m.Step(at, events(r, at), true); got.Evident() {
				t.Errorf("ordinary days: %+v", got)
			}
		})
		for i := range int64(288) {
			if m.Step(start+14*day+i*step.Milliseconds(), math.NaN(), up).Evident() {
				if first != 0 {
					t.Error("told twice")
				}
				first = time.Duration(i+1) * step
			}
		}
		return first
	}
	busy := func(r *rand.Rand, at int64) float64 { return negBin(r, 50*daily(at), 5) }
	if got := run(busy, true); got == 0 || got > time.Hour {
		t.Errorf("found after %s", got)
	}
	if got := run(busy, false); got != 0 {
		t.Errorf("a host that is down is found after %s", got)
	}
	office := func(r *rand.Rand, at int64) float64 {
		if at%day < 8*hour {
			return 0
		}
		return 5 + poisson(r, 20)
	}
	if got := run(office, true); got < 8*time.Hour {
		t.Errorf("silence of a night reported after %s", got)
	}
}

func FuzzModels(f *testing.F) {
	f.Add([]byte{1, 2, 3, 250, 251, 252, 9, 9, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, model := range steppers {
			m, at := model(), start
			for _, c := range b {
				x := float64(c)
				if int(c) < len(hostile) {
					x = hostile[c]
				}
				if c >= 240 {
					at += int64(c-239) * day
				}
				at += step.Milliseconds()
				sane(t, m.Step(at, x))
			}
		}
	})
}

func BenchmarkModels(b *testing.B) {
	for name, model := range steppers {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			m, r, at := model(), rand.New(rand.NewPCG(27, 28)), start
			for b.Loop() {
				at += step.Milliseconds()
				m.Step(at, poisson(r, 3))
			}
		})
	}
}
