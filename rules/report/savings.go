package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

// hoursPerMonth is a month as prices have it.
const hoursPerMonth = 730

// The states of a recommendation's resources, as Prometheus shows them.
const (
	Applied    = "applied"     // what was recommended is set
	Partly     = "partly"      // some of it is
	NotApplied = "not_applied" // none of it is
	NotSeen    = "not_seen"    // Prometheus does not show what it changes
)

// Savings is what recommendations would save, and what those applied did. Amounts are a month's at list price.
type Savings struct {
	Currency        string        `json:"currency"`
	Recommendations Figure        `json:"recommendations"` // with a saving, seen in the time
	Proposed        Figure        `json:"proposed"`        // by all of them: the newest saving of each
	Open            Figure        `json:"open"`            // by those that are open at its end
	Realisable      Figure        `json:"realisable"`      // the part of these that whole nodes make real
	AppliedCount    int           `json:"applied_count"`
	Applied         Figure        `json:"applied"`  // proposed by those that were applied
	Realised        Figure        `json:"realised"` // by those applied, as the spend of their namespaces shows
	Changes         []Change      `json:"changes"`
	Realisations    []Realisation `json:"realisations"`
}

// Change is a recommendation whose resources can be seen in Prometheus, and what became of it.
type Change struct {
	ID        string  `json:"id"`
	Kind      string  `json:"kind"`
	Cluster   string  `json:"cluster,omitempty"`
	Namespace string  `json:"namespace"`
	Workload  string  `json:"workload"`
	Container string  `json:"container,omitempty"`
	Seen      float64 `json:"proposed_at"`
	State     string  `json:"state"`
	At        Figure  `json:"applied_at"` // of the last of its resources
	Savings   Figure  `json:"savings_monthly"`
	Moves     []Move  `json:"resources"`
}

// Move is one resource of a change.
type Move struct {
	Resource    string  `json:"resource"`
	Before      Figure  `json:"before"`
	Recommended float64 `json:"recommended"`
	After       Figure  `json:"after"`
	at          int64
}

// Realisation is the spend of a namespace in the seven days after changes in it, against the
// forecast made before the first of them.
type Realisation struct {
	Cluster   string   `json:"cluster,omitempty"`
	Namespace string   `json:"namespace"`
	At        float64  `json:"applied_at"` // of the first
	IDs       []string `json:"ids"`        // applied in these seven days
	Forecast  Figure   `json:"forecast"`
	Spent     Figure   `json:"spent"`
	Monthly   Figure   `json:"realised_monthly"`
	Lower     Figure   `json:"lower_monthly"` // by the bounds of the forecast
	Upper     Figure   `json:"upper_monthly"`
}

func (b *book) savings() Savings {
	out := Savings{Changes: []Change{}, Realisations: []Realisation{}}
	none := b.why("savings", "no recommendation had a saving: there is none, or no price is known")
	savings := b.within("savings")
	proposed, open := math.NaN(), math.NaN()
	byID := map[string]float64{}
	for _, s := range savings {
		v, when := last(s, b.to)
		out.Currency = s.Labels.Get("currency")
		proposed = plus(proposed, v)
		byID[s.Labels.Get("id")] = v
		if when == b.newest("savings") {
			open = plus(open, v)
		}
	}
	realisable := math.NaN()
	for _, s := range b.within("realisable") {
		if v, when := last(s, b.to); when == b.newest("savings") {
			realisable = plus(realisable, v)
		}
	}
	out.Recommendations = Of(float64(len(savings)), "")
	if len(savings) == 0 && (b.in.Failed["savings"] != "" || !b.scraped()) {
		out.Recommendations = Absent(none)
	}
	out.Proposed, out.Open = Of(proposed, none), Of(open, none)
	out.Realisable = Of(realisable, b.why("realisable", "it is not known which nodes can go"))
	out.Changes = b.changes(byID)
	applied := math.NaN()
	seen := false
	for _, c := range out.Changes {
		seen = seen || c.State != NotSeen
		if c.State != Applied {
			continue
		}
		out.AppliedCount++
		if c.Savings.Known() {
			applied = plus(applied, c.Savings.Number())
		}
	}
	switch {
	case !seen:
		why := Absent(b.why("targets", "Prometheus shows nothing that a recommendation changes: it takes kube-state-metrics"))
		if len(out.Changes) == 0 {
			why = Absent(b.why("targets", "no recommendation says what to set"))
		}
		out.Applied, out.Realised = why, why
		return out
	case out.AppliedCount == 0:
		zero := 0.0
		out.Applied, out.Realised = Figure{Value: &zero}, Absent("nothing was applied")
		return out
	}
	out.Applied = Of(applied, "the savings of what was applied are not known")
	out.Realisations = b.realisations(out.Changes)
	realised, unknown := math.NaN(), ""
	for _, r := range out.Realisations {
		if r.Monthly.Known() {
			realised = plus(realised, r.Monthly.Number())
		} else {
			unknown = r.Monthly.Absent
		}
	}
	out.Realised = Of(realised, unknown)
	return out
}

