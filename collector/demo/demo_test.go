package demo

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
)

// now is a Wednesday, 15:00 UTC.
var now = time.Date(2026, 3, 18, 15, 0, 0, 0, time.UTC).UnixMilli()

// memory is an Appender that keeps everything.
type memory struct {
	series []*kept
	byKey  map[string]uint64
	n      int
	fail   bool
}

type kept struct {
	key    string
	times  []int64 // ascending
	values []float64
}

func (k *kept) at(t int64) (float64, bool) {
	i, ok := slices.BinarySearch(k.times, t)
	if !ok {
		return 0, false
	}
	return k.values[i], true
}

var errFull = errors.New("full")

func (m *memory) Append(ref uint64, ls labels.Labels, t int64, v float64) (uint64, error) {
	if m.fail && m.n == 100 {
		return 0, errFull
	}
	m.n++
	if ref == 0 {
		key := ls.String()
		if ref = m.byKey[key]; ref == 0 {
			m.series = append(m.series, &kept{key: key})
			ref = uint64(len(m.series))
			m.byKey[key] = ref
		}
	}
	s := m.series[ref-1]
	if n := len(s.times); n > 0 && s.times[n-1] >= t {
		return 0, fmt.Errorf("%s has a sample at %d after one at %d", s.key, t, s.times[n-1])
	}
	s.times, s.values = append(s.times, t), append(s.values, v)
	return ref, nil
}

