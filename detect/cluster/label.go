package cluster

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

const (
	// A difference is seen when its root mean square over a quarter of an hour is
	// that many times what the series usually moves, or when one sample's is twice that.
	visible = 2.5
	// It begins when it is that many times.
	begins = 0.3
	// After a fault has ended its traces belong to it for that many minutes.
	aftermath = 4 * 60
	// That share of what is seen must be values that the series does not have around
	// this time on any other day: an autoscaler that does by day what it does every
	// night differs, and nobody could tell.
	unusual = 1 / 3.0
	// Samples in a row that must be missing, and values that must stand still, to be seen.
	missingLeast, frozenLeast = 5, 12
)

// label returns the series of w with the stretches where they differ from those of
// calm while something is broken.
func (w *world) label(calm *world, faults []fault) []Series {
	byName := map[string]*track{}
	for _, t := range calm.tracks {
		byName[t.name] = t
	}
	var all []Series
	for _, t := range w.tracks {
		c := byName[t.name]
		if c == nil { // never: what is broken starts no other series
			c = t
		}
		var events []Event
		if n := t.usual(c); n > 0 {
			for i := range faults {
				if !w.reaches(&faults[i], t) {
					continue
				}
				if e, ok := w.difference(t, c, &faults[i], n); ok {
					events = append(events, e)
				}
			}
		}
		if s, ok := w.series(t, events); ok {
			all = append(all, s)
		}
	}
	return all
}

// reaches reports whether f may show in t: in the part that it is on, in what that
// one feeds, and in the nodes that it runs on.
func (w *world) reaches(f *fault, t *track) bool {
	if f.cause.exporter {
		return t.from.name == f.on || t.kind == "up" && strings.HasSuffix(f.on, strings.TrimPrefix(t.of, "service/")) && !strings.HasPrefix(f.on, "kubelet/")
	}
	if t.of == f.on {
		return true
	}
	class, name, _ := strings.Cut(f.on, "/")
	to, _, _ := strings.Cut(t.of, "/")
	switch {
	case class == "service" && to == "node", class == "service" && to == "fleet":
		return true
	case class == "service" && to == "shop":
		return name == "payment" || name == "login" || name == "frontend"
	case class == "service":
		return slices.ContainsFunc(w.others, func(p part) bool {
			switch p := p.(type) {
			case *queue:
				return t.of == "queue/"+p.name && w.services[p.feeds].name == name
			case *database:
				return t.of == "database/"+p.name && w.services[p.service].name == name
			}
			return false
		})
	case class == "job":
		j := w.jobs[slices.IndexFunc(w.jobs, func(j *job) bool { return j.name == name })]
		return t.of == fmt.Sprint("node/", j.node) || to == "queue" && name == "sync" || to == "database" && (name == "backup" || name == "vacuum")
	}
	return false
}

// usual returns how much the calm series usually moves: the typical difference of a
// value from that of a week ago, or of a day ago in a short one.
func (t *track) usual(c *track) float64 {
	lag := weekMinutes / t.per
	if len(c.values) < 2*lag {
		lag = dayMinutes / t.per
	}
	var d []float64
	for i := lag; i < len(c.values); i++ {
		if x := math.Abs(c.values[i] - c.values[i-lag]); !math.IsNaN(x) {
			d = append(d, x)
		}
	}
	if len(d) == 0 {
		return t.least
	}
	slices.Sort(d)
	return max(t.least, 1.4826/math.Sqrt2*d[len(d)/2])
}