// plus adds v to a sum that is NaN until there is something in it.
func plus(sum, v float64) float64 {
	if math.IsNaN(sum) {
		return v
	}
	return sum + v
}

// within returns the series of a query that have a value in the time.
func (b *book) within(query string) []series.Series {
	var out []series.Series
	for _, s := range b.of(query) {
		if _, when := last(s, b.to); when >= b.from {
			out = append(out, s)
		}
	}
	return out
}

// newest returns the time of the newest value of a query: what is not there then is not open any more.
func (b *book) newest(query string) int64 {
	t := int64(0)
	for _, s := range b.of(query) {
		_, when := last(s, b.to)
		t = max(t, when)
	}
	return t
}

// changes returns every recommendation that says what to set, and whether it was.
func (b *book) changes(savings map[string]float64) []Change {
	byID := map[string]*Change{}
	var ids []string
	for _, target := range b.within("targets") {
		ls := target.Labels
		seen, ok := first(target, b.from)
		if !ok {
			continue
		}
		id := ls.Get("id")
		c := byID[id]
		if c == nil {
			v, known := savings[id]
			if !known {
				v = math.NaN()
			}
			c = &Change{
				ID: id, Kind: ls.Get("kind"), Cluster: ls.Get("cluster"), Namespace: ls.Get("namespace"), Workload: ls.Get("workload"), Container: ls.Get("container"),
				Seen: seconds(seen), State: NotSeen, At: Absent("it was not applied"), Savings: Of(v, "no price is known"), Moves: []Move{},
			}
			byID[id] = c
			ids = append(ids, id)
		}
		if m, ok := b.move(target, ls, seen); ok {
			c.Moves = append(c.Moves, m)
		}
	}
	out := []Change{}
	for _, id := range ids {
		c := byID[id]
		settle(c)
		out = append(out, *c)
	}
	slices.SortStableFunc(out, func(x, y Change) int {
		return cmp.Or(cmp.Compare(rank(x.State), rank(y.State)), cmp.Compare(orZero(y.Savings), orZero(x.Savings)), strings.Compare(x.ID, y.ID))
	})
	return out
}

func rank(state string) int {
	return slices.Index([]string{Applied, Partly, NotApplied, NotSeen}, state)
}

func orZero(f Figure) float64 {
	if f.Known() {
		return f.Number()
	}
	return 0
}

// settle says what became of c by its moves.
func settle(c *Change) {
	moved, newest := 0, int64(0)
	for _, m := range c.Moves {
		if m.at > 0 {
			moved++
			newest = max(newest, m.at)
		}
	}
	switch {
	case len(c.Moves) == 0:
		c.At = Absent("Prometheus does not show what it changes")
	case moved == 0:
		c.State = NotApplied
	case moved < len(c.Moves):
		c.State, c.At = Partly, Of(seconds(newest), "")
	default:
		c.State, c.At = Applied, Of(seconds(newest), "")
	}
}

// move returns what became of one resource that a recommendation first named at seen. ok is false where
// Prometheus does not show it.
//
// A resource is set as recommended from the first hour on in which it has gone three quarters of the way from
// what it was to what was recommended last, and no further than a quarter beyond.
func (b *book) move(target series.Series, ls labels.Labels, seen int64) (m Move, ok bool) {
	resource := ls.Get("resource")
	if !slices.Contains(Seen, resource) {
		return Move{}, false
	}
	actual, ok := b.actual(resource, ls)
	if !ok {
		return Move{}, false
	}
	before, _ := last(actual, seen)
	m = Move{Resource: resource, Before: Of(before, "it was not set"), Recommended: math.NaN(), After: Absent("it was not changed")}
	m.Recommended, _ = last(target, b.to)
	for t := seen; t <= b.to; t += hour {
		v := at(actual, t)
		want, _ := last(target, t)
		if math.IsNaN(v) || math.IsNaN(want) {
			continue
		}
		if reached(before, want, v) {
			m.at, m.After, m.Recommended = t, Of(v, ""), want
			break
		}
	}
	return m, true
}

