package threat

import (
	"math"
	"time"
)

// A Classifier is a supervised model of attacks: it has learned from entities that people
// have labelled. What it says is one more piece of evidence; the alert needs no classifier.
type Classifier interface {
	// Probability returns the chance that an entity with these features, in the order of
	// Features, is an attack or attacked. NaN is a feature that is not known. ok is false
	// if it cannot say. It is called from one goroutine and must be deterministic.
	Probability(features []float64) (p float64, ok bool)
}

// ModelClassifier is the model of the evidence of a Classifier. It is no detector of presets.
const ModelClassifier = "classifier"

// ClassifierDetector is the name under which its evidence stands.
const ClassifierDetector = "security_threat"

// Features are the features of an entity, the table of the model type security_threat: what
// was counted of it up to the newest slot.
var Features = []string{
	"failed_logins_5m", "failed_logins_1h", "failed_logins_24h", "login_attempts_5m", "login_attempts_1h", "failure_ratio_1h",
	"success_after_failures_1h", "distinct_sources_1h", "distinct_users_1h", "denied_requests_1h", "sensitive_requests_1h", "new_actions_24h",
	"egress_bytes_1h", "egress_ratio_24h", "policy_violations_24h", "hour_of_day", "day_of_week", "entity_age",
}

// classifierLeast is the probability from which on it is evidence, worth 80 times it: at
// least an alert of medium severity.
const classifierLeast = 0.5

// opinion returns the evidence of a probability, if it is any. threat is what the other
// evidence says, or unusual behaviour.
func opinion(t int64, p float64, threat string) (Evidence, bool) {
	if !(p >= classifierLeast && p <= 1) {
		return Evidence{}, false
	}
	if threat == "" {
		threat = UnusualBehavior
	}
	return Evidence{
		Detector: ClassifierDetector, Model: ModelClassifier, Family: FamilyBehavior, Threat: threat, Technique: "", Time: t, Score: 80 * p, What: "trained model",
		Reading: Reading{Observed: p, Expected: classifierLeast, Window: 0, Surprise: min(math.Log10(p/(1-p)), 6) + 1e-9, Threshold: 0},
	}, true
}

// The counts of a tally.
const (
	tallyFailed = iota
	tallyTried
	tallyGuessed
	tallyDenied
	tallySensitive
	tallyNew
	tallyBytes
	tallyPolicy
	tallies
)

// A tally counts what the features of one entity are made of. It is kept only where there is
// a classifier. State: 1.5 KiB.
type tally struct {
	counts  [tallies]span24
	has     [tallies]bool // whether an input counts it
	first   int64
	last    int64
	sources float64 // in the last hour, NaN if nothing counts them
	users   float64
	daily   float64 // mean bytes of a day
	days    float64
	day     int64
	today   float64
}

func newTally(t int64) *tally {
	return &tally{
		counts: [tallies]span24{}, has: [tallies]bool{}, first: t, last: t, sources: math.NaN(), users: math.NaN(),
		daily: 0, days: 0, day: 0, today: 0,
	}
}

// within counts the values seen in the hour up to t.
func within(t int64, seen map[uint64]int64) float64 {
	n := 0.0
	for _, at := range seen {
		if t-at < hour {
			n++
		}
	}
	return n
}

// span24 holds sums of the last hour, in blocks of 5 minutes, and of the last day, in blocks
// of 2 hours.
type span24 struct {
	hour, day           [12]float32
	hourBlock, dayBlock int64
}

const (
	hourBlocks = hour / 12
	dayBlocks  = day / 12
)

// turn moves on to t.
func (s *span24) turn(t int64) {
	s.hourBlock = turnRing(&s.hour, s.hourBlock, t/hourBlocks)
	s.dayBlock = turnRing(&s.day, s.dayBlock, t/dayBlocks)
}

// turnRing clears the blocks after from up to to and returns to.
func turnRing(ring *[12]float32, from, to int64) int64 {
	for b := max(from+1, to-11); b <= to; b++ {
		ring[b%12] = 0
	}
	return max(from, to)
}

func (s *span24) add(t int64, x float64) {
	s.turn(t)
	s.hour[s.hourBlock%12] += float32(x)
	s.day[s.dayBlock%12] += float32(x)
}

func (s *span24) sums(t int64) (m5, h1, h24 float64) {
	s.turn(t)
	for i := range s.hour {
		h1 += float64(s.hour[i])
		h24 += float64(s.day[i])
	}
	return float64(s.hour[s.hourBlock%12]), h1, h24
}