// scraped returns the samples of the time before now.
func scraped(t testing.TB, o Options, length time.Duration) *memory {
	t.Helper()
	m := &memory{byKey: map[string]uint64{}}
	o.Now = now
	c := New(o)
	for at := now - length.Milliseconds(); at <= now; at += Interval.Milliseconds() {
		if err := c.Scrape(at, m); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// sum adds up the series whose labels hold every text, at time at.
func (m *memory) sum(at int64, texts ...string) (sum float64, n int) {
	for _, s := range m.series {
		if slices.ContainsFunc(texts, func(x string) bool { return !strings.Contains(s.key, x) }) {
			continue
		}
		if v, ok := s.at(at); ok && !value.IsStaleNaN(v) {
			sum += v
			n++
		}
	}
	return sum, n
}

func TestSameSeedSameSamples(t *testing.T) {
	a := scraped(t, Options{Seed: 1, Incidents: Incidents}, 6*time.Hour)
	b := scraped(t, Options{Seed: 1, Incidents: Incidents}, 6*time.Hour)
	other := scraped(t, Options{Seed: 2, Incidents: Incidents}, 6*time.Hour)
	if a.n < 100_000 || a.n != b.n || len(a.series) != len(b.series) {
		t.Fatalf("%d and %d samples of %d and %d series", a.n, b.n, len(a.series), len(b.series))
	}
	differ := 0
	for i, s := range a.series {
		if s.key != b.series[i].key || !slices.Equal(s.times, b.series[i].times) {
			t.Fatalf("%s and %s", s.key, b.series[i].key)
		}
		unlike := &kept{}
		if ref := other.byKey[s.key]; ref != 0 {
			unlike = other.series[ref-1]
		}
		for k, v := range s.values {
			if w := b.series[i].values[k]; math.Float64bits(v) != math.Float64bits(w) {
				t.Fatalf("%s at %d: %v and %v", s.key, s.times[k], v, w)
			}
			if w, ok := unlike.at(s.times[k]); !ok || w != v {
				differ++
			}
		}
	}
	if differ < a.n/2 {
		t.Errorf("another seed changes only %d of %d samples", differ, a.n)
	}
}

// TestCluster is eight days without incidents: what a cluster looks like.
func TestCluster(t *testing.T) {
	length := 8 * day
	m := scraped(t, Options{Seed: 3}, length)
	pod := regexp.MustCompile(`pod="([^"]*)"`)
	names := map[string]*regexp.Regexp{
		"checkout":   regexp.MustCompile(`^checkout-[bcdfghjklmnpqrstvwxz2456789]{10}-[bcdfghjklmnpqrstvwxz2456789]{5}$`),
		"postgres":   regexp.MustCompile(`^postgres-[01]$`),
		"node-agent": regexp.MustCompile(`^node-agent-[bcdfghjklmnpqrstvwxz2456789]{5}$`),
		"report":     regexp.MustCompile(`^report-[0-9]{8}-[bcdfghjklmnpqrstvwxz2456789]{5}$`),
	}
	pods := map[string]map[string]bool{}
	resets, replaced, ended := 0, 0, 0
	for _, s := range m.series {
		key, times := s.key, s.times
		last := 0.0
		for k, at := range times {
			v := s.values[k]
			switch {
			case value.IsStaleNaN(v):
				ended++
			case math.IsNaN(v) || math.IsInf(v, 0) || v < 0:
				t.Fatalf("%s at %d is %v", key, at, v)
			case strings.Contains(key, "_total\"") && v < last:
				resets++
			}
			last = v
		}
		if times[0] > now-length.Milliseconds() {
			replaced++
		}
		if got := pod.FindStringSubmatch(key); got != nil {
			for name, re := range names {
				if strings.Contains(key, `container="`+name+`"`) {
					if !re.MatchString(got[1]) {
						t.Errorf("pod %q of %s", got[1], name)
					}
					if pods[name] == nil {
						pods[name] = map[string]bool{}
					}
					pods[name][got[1]] = true
				}
			}
		}
	}
	if len(pods["checkout"]) < 4 || len(pods["postgres"]) != 2 || len(pods["node-agent"]) != 3 || len(pods["report"]) < 7 {
		t.Errorf("pods %v", pods)
	}
	if resets == 0 || replaced < 30 || ended < 30 {
		t.Errorf("%d counters fell, %d series came later, %d ended", resets, replaced, ended)
	}
	// The evening is busier than the night, the weekday than the weekend where
	// people work, and the shop scales with it.
	rate := func(at int64, texts ...string) float64 {
		a, _ := m.sum(at, texts...)
		b, _ := m.sum(at-10*60_000, texts...)
		return (a - b) / 600
	}
	today := now - 15*3600_000 // midnight
	requests := []string{"http_requests_total", `service="frontend"`}
	if night, busy := rate(today+4*3600_000, requests...), rate(today-4*3600_000, requests...); busy < 3*night || night <= 0 {
		t.Errorf("%v requests a second at night, %v in the evening", night, busy)
	}
	logins := []string{"login_attempts_total"}
	if sunday, monday := rate(today-3*day.Milliseconds()+12*3600_000, logins...), rate(today-2*day.Milliseconds()+12*3600_000, logins...); monday < 2*sunday {
		t.Errorf("%v log-ins a second on Sunday, %v on Monday", sunday, monday)
	}
	_, few := m.sum(today+5*3600_000, "working_set", `container="frontend"`)
	_, many := m.sum(today-4*3600_000, "working_set", `container="frontend"`)
	if few < 2 || many <= few || many > 6 {
		t.Errorf("%d frontends at night, %d in the evening", few, many)
	}
	if _, n := m.sum(today+2*3600_000+30*60_000, "working_set", `container="report"`); n != 1 {
		t.Errorf("%d reports at half past two", n)
	}
	if _, n := m.sum(today+5*3600_000, "working_set", `container="report"`); n != 0 {
		t.Errorf("%d reports at five", n)
	}
	cores, _ := m.sum(now, "container_cpu_allocation")
	if cores < 5 || cores > 14 {
		t.Errorf("%v cores are allocated on 12", cores)
	}
}

// TestIncidentsShow compares the metrics with and without each incident.
func TestIncidentsShow(t *testing.T) {
	f := func(name string, least float64, counter bool, texts ...string) {
		t.Helper()
		i := slices.IndexFunc(Incidents, func(in Incident) bool { return in.Name == name })
		in := Incidents[i]
		in.Start, in.Lasts = -2*time.Hour, min(in.Lasts, time.Hour) // soon enough
		if in.skip {
			in.Start, in.Lasts = -14*time.Hour, 14*time.Hour // two in the morning
		}
		length := -in.Start + 10*time.Minute
		with := scraped(t, Options{Seed: 5, Incidents: []Incident{in}}, length)
		// Without it, but with the releases that it keeps away kept away.
		nothing := Incident{On: in.On, Start: in.Start, Lasts: in.Lasts}
		without := scraped(t, Options{Seed: 5, Incidents: []Incident{nothing}}, length)
		at := now + (in.Start + in.Lasts).Milliseconds() - 60_000
		if in.skip {
			at = now - (12*time.Hour + 30*time.Minute).Milliseconds()
		}
		a, _ := with.sum(at, texts...)
		b, _ := without.sum(at, texts...)
		if counter {
			a0, _ := with.sum(at-15*60_000, texts...)
			b0, _ := without.sum(at-15*60_000, texts...)
			a, b = a-a0, b-b0
		}
		if ratio := a / b; math.Abs(ratio-1) < least || math.IsNaN(ratio) {
			t.Errorf("%s: %v with, %v without it", name, a, b)
		}
	}
	f("cpu_spike", 1.5, true, "container_cpu_usage", `container="checkout"`)
	f("exfiltration", 3, true, "transmit", `pod="postgres`)
	f("outage", 0.9, false, "working_set", `container="payment"`)
	f("login_burst", 5, true, "login_attempts", "failure")
	f("slow_search", 1.5, true, "duration_seconds_sum", `"search"`)
	f("cost_jump", 1.2, false, "container_memory_allocation", `container="catalog"`)
	f("missed_job", 0.9, false, "working_set", `container="report"`)
	f("memory_leak", 0.01, false, "working_set", `container="recommend"`)
	f("host_down", 0.3, false, "up", `job="node"`, "__name__=\"up\"")
	f("traffic_drop", 0.5, true, "http_requests", `"catalog"`)
	f("disk_filling", 0.01, false, "avail_bytes", "node-2", "/data")
	f("error_burst", 5, true, "http_requests", `"frontend"`, "500")
	f("ssh_guessing", 5, true, "ssh_auth_events", "node-1", "failed")
	f("live_errors", 5, true, "http_requests", `"payment"`, "500")
	f("live_spike", 1.5, true, "container_cpu_usage", `container="login"`)
}

// TestLeakEnds runs into the memory limit and a full disk.
// TestProcessorTime holds that no core works longer than the time there is: a
// counter that goes back a little is a reset to PromQL, and a rate of thousands.
func TestProcessorTime(t *testing.T) {
	m := scraped(t, Options{Seed: 1, Incidents: Incidents}, 28*day)
	n := 0
	for _, s := range m.series {
		if !strings.Contains(s.key, "node_cpu_seconds_total") {
			continue
		}
		n++
		for k := 1; k < len(s.values); k++ {
			if a, b := s.values[k-1], s.values[k]; b < a && b > a/2 { // a reboot begins at 0
				t.Fatalf("%s falls from %v to %v at %d", s.key, a, b, s.times[k])
			}
		}
	}
	if n == 0 {
		t.Error("no processors")
	}
}

func TestLeakEnds(t *testing.T) {
	leak := Incident{On: "shop/recommend", Start: -2 * day, Lasts: 3 * day, leak: 600}
	fill := Incident{On: "node-2", Start: -2 * day, Lasts: 3 * day, fill: 0.1}
	m := scraped(t, Options{Seed: 1, Incidents: []Incident{leak, fill}}, day)
	highest, least := 0.0, 1.0
	for at := now - day.Milliseconds(); at <= now; at += 60_000 {
		v, _ := m.sum(at, "working_set", `container="recommend"`)
		highest = max(highest, v)
		free, _ := m.sum(at, "avail_bytes", "node-2", "/data")
		least = min(least, free/(400<<30))
	}
	if highest < 2e9 || highest > 5e9 {
		t.Errorf("%v bytes at most", highest)
	}
	if least > 0.05 || least < 0.02 {
		t.Errorf("%v of the disk is free at least", least)
	}
}

func TestScrapeFails(t *testing.T) {
	m := &memory{byKey: map[string]uint64{}, fail: true}
	if err := New(Options{}).Scrape(now, m); !errors.Is(err, errFull) || m.n != 100 {
		t.Errorf("%v after %d samples", err, m.n)
	}
}

func TestCount(t *testing.T) {
	rng := New(Options{Seed: 1}).rng("test")
	for _, mean := range []float64{0.3, 4, 25, 400} {
		sum := 0.0
		for range 4000 {
			k := count(mean, rng)
			if k < 0 || k != math.Trunc(k) {
				t.Fatalf("%v events", k)
			}
			sum += k
		}
		// The mean of 4,000 has a standard error of √(mean/4000).
		if got := sum / 4000; math.Abs(got-mean) > 4*math.Sqrt(mean/4000) {
			t.Errorf("mean %v, want %v", got, mean)
		}
	}
	if count(0, rng) != 0 || count(-1, rng) != 0 {
		t.Error("something of nothing")
	}
}