// reached reports whether v is what was wanted in the place of before, which is NaN where nothing was set.
func reached(before, want, v float64) bool {
	if math.IsNaN(before) {
		return math.Abs(v-want) <= 0.25*math.Abs(want)
	}
	if math.Abs(want-before) <= 0.01*math.Abs(before) {
		return false // nothing was to be changed
	}
	way := (v - before) / (want - before)
	return way >= 0.75 && way <= 1.25
}

// actual returns what is set of a resource of the target of a recommendation.
func (b *book) actual(resource string, ls labels.Labels) (series.Series, bool) {
	of := []string{"cluster", "namespace", "workload"}
	switch {
	case resource == "nodes":
		of = []string{"cluster"}
	case ls.Has("container"):
		of = append(of, "container")
	}
	for _, s := range b.of(resource) {
		if key(s.Labels, of...) == key(ls, of...) {
			return s, true
		}
	}
	return series.Series{}, false
}

// realisations judges each namespace by the seven days from its first change on, then by those from the
// first change after them on.
func (b *book) realisations(changes []Change) []Realisation {
	type place struct{ cluster, ns string }
	by := map[place][]Change{}
	var places []place
	for _, c := range changes {
		if c.State == Applied {
			p := place{c.Cluster, c.Namespace}
			if by[p] == nil {
				places = append(places, p)
			}
			by[p] = append(by[p], c)
		}
	}
	slices.SortFunc(places, func(x, y place) int {
		return cmp.Or(strings.Compare(x.cluster, y.cluster), strings.Compare(x.ns, y.ns))
	})
	out := []Realisation{}
	for _, p := range places {
		of := by[p]
		slices.SortFunc(of, func(x, y Change) int { return cmp.Compare(x.At.Number(), y.At.Number()) })
		for len(of) > 0 {
			start := int64(1000 * of[0].At.Number())
			n := 1
			for n < len(of) && int64(1000*of[n].At.Number()) < start+week {
				n++
			}
			r := b.realised(p.cluster, p.ns, start)
			for _, c := range of[:n] {
				r.IDs = append(r.IDs, c.ID)
			}
			out = append(out, r)
			of = of[n:]
		}
	}
	return out
}

// realised compares the seven days from start on with what was forecast for seven days within the day before.
func (b *book) realised(cluster, ns string, start int64) Realisation {
	r := Realisation{Cluster: cluster, Namespace: ns, At: seconds(start)}
	scope := "namespace"
	if ns == "" { // nodes and what else has none
		scope, cluster = "total", ""
	}
	before := func(query string) float64 {
		v, when := last(b.forecast(query, scope, cluster, ns, "7d"), start-hour)
		if when < start-day {
			return math.NaN()
		}
		return v
	}
	value, lower, upper := before("forecast"), before("forecast_lower"), before("forecast_upper")
	r.Forecast = Of(value, b.why("forecast", "no forecast of its spend was made within the day before the change"))
	spends := select1(b.of("spend"), "scope", scope, "cluster", cluster, "namespace", ns)
	switch {
	case start+week > b.to:
		r.Spent = Absent(fmt.Sprintf("the seven days after the change are not over: ask again in %d hours", (start+week-b.to+hour-1)/hour))
	case len(spends) == 0:
		r.Spent = Absent(b.why("spend", "its spend is not known"))
	default:
		r.Spent = Of(full(spends[0], start, start+week), fmt.Sprintf("the spend of less than %.0f %% of the hours of these seven days is known", 100*enough))
	}
	if !r.Forecast.Known() || !r.Spent.Known() {
		why := r.Forecast
		if why.Known() {
			why = r.Spent
		}
		r.Monthly, r.Lower, r.Upper = why, why, why
		return r
	}
	monthly := func(forecast float64) Figure {
		return Of((forecast-r.Spent.Number())*hoursPerMonth/168, "the forecast had no interval")
	}
	r.Monthly, r.Lower, r.Upper = monthly(value), monthly(lower), monthly(upper)
	return r
}
