package threat

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

// judge steps the model of one entity.
func (d *Detector) judge(t int64, w *watched, g *grouped) []Finding {
	s := &d.spec
	switch s.Model {
	case ModelRatio:
		return d.ratio(t, w, g)
	case ModelCount:
		return d.finding(g.entity, t, w.count.Step(t, g.sum("value")), anomalyWorth, s.Threat, s.Technique, "")
	case ModelSequence:
		return d.finding(g.entity, t, w.sequence.Step(t, g.sum("successes")), sequenceWorth, s.Threat, s.Technique, "")
	case ModelNovelty:
		return d.novelty(t, w, g)
	case ModelEgress:
		return d.finding(g.entity, t, w.egress.Step(t, g.sum("value")), anomalyWorth, s.Threat, s.Technique, "")
	case ModelOffHours:
		return d.finding(g.entity, t, w.offHours.Step(t, g.sum("value")), offHoursWorth, s.Threat, s.Technique, "")
	case ModelPassthrough:
		return d.passthrough(t, w, g)
	case ModelFirstSeen:
		r := w.firstSeen.Step(t, g.resources("values"))
		return d.finding(g.entity, t, r, firstSeenWorth, s.Threat, s.Technique, "new: "+w.firstSeen.What())
	case ModelPeak:
		return d.finding(g.entity, t, w.peak.Step(t, g.sum("value")), peakWorth, s.Threat, s.Technique, "")
	case ModelDistinct:
		return d.finding(g.entity, t, w.distinct.Step(t, g.resources("values")), anomalyWorth, s.Threat, s.Technique, "distinct")
	default:
		up := true
		if len(g.get("up")) > 0 {
			up = g.sum("up") > 0
		}
		what := ""
		if len(g.get("value")) == 0 {
			what = "series gone"
		}
		return d.finding(g.entity, t, w.telemetry.Step(t, g.sum("value"), up), telemetryWorth, s.Threat, s.Technique, what)
	}
}

// vanished steps the logs of which the slot holds nothing. Their targets are up if their up
// says so, which is in groups then, or, where up is not asked for, if others answered.
func (d *Detector) vanished(t int64, in Slot, groups []grouped) []Finding {
	_, asked := in["up"]
	if len(groups) == 0 {
		return nil // nobody answered
	}
	var gone []string
	for e := d.entities.order.Front(); e != nil; e = e.Next() {
		name := e.Value.(entry[*watched]).key
		if _, ok := slices.BinarySearchFunc(groups, name, func(g grouped, n string) int { return strings.Compare(g.entity, n) }); !ok {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	var out []Finding
	for _, name := range gone {
		w := d.entities.at[name].Value.(entry[*watched]).value // not newer for that
		out = append(out, d.finding(name, t, w.telemetry.Step(t, math.NaN(), !asked), telemetryWorth, d.spec.Threat, d.spec.Technique, "series gone")...)
	}
	return out
}

// ratio falls back to the count of failures where attempts are not known.
func (d *Detector) ratio(t int64, w *watched, g *grouped) []Finding {
	failures, attempts := g.sum("failures"), g.sum("attempts")
	if math.IsNaN(failures) && !math.IsNaN(attempts) {
		failures = 0 // a series of failures appears with the first
	}
	if math.IsNaN(attempts) && !math.IsNaN(failures) {
		if w.count == nil {
			w.count = NewCount(d.spec.Options, d.peers)
		}
		return d.finding(g.entity, t, w.count.Step(t, failures), anomalyWorth, d.spec.Threat, d.spec.Technique, "")
	}
	return d.finding(g.entity, t, w.ratio.Step(t, failures, attempts), anomalyWorth, d.spec.Threat, d.spec.Technique, "")
}

func (d *Detector) novelty(t int64, w *watched, g *grouped) []Finding {
	samples := g.get("actions")
	actions := make([]Action, len(samples))
	for i, s := range samples {
		refused, succeeded := outcome(s.Code)
		actions[i] = Action{Verb: s.Verb, Resource: s.Resource, Refused: refused, Succeeded: succeeded, Count: s.Value}
	}
	r := w.novelty.Step(t, actions)
	top, what := w.novelty.Top()
	fs := d.finding(g.entity, t, r, noveltyWorth, top.Threat, top.Technique, what)
	if len(fs) > 0 && top.Technique == anonymousTechnique {
		fs[0].Score = max(fs[0].Score, anonymousScore)
	}
	return fs
}

// outcome reads the code of an action: an HTTP status, or the error of a cloud, empty if
// there was none.
func outcome(code string) (refused, succeeded bool) {
	switch {
	case code == "":
		return false, true
	case code == "401" || code == "403":
		return true, false
	case len(code) == 3 && digits(code):
		return false, code[0] == '2' || code[0] == '1'
	}
	for _, word := range []string{"Denied", "Unauthorized", "Forbidden"} {
		if strings.Contains(code, word) {
			return true, false
		}
	}
	return false, false
}

func (d *Detector) passthrough(t int64, w *watched, g *grouped) []Finding {
	matches := slices.Clone(g.get("matches"))
	slices.SortStableFunc(matches, func(a, b Sample) int {
		return cmp.Or(strings.Compare(a.Rule, b.Rule), strings.Compare(a.Priority, b.Priority))
	})
	var best []Finding
	for _, s := range matches {
		key := s.Rule + "\x00" + s.Priority
		m, ok := w.rules.get(key)
		if !ok {
			m = NewPassthrough(d.spec.Options)
			w.rules.put(key, m)
		}
		r := m.Step(t, s.Value)
		if !r.Evident() {
			continue
		}
		fs := d.finding(g.entity, t, r, Worth{0, 0}, d.spec.Threat, cmp.Or(s.Techniques, d.spec.Technique), s.Rule)
		fs[0].Score = Weight(s.Priority) * r.Surprise
		if len(best) == 0 || fs[0].Score > best[0].Score {
			best = fs
		}
	}
	return best
}

// finding returns the evidence in r, if any.
func (d *Detector) finding(entity string, t int64, r Reading, w Worth, threat, technique, what string) []Finding {
	if !r.Evident() {
		return nil
	}
	return []Finding{{Entity: entity, Evidence: Evidence{
		Detector: d.spec.Name, Model: d.spec.Model, Family: d.spec.Family, Threat: threat, Technique: technique, Time: t, Score: w.Of(r), What: what, Reading: r,
	}}}
}

// FloodEntity is the entity a flood of new ones is reported for.
const FloodEntity = "(new entities)"

// floodFinding is evidence that names are made up: somebody tries them one by one, or
// fills our memory.
func (d *Detector) floodFinding(t int64) Finding {
	return Finding{Entity: FloodEntity, Evidence: Evidence{
		Detector: d.spec.Name, Model: d.spec.Model, Family: d.spec.Family, Threat: UnusualBehavior, Technique: "T1087", Time: t, Score: 50, What: "flood of new names",
		Reading: Reading{Observed: float64(d.fresh), Expected: floodSize, Window: time.Duration(floodSpan) * time.Millisecond, Surprise: 1, Threshold: 0},
	}}
}