// add counts x, which may be NaN or no count: then it is not known.
func (y *tally) add(t int64, what int, x float64) {
	if known(x) {
		y.has[what] = true
		y.counts[what].add(t, x)
	}
}

// take counts what the inputs of a detector say of the entity in the slot at t, after its model
// w was stepped.
func (y *tally) take(t int64, s *Spec, w *watched, g *grouped) {
	if t != y.last { // as of several detectors the most counts
		y.last, y.sources, y.users = t, math.NaN(), math.NaN()
	}
	switch {
	case s.Model == ModelRatio && s.Family == FamilyAuth:
		y.add(t, tallyFailed, g.sum("failures"))
		y.add(t, tallyTried, g.sum("attempts"))
	case s.Model == ModelCount && s.Family == FamilyAuth:
		y.add(t, tallyFailed, g.sum("value"))
		y.add(t, tallyTried, g.sum("value"))
	case s.Model == ModelSequence:
		n := g.sum("successes")
		y.add(t, tallyTried, n)
		if _, failed, _ := y.counts[tallyFailed].sums(t); failed >= 5 {
			y.add(t, tallyGuessed, n)
		} else {
			y.add(t, tallyGuessed, 0)
		}
	case s.Model == ModelDistinct && s.Family == FamilyAuth:
		y.users = most(y.users, within(t, w.distinct.seen))
	case s.Model == ModelFirstSeen && s.Family == FamilyAuth:
		y.sources = most(y.sources, within(t, w.firstSeen.known))
	case s.Model == ModelRatio && s.Family == FamilyRBAC:
		y.add(t, tallyDenied, g.sum("failures"))
	case s.Model == ModelNovelty:
		y.actions(t, s, g)
		y.add(t, tallyNew, w.novelty.met)
	case s.Model == ModelEgress:
		x := g.sum("value")
		y.add(t, tallyBytes, x)
		if known(x) {
			y.sent(t, x)
		}
	case s.Model == ModelPassthrough:
		y.add(t, tallyPolicy, g.sum("matches"))
	}
}

// most returns the larger of two numbers, of which a may be NaN.
func most(a, b float64) float64 {
	if math.IsNaN(a) {
		return b
	}
	return max(a, b)
}

// actions counts refusals and sensitive writes.
func (y *tally) actions(t int64, s *Spec, g *grouped) {
	var denied, sensitive float64
	for _, a := range g.get("actions") {
		if !known(a.Value) {
			continue
		}
		if refused, _ := outcome(a.Code); refused {
			denied += a.Value
		}
		if s.Catalogue.Look(a.Verb, a.Resource).Weight >= 4 {
			sensitive += a.Value
		}
	}
	y.add(t, tallyDenied, denied)
	y.add(t, tallySensitive, sensitive)
}

// sent keeps the mean bytes of a day, over 14.
func (y *tally) sent(t int64, x float64) {
	if d := t / day; d != y.day {
		if y.day != 0 {
			y.days = min(y.days+1, 14)
			y.daily += (y.today - y.daily) / y.days
		}
		y.day, y.today = d, 0
	}
	y.today += x
}

// features returns the features at t, NaN for those that nothing counts.
func (y *tally) features(t int64, loc *time.Location) []float64 {
	out := make([]float64, 0, len(Features))
	of := func(what int) (m5, h1, h24 float64) {
		if !y.has[what] {
			return math.NaN(), math.NaN(), math.NaN()
		}
		return y.counts[what].sums(t)
	}
	f5, f1, f24 := of(tallyFailed)
	n5, n1, _ := of(tallyTried)
	ratio := math.NaN()
	if n1 > 0 {
		ratio = f1 / n1
	}
	_, guessed, _ := of(tallyGuessed)
	_, denied, _ := of(tallyDenied)
	_, sensitive, _ := of(tallySensitive)
	_, _, fresh := of(tallyNew)
	_, bytes, bytes24 := of(tallyBytes)
	share := math.NaN()
	if y.days > 0 && y.daily > 0 {
		share = bytes24 / y.daily
	}
	_, _, policy := of(tallyPolicy)
	if loc == nil {
		loc = time.UTC
	}
	at := time.UnixMilli(t).In(loc)
	return append(out, f5, f1, f24, n5, n1, ratio, guessed, y.sources, y.users, denied, sensitive, fresh, bytes, share, policy,
		float64(at.Hour()), float64(at.Weekday()), float64(t-y.first)/float64(day))
}