// difference looks for a trace of the fault f in t; n is what t usually moves.
func (w *world) difference(t, c *track, f *fault, n float64) (Event, bool) {
	switch f.kind {
	case Flatline:
		return w.stuck(t, c, f)
	case Variance:
		return w.restless(t, c, f)
	default:
	}
	from := f.start / w.per
	to := min((f.end+aftermath)/w.per, len(t.values), len(c.values))
	if f.kind == MissedJob { // what is late at last is late until it ran
		to = min(f.end/w.per, len(t.values), len(c.values))
	}
	first, lastSeen := -1, -1
	window := max(1, 15/w.per)
	squares := 0.0
	gone, extra := 0, 0
	d := func(i int) float64 {
		if i < from {
			return 0
		}
		x := math.Abs(t.values[i] - c.values[i])
		if math.IsNaN(x) {
			return 0
		}
		return x
	}
	begin := func(i int) {
		if first < 0 {
			first = max(i, from)
		}
	}
	seen, odd := 0, 0
	seenFirst, large := -1, -1 // large: the newest point that differs at all
	for i := from; i < to; i++ {
		x, now := d(i), false
		squares += x*x - d(i-window)*d(i-window)
		switch a, b := math.IsNaN(t.values[i]), math.IsNaN(c.values[i]); {
		case a && !b:
			gone, extra = gone+1, 0
		case b && !a:
			gone, extra = 0, extra+1
		default: // both or neither
			gone, extra = 0, 0
		}
		if gone >= missingLeast || extra >= missingLeast {
			now = true
			begin(i - missingLeast + 1)
			large = i
		}
		if x >= begins*n {
			begin(i)
			large = i
		}
		if squares >= visible*visible*n*n*float64(window) || x >= 2*visible*n {
			now = true
		}
		if now {
			lastSeen = max(large, lastSeen)
			if x >= begins*n || gone > 0 || extra > 0 {
				seen++
				if c.unlike(i, t.values[i]) {
					odd++
				}
			}
			if seenFirst < 0 {
				seenFirst = i
			}
		}
	}
	if lastSeen < 0 || float64(odd) < unusual*float64(seen) {
		return Event{}, false
	}
	if first < 0 {
		first = seenFirst
	}
	return w.event(f, first, lastSeen), true
}

// unlike reports whether the series has no value like v within two minutes of this time
// of any other day: v lies outside their range, or one is there and most are not.
func (t *track) unlike(i int, v float64) bool {
	day, half := dayMinutes/t.per, 2/t.per
	low, high := math.Inf(1), math.Inf(-1)
	there, gone := 0, 0
	for k := i % day; k < len(t.values); k += day {
		if k == i {
			continue
		}
		for j := max(0, k-half); j <= min(k+half, len(t.values)-1); j++ {
			if x := t.values[j]; math.IsNaN(x) {
				gone++
			} else {
				there++
				low, high = min(low, x), max(high, x)
			}
		}
	}
	if math.IsNaN(v) || there < gone {
		return math.IsNaN(v) == (there > gone)
	}
	return v < low || v > high
}

// stuck labels a series that stands still while it would have changed at nearly
// every scrape.
func (w *world) stuck(t, c *track, f *fault) (Event, bool) {
	from, to := f.start/w.per, min(f.end/w.per, len(c.values)-1, len(t.values)-1)
	changed := 0
	for i := from + 1; i <= to; i++ {
		if math.Abs(c.values[i]-c.values[i-1]) > 0 { // false without a sample: what has ended does not stand still
			changed++
		}
	}
	if to-from < frozenLeast || float64(changed) < 0.8*float64(to-from) {
		return Event{}, false
	}
	return w.event(f, from, to), true
}

// restless labels a series whose steps from one sample to the next become larger
// than twice what they are: noise, which a difference of levels does not show.
func (w *world) restless(t, c *track, f *fault) (Event, bool) {
	from, to := f.start/w.per, min(f.end/w.per, len(c.values)-1, len(t.values)-1)
	var usual, now []float64
	step := func(y []float64, i int) float64 { return math.Abs(y[i] - y[i-1]) }
	for i := max(1, from-dayMinutes/w.per); i <= to; i++ {
		if x := step(c.values, i); !math.IsNaN(x) {
			usual = append(usual, x)
		}
		if x := step(t.values, i); i > from && !math.IsNaN(x) {
			now = append(now, x)
		}
	}
	if len(now) < frozenLeast {
		return Event{}, false
	}
	slices.Sort(usual)
	slices.Sort(now)
	if now[len(now)/2] < 2*max(usual[len(usual)/2], t.least/4) {
		return Event{}, false
	}
	return w.event(f, from, to), true
}

func (w *world) event(f *fault, first, last int) Event {
	at := func(i int) int64 { return w.o.Start.UnixMilli() + int64(i)*w.o.Step.Milliseconds() }
	return Event{Start: at(first), End: at(last), Kind: f.kind, Size: f.size}
}

// series trims t to the samples it has. What has less than an hour is left out.
func (w *world) series(t *track, events []Event) (Series, bool) {
	a, b := 0, len(t.values)
	for a < b && math.IsNaN(t.values[a]) {
		a++
	}
	for b > a && math.IsNaN(t.values[b-1]) {
		b--
	}
	if (b-a)*w.per < 60 {
		return Series{}, false
	}
	step := w.o.Step.Milliseconds()
	slices.SortFunc(events, func(x, y Event) int { return cmp.Compare(x.Start, y.Start) })
	return Series{
		Name: t.name, Kind: t.kind, Start: w.o.Start.UnixMilli() + int64(a)*step, Step: step,
		Values: t.values[a:b], Events: events,
	}, true
}
