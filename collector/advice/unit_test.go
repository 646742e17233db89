package advice

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
	"github.com/upid/upid/rules/recommend"
)

const hourMS = 3600_000

// hourly makes n hourly values that end at hour n-1.
func hourly(n int, at func(i int) float64, ls ...string) series.Series {
	s := series.Series{Labels: labels.FromStrings(ls...), Start: 0, Step: hourMS, Values: make([]float64, n)}
	for i := range s.Values {
		s.Values[i] = at(i)
	}
	return s
}

func constant(v float64) func(int) float64 { return func(int) float64 { return v } }

// input is the answer of a pass over n hours.
func input(n int, answers map[string][]series.Series) pipeline.Input {
	in := pipeline.Input{Start: 0, End: int64(n-1) * hourMS, Series: series.Set{}, Results: nil}
	for name, s := range answers {
		in.Series[name] = series.Data{Series: s}
	}
	return in
}

func unitOfAll(t *testing.T, advisors ...Advisor) *Unit {
	t.Helper()
	u, err := New("capacity", time.Hour, time.Hour, map[string]string{"disk_used": "used"}, advisors...)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// pass fits and steps.
func pass(t *testing.T, u *Unit, n int, answers map[string][]series.Series) []series.Result {
	t.Helper()
	in := input(n, answers)
	commit, err := u.Fit(context.Background(), in.End, in)
	if err != nil {
		t.Fatal(err)
	}
	commit()
	if u.Position() != in.End {
		t.Errorf("position %d, want %d", u.Position(), in.End)
	}
	rs, err := u.Step(context.Background(), in.End, pipeline.Input{Start: in.End + 1, End: in.End})
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func filling(perDay, from float64) func(int) float64 {
	return func(i int) float64 { return from + perDay*float64(i)/24 }
}

// TestUrgentDisk: a disk that is full in four days is an alert that begins where it
// became urgent, whatever fit finds it, and ends when it is emptied.
func TestUrgentDisk(t *testing.T) {
	const gib = 1 << 30
	disk := []string{"instance", "a:9100", "job", "node", "mountpoint", "/var"}
	answers := map[string][]series.Series{
		"disk_used": {hourly(672, filling(2*gib, 36*gib), disk...), hourly(672, constant(10), "instance", "b:9100", "job", "node", "mountpoint", "/")},
		"disk_size": {hourly(672, constant(100*gib), disk...)}, // that of b is not known
	}
	u := unitOfAll(t, Capacity(Pairs))
	rs := pass(t, u, 672, answers)
	if len(rs) != 2 {
		t.Fatalf("%d results, want a capacity and a recommendation", len(rs))
	}
	var c *series.Capacity
	var f *series.Finding
	var r recommend.Recommendation
	for i := range rs {
		switch p := rs[i].Plan; {
		case p.Capacity != nil:
			c = p.Capacity
			if len(rs[i].Findings) == 1 {
				f = &rs[i].Findings[0]
			}
			if rs[i].Labels.Get("capacity") != "disk" || rs[i].Labels.Get("mountpoint") != "/var" {
				t.Errorf("labels %s", rs[i].Labels)
			}
		case p.Advice != nil:
			if err := json.Unmarshal(p.Advice.Object, &r); err != nil {
				t.Fatal(err)
			}
			if p.Advice.State != "open" || p.Advice.OptimizationType != "capacity_planning" || rs[i].Labels.Get("id") != r.ID {
				t.Errorf("advice %+v of %s", p.Advice, rs[i].Labels)
			}
		}
	}
	// It holds 92 GiB of 100 and takes in 2 a day.
	if want := 4 * 86400.0; c == nil || math.Abs(c.Median-want) > 0.15*want || c.Probability[1] < 0.8 {
		t.Fatalf("capacity %+v, want 4 days", c)
	}
	if r.Urgency != recommend.UrgencyNow || !strings.Contains(r.Action, "clean up the disk: a:9100 /var is full in") || r.Recommended[recommend.StorageBytes] <= 100*gib {
		t.Errorf("recommendation %+v", r)
	}
	if f == nil || f.Note == nil || f.Note.Alert != rules.AlertCapacity || f.Severity != "warning" || f.Type != TypeExhaustion || f.ID == "" {
		t.Fatalf("finding %+v", f)
	}
	if f.Start >= 671*hourMS {
		t.Errorf("the alert begins with the fit that finds it, want earlier")
	}
	first := *f

	// Another process that starts an hour later says the same of the beginning.
	answers["disk_used"][0] = hourly(673, filling(2*gib, 36*gib), disk...)
	answers["disk_size"][0] = hourly(673, constant(100*gib), disk...)
	for _, r := range pass(t, unitOfAll(t, Capacity(Pairs)), 673, answers) {
		for _, f := range r.Findings {
			if f.Start != first.Start || f.ID != first.ID {
				t.Errorf("start %d and id %s after a restart, want %d and %s", f.Start, f.ID, first.Start, first.ID)
			}
		}
	}

	// Two hours on, without a new fit, two hours fewer are left.
	rs, err := u.Step(context.Background(), 673*hourMS, pipeline.Input{Start: 672 * hourMS, End: 673 * hourMS})
	if err != nil {
		t.Fatal(err)
	}
	for i := range rs {
		if p := rs[i].Plan.Capacity; p != nil && math.Abs(c.Median-p.Median-7200) > 1 {
			t.Errorf("%.0f s left two hours later, were %.0f", p.Median, c.Median)
		}
	}

	// It is emptied: the finding ends.
	emptied := func(i int) float64 {
		if i > 672 {
			return 20 * gib
		}
		return filling(2*gib, 36*gib)(i)
	}
	answers["disk_used"][0] = hourly(680, emptied, disk...)
	answers["disk_size"][0] = hourly(680, constant(100*gib), disk...)
	ended := 0
	for _, r := range pass(t, u, 680, answers) {
		for _, f := range r.Findings {
			if f.ID == first.ID && f.End == 679*hourMS {
				ended++
			}
		}
	}
	if ended != 1 {
		t.Errorf("%d findings ended, want that of the disk", ended)
	}
}

func TestLeakAndCertificate(t *testing.T) {
	pod := []string{"namespace", "shop", "pod", "cart-7d9f8b6c5d-x2k4p", "container", "app"}
	leak := func(i int) float64 { return (400 + 12*math.Max(0, float64(i-300))) * (1 << 20) }
	answers := map[string][]series.Series{
		"memory_floor":     {hourly(330, leak, pod...)},
		"memory_limit":     {hourly(330, constant(1<<30), pod...)},
		"certificate_left": {hourly(330, func(i int) float64 { return 86400*3 + 3600*float64(329-i) }, "instance", "https://shop"), hourly(330, constant(86400*80), "instance", "https://far")},
	}
	var kinds []string
	for _, r := range pass(t, unitOfAll(t, Leaks, Certificates), 330, answers) {
		if a := r.Plan.Advice; a != nil {
			kinds = append(kinds, a.Kind+" "+a.Urgency)
		}
		if c := r.Plan.Capacity; c != nil && c.Kind == "certificate" && r.Labels.Get("instance") == "https://far" && c.Probability[3] != 1 {
			t.Errorf("80 days: %+v", c)
		}
	}
	if got := fmt.Sprint(kinds); !strings.Contains(got, "memory_leak") || !strings.Contains(got, "certificate_expiry now") || len(kinds) != 2 {
		t.Errorf("recommendations %v", kinds)
	}
}

// TestKept: an open finding keeps its beginning and its severity from fit to fit, until it ends.
func TestKept(t *testing.T) {
	left := func(hours float64) map[string][]series.Series {
		return map[string][]series.Series{"certificate_left": {hourly(330, constant(3600*hours), "instance", "https://shop")}}
	}
	u := unitOfAll(t, Certificates)
	find := func(hours float64) *series.Finding {
		t.Helper()
		for _, r := range pass(t, u, 330, left(hours)) {
			for _, f := range r.Findings {
				if f.Open() {
					return &f
				}
			}
		}
		return nil
	}
	first := find(20)
	if first == nil || first.Severity != series.SeverityCritical {
		t.Fatalf("20 hours left: %+v", first)
	}
	if f := find(72); f == nil || f.ID != first.ID || f.Start != first.Start || f.Severity != series.SeverityCritical {
		t.Errorf("three days left: %+v, was %+v", f, first)
	}
	if f := find(24 * 80); f != nil {
		t.Errorf("renewed: %+v", f)
	}
	if f := find(72); f == nil || f.ID == first.ID || f.Severity != series.SeverityWarning {
		t.Errorf("another: %+v, the first was %+v", f, first)
	}
}

// TestNothing: no data is no error, and the unit goes on.
func TestNothing(t *testing.T) {
	u := unitOfAll(t, Capacity(Pairs), Leaks, Certificates)
	if rs := pass(t, u, 48, nil); len(rs) != 0 {
		t.Errorf("%d results of nothing", len(rs))
	}
	// Without a limit nothing is said of a leak or a disk.
	answers := map[string][]series.Series{
		"memory_floor": {hourly(330, filling(1<<30, 0), "pod", "a")},
		"disk_used":    {hourly(330, filling(1<<30, 0), "instance", "a")},
	}
	if rs := pass(t, u, 330, answers); len(rs) != 0 {
		t.Errorf("%d results without limits", len(rs))
	}
}

func TestOnly(t *testing.T) {
	answers := map[string][]series.Series{
		"certificate_left": {hourly(30, constant(86400), "instance", "https://shop")},
	}
	for _, r := range pass(t, unitOfAll(t, Only(Certificates, []string{"memory_leak"})), 30, answers) {
		if len(r.Findings) > 0 {
			t.Errorf("a finding of a kind nobody asked for: %+v", r.Findings)
		}
		if r.Plan.Advice != nil {
			t.Errorf("a recommendation of a kind nobody asked for: %+v", r.Plan.Advice)
		}
	}
}

func TestCustomLimit(t *testing.T) {
	pairs := []Pair{{Kind: "custom", Used: "limit/heads/used", Limit: "limit/heads", Unit: "series"}}
	answers := map[string][]series.Series{
		"limit/heads/used": {hourly(672, filling(100, 2000), "instance", "p:9090")},
		"limit/heads":      {hourly(672, constant(5000))}, // one for all
	}
	for _, r := range pass(t, unitOfAll(t, Capacity(pairs)), 672, answers) {
		if a := r.Plan.Advice; a != nil && strings.Contains(a.Action, "p:9090 heads") && a.Targets[0].Value < 86400*5 {
			return
		}
	}
	t.Error("no recommendation for a limit of one's own")
}

func TestNewRefuses(t *testing.T) {
	for _, f := range []func() (*Unit, error){
		func() (*Unit, error) { return New("a", 0, time.Hour, map[string]string{"a": "b"}, Leaks) },
		func() (*Unit, error) { return New("a", time.Hour, time.Minute, map[string]string{"a": "b"}, Leaks) },
		func() (*Unit, error) { return New("a", time.Hour, time.Hour, nil, Leaks) },
		func() (*Unit, error) { return New("a", time.Hour, time.Hour, map[string]string{"a": "b"}) },
	} {
		if _, err := f(); err == nil {
			t.Error("no error")
		}
	}
}
