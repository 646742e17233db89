package threats

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/detect/threat"
)

const (
	step  = 5 * time.Minute
	ms    = int64(step / time.Millisecond)
	days  = 288 * ms
	start = 1_000 * days
)

func options() Options {
	return Options{
		Name: "threats-ssh", EntityType: "source", Entity: []string{"source"}, Step: step,
		Detectors: []Detector{
			{
				Spec:    threat.Spec{Name: "ssh-failures", Model: threat.ModelCount, Family: threat.FamilyAuth, Threat: threat.BruteForce, Technique: "T1110.001"},
				Queries: map[string]string{"value": "failed"},
			},
			{
				Spec: threat.Spec{
					Name: "ssh-success", Model: threat.ModelSequence, Family: threat.FamilyAuth, Threat: threat.BruteForceSuccess,
					Technique: "T1110;T1078", After: "ssh-failures",
				},
				Queries: map[string]string{"successes": "accepted"},
			},
		},
	}
}

func unit(t *testing.T, o Options) *Unit {
	t.Helper()
	u, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// failures is ten days of one failed log-in in a hundred slots for each source, and 40 at
// the index attack for those attacked.
func failures(sources, attacked, attack int) []series.Series {
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([]series.Series, sources)
	for i := range out {
		out[i] = series.Series{Labels: labels.FromStrings("source", fmt.Sprintf("192.0.2.%d", i)), Start: start, Step: ms, Values: make([]float64, 10*288)}
		for k := range out[i].Values {
			if rng.IntN(100) == 0 {
				out[i].Values[k] = 1
			}
		}
		if i < attacked {
			out[i].Values[attack] = 40
		}
	}
	return out
}

// part is the input of a pass over the points from first to last.
func part(ss []series.Series, first, last int) pipeline.Input {
	in := pipeline.Input{Start: start + int64(first)*ms, End: start + int64(last)*ms, Series: series.Set{}}
	var cut []series.Series
	for _, s := range ss {
		cut = append(cut, s.Slice(in.Start, in.End+1))
	}
	in.Series["ssh-failures/value"] = series.Data{Series: cut}
	return in
}

func fit(t *testing.T, u pipeline.Unit, in pipeline.Input) {
	t.Helper()
	commit, err := u.Fit(context.Background(), in.End, in)
	if err != nil {
		t.Fatal(err)
	}
	commit()
}

func pass(t *testing.T, u *Unit, in pipeline.Input) []series.Result {
	t.Helper()
	rs, err := u.Step(context.Background(), in.End, in)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

const attack = 9*288 + 36

func TestUnit_bruteForce(t *testing.T) {
	ss := failures(3, 1, attack)
	u := unit(t, options())
	fit(t, u, part(ss, 0, attack-1))
	if got := u.Position(); got != start+(attack-1)*ms {
		t.Errorf("position %d", got)
	}
	rs := pass(t, u, part(ss, attack, attack))
	if len(rs) != 1 || len(rs[0].Findings) != 1 {
		t.Fatalf("%d results, want the attacked source: %+v", len(rs), rs)
	}
	r, f := rs[0], rs[0].Findings[0]
	if got, want := r.Labels.String(), `{entity="192.0.2.0", entity_type="source", source="192.0.2.0"}`; got != want {
		t.Errorf("labels %s, want %s", got, want)
	}
	if r.Threat == nil || r.Threat.Threat != threat.BruteForce || r.Threat.Technique != "T1110.001" || r.Threat.Risk < 60 || r.Threat.Risk >= 70 || r.Threat.Observed != 40 {
		t.Errorf("threat %+v", r.Threat)
	}
	if f.Type != threat.BruteForce || f.Severity != "warning" || !f.Open() || f.Start != start+attack*ms || f.Threat == nil || f.ID != f.Threat.ID || f.ID == "" || f.Family != "security_breach" {
		t.Errorf("finding %+v", f)
	}

	// It is open for the hold, then over, said for a while, and the risk decays.
	rs = pass(t, u, part(ss, attack+1, attack+3))
	if f := rs[0].Findings[0]; !f.Open() {
		t.Errorf("over after a quarter of an hour: %+v", f)
	}
	rs = pass(t, u, part(ss, attack+4, attack+4))
	if f := rs[0].Findings[0]; f.Open() || f.End != start+(attack+4)*ms || rs[0].Threat == nil {
		t.Errorf("not over after the hold: %+v", f)
	}
	rs = pass(t, u, part(ss, attack+5, attack+20))
	if len(rs) != 1 || len(rs[0].Findings) != 0 || rs[0].Threat == nil || rs[0].Threat.ID != "" {
		t.Errorf("want a risk without a finding: %+v", rs)
	}
}

// TestUnit_replay: a process that starts after the attack says what one says that was there.
func TestUnit_replay(t *testing.T) {
	ss := failures(3, 1, attack)
	there, later := unit(t, options()), unit(t, options())
	fit(t, there, part(ss, 0, attack-1))
	pass(t, there, part(ss, attack, attack))
	a := pass(t, there, part(ss, attack+1, attack+2))
	fit(t, later, part(ss, 0, attack))
	b := pass(t, later, part(ss, attack+1, attack+2))
	if !reflect.DeepEqual(text(a), text(b)) {
		t.Errorf("there: %s\nlater: %s", text(a), text(b))
	}
	// A pass that is made again changes nothing.
	again := pass(t, there, part(ss, attack+1, attack+2))
	if text(a) != text(again) {
		t.Errorf("again: %s", text(again))
	}
}

// text shows results with what they point at.
func text(rs []series.Result) string {
	s := ""
	for _, r := range rs {
		if r.Threat != nil {
			s += fmt.Sprintf("%s %+v\n", r.Labels, *r.Threat)
		}
		for _, f := range r.Findings {
			s += fmt.Sprintf("  %s %s %d %d %g %+v\n", f.ID, f.Severity, f.Start, f.End, f.Peak, *f.Threat)
		}
	}
	return s
}

func TestUnit_campaign(t *testing.T) {
	ss := failures(8, 6, attack)
	u := unit(t, options())
	fit(t, u, part(ss, 0, attack-1))
	rs := pass(t, u, part(ss, attack, attack))
	var open []series.Finding
	risks := 0
	for _, r := range rs {
		for _, f := range r.Findings {
			if f.Open() {
				open = append(open, f)
			}
		}
		if r.Threat != nil {
			risks++
		}
	}
	if risks != 6 {
		t.Errorf("%d entities with a risk, want 6", risks)
	}
	if len(open) != 1 {
		t.Fatalf("%d open findings, want the campaign only: %s", len(open), text(rs))
	}
	c := open[0].Threat
	if c.Entity != "multiple" || len(c.Entities) != 6 || c.Entities[0] != "192.0.2.0" || c.Threat != threat.BruteForce || c.Technique != "T1110.001" || c.Confidence <= 0 || len(c.Evidence) != 3 {
		t.Errorf("campaign %+v", c)
	}
	rs = pass(t, u, part(ss, attack+1, attack+4))
	for _, r := range rs {
		for _, f := range r.Findings {
			if f.Open() {
				t.Errorf("still open: %+v", f.Threat)
			}
		}
	}
}

// TestUnit_campaignLater: alerts that were said one by one end when the campaign begins.
func TestUnit_campaignLater(t *testing.T) {
	ss := failures(8, 0, attack)
	for i := range 6 {
		ss[i].Values[attack+i/3] = 40 // three and three
	}
	u := unit(t, options())
	fit(t, u, part(ss, 0, attack-1))
	count := func(rs []series.Result) (open, over int) {
		for _, r := range rs {
			for _, f := range r.Findings {
				if f.Open() {
					open++
				} else {
					over++
				}
			}
		}
		return open, over
	}
	if open, over := count(pass(t, u, part(ss, attack, attack))); open != 3 || over != 0 {
		t.Errorf("first slot: %d open, %d over", open, over)
	}
	if open, over := count(pass(t, u, part(ss, attack+1, attack+1))); open != 1 || over != 3 {
		t.Errorf("second slot: %d open, %d over, want one campaign for three", open, over)
	}
}

func TestUnit_allowed(t *testing.T) {
	ss := failures(3, 1, attack)
	o := options()
	o.Allow = Allow{CIDRs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/31")}}
	var stats Stats
	o.Observe = func(s Stats) { stats = s }
	u := unit(t, o)
	fit(t, u, part(ss, 0, attack-1))
	if rs := pass(t, u, part(ss, attack, attack)); len(rs) != 0 {
		t.Errorf("an address on the allow-list: %s", text(rs))
	}
	if stats.Allowed != 2 || stats.Watched != 1 {
		t.Errorf("stats %+v, want two left out and one watched", stats)
	}
}

func TestUnit_quiet(t *testing.T) {
	ss := failures(3, 1, attack)
	ss[0].Values[attack+1], ss[0].Values[attack+2] = 40, 40
	o := options()
	var stats Stats
	o.Observe = func(s Stats) { stats = s }
	o.Quiet = func(t int64) bool { return t < start+(attack+2)*ms }
	u := unit(t, o)
	fit(t, u, part(ss, 0, attack-1))
	rs := pass(t, u, part(ss, attack, attack+1))
	if len(rs) != 1 || len(rs[0].Findings) != 0 || rs[0].Threat == nil || stats.Quiet != 1 {
		t.Errorf("in the window: %s %+v", text(rs), stats)
	}
	rs = pass(t, u, part(ss, attack+2, attack+2))
	if len(rs) != 1 || len(rs[0].Findings) != 1 || stats.Quiet != 0 {
		t.Errorf("after the window the attack goes on and is said: %s", text(rs))
	}
}

// TestUnit_quietCampaign: a campaign that begins in maintenance is one when that is over, if
// more than one of its alerts last.
func TestUnit_quietCampaign(t *testing.T) {
	for _, c := range []struct{ lasting, entities int }{{6, 6}, {2, 2}, {1, 1}, {0, 0}} {
		ss := failures(8, 6, attack)
		for i := range c.lasting {
			for k := range 8 {
				ss[i].Values[attack+k] = 40
			}
		}
		o := options()
		o.Quiet = func(t int64) bool { return t < start+(attack+6)*ms }
		u := unit(t, o)
		fit(t, u, part(ss, 0, attack-1))
		for k := range 6 {
			for _, r := range pass(t, u, part(ss, attack+k, attack+k)) {
				if len(r.Findings) != 0 {
					t.Errorf("%d last: said in the window: %s", c.lasting, text([]series.Result{r}))
				}
			}
		}
		rs := pass(t, u, part(ss, attack+6, attack+6))
		var found []series.Finding
		for _, r := range rs {
			found = append(found, r.Findings...)
		}
		if c.entities == 0 {
			if len(found) != 0 || len(u.now.campaigns) != 0 {
				t.Errorf("none lasts: %s and %d campaigns", text(rs), len(u.now.campaigns))
			}
			continue
		}
		if len(found) != 1 || !found[0].Open() {
			t.Errorf("%d last: %d findings, want one: %s", c.lasting, len(found), text(rs))
			continue
		}
		many := found[0].Threat.Entity == "multiple"
		if many != (c.entities > 1) || many && len(found[0].Threat.Entities) != c.entities {
			t.Errorf("%d last: %+v", c.lasting, found[0].Threat)
		}
	}
}

// TestUnit_fitBesideStep: a fit leaves alone what steps use (go test -race), and what it
// leaves out of the history is not counted.
func TestUnit_fitBesideStep(t *testing.T) {
	ss := failures(3, 0, 0)
	o := options()
	o.Allow = Allow{CIDRs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/31")}}
	var stats Stats
	o.Observe = func(s Stats) { stats = s }
	u := unit(t, o)
	history := part(ss, 0, 99)
	fit(t, u, history)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := u.Fit(context.Background(), history.End, history); err != nil {
			t.Error(err)
		}
	})
	for k := range 20 {
		pass(t, u, part(ss[:1], 100+k, 100+k))
	}
	wg.Wait()
	fit(t, u, history)
	pass(t, u, pipeline.Input{Start: history.End + ms, End: history.End, Series: series.Set{}})
	if stats.Allowed != 1 {
		t.Errorf("%d series left out, want the one of the newest answers", stats.Allowed)
	}
}

func TestUnit_export(t *testing.T) {
	ss := failures(9, 4, attack)
	o := options()
	o.Export = 2
	var stats Stats
	o.Observe = func(s Stats) { stats = s }
	u := unit(t, o)
	fit(t, u, part(ss, 0, attack-1))
	rs := pass(t, u, part(ss, attack, attack))
	risks, findings := 0, 0
	for _, r := range rs {
		if r.Threat != nil {
			risks++
		}
		findings += len(r.Findings)
	}
	if risks != 2 || findings != 4 || stats.Left != 2 || stats.Bands["medium"] != 4 || stats.Opened[threat.BruteForce] != 4 {
		t.Errorf("%d risks, %d findings, %+v: want two risks, every alert, and two counted", risks, findings, stats)
	}
}

func TestUnit_recurrence(t *testing.T) {
	ss := failures(3, 1, attack)
	ss[0].Values[attack-288] = 40
	u := unit(t, options())
	fit(t, u, part(ss, 0, attack-1))
	rs := pass(t, u, part(ss, attack, attack))
	if len(rs) != 1 || len(rs[0].Findings) != 1 || rs[0].Findings[0].Threat.Recurrences != 1 {
		t.Errorf("want the second alert: %s", text(rs))
	}
}

// TestUnit_nothing: no data, gaps and a cancelled pass.
func TestUnit_nothing(t *testing.T) {
	u := unit(t, options())
	fit(t, u, pipeline.Input{Start: start, End: start + 10*ms, Series: series.Set{}})
	if rs := pass(t, u, pipeline.Input{Start: start + 11*ms, End: start + 11*ms, Series: series.Set{}}); len(rs) != 0 {
		t.Errorf("results of nothing: %s", text(rs))
	}
	ss := failures(1, 1, attack)
	for i := range ss[0].Values {
		ss[0].Values[i] = math.NaN()
	}
	if rs := pass(t, u, part(ss, 12, attack)); len(rs) != 0 {
		t.Errorf("results of gaps: %s", text(rs))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := u.Step(ctx, 0, part(ss, attack+1, attack+1)); err == nil {
		t.Error("a cancelled pass succeeds")
	}
}

// TestUnit_flood sends more sources in one slot than are watched or have names: memory is
// bounded, and it is said. The package threat is tested with a million.
func TestUnit_flood(t *testing.T) {
	u := unit(t, options())
	fit(t, u, part(failures(3, 0, 0), 0, attack-1))
	in := part(nil, attack, attack)
	many := make([]series.Series, 2*maxNames)
	values := []float64{1}
	for i := range many {
		many[i] = series.Series{Labels: labels.FromStrings("source", fmt.Sprintf("u%d", i)), Start: in.Start, Step: ms, Values: values}
	}
	in.Series["ssh-failures/value"] = series.Data{Series: many}
	rs := pass(t, u, in)
	if len(rs) != 1 || rs[0].Threat == nil || rs[0].Threat.Entity != threat.FloodEntity {
		t.Fatalf("%d results, want the flood", len(rs))
	}
	if n := len(u.now.names); n > maxNames {
		t.Errorf("%d names are remembered, want at most %d", n, maxNames)
	}
	if n, _ := u.now.monitor.Detectors()[0].Entities(); n > 50_000 {
		t.Errorf("%d entities are watched", n)
	}
}

func TestAllow(t *testing.T) {
	a := Allow{
		CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")},
		Users: []string{"ci", "system:serviceaccount:build:*"}, Namespaces: []string{"kube-*"},
	}
	for _, c := range []struct {
		name, value string
		want        bool
	}{
		{"ipAddress", "10.1.2.3", true},
		{"source", "10.1.2.3:4711", true},
		{"source", "::ffff:10.1.2.3", true},
		{"source", "[2001:db8::1]:22", true},
		{"source", "2001:db9::1", false},
		{"source", "11.1.2.3", false},
		{"user", "ci", true},
		{"user", "cia", false},
		{"username", "system:serviceaccount:build:bot", true},
		{"source_principal", "ci", true},
		{"host", "ci", false},
		{"namespace", "kube-system", true},
		{"k8s_ns_name", "kube-system", true},
		{"resource_namespace", "shop", false},
		{"user", "", false},
	} {
		if got := a.Match(labels.FromStrings("a", "b", c.name, c.value)); got != c.want {
			t.Errorf("%s=%q: %v", c.name, c.value, got)
		}
	}
	if (&Allow{}).Match(labels.FromStrings("user", "x")) {
		t.Error("an empty list leaves somebody out")
	}
}

func TestWildcard(t *testing.T) {
	for _, c := range []struct {
		pattern, v string
		want       bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "abc", true},
		{"a*", "abc", true},
		{"*c", "abc", true},
		{"a*c", "abc", true},
		{"a*b", "abc", false},
		{"a*c", "a", false},
		{"*b*", "abc", true},
		{"**", "x", true},
		{"a*a", "a", false},
	} {
		if got := Wildcard(c.pattern, c.v); got != c.want {
			t.Errorf("Wildcard(%q, %q) = %v", c.pattern, c.v, got)
		}
	}
}
