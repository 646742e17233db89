package engine

import (
	"context"
	"fmt"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"

	"github.com/upid/upid/collector/source"
)

const minute = 60_000

// start is the time of the first sample of filled.
const start = 1_700_000_000_000 - 1_700_000_000_000%minute

// open returns an empty engine that is closed after the test.
func open(t testing.TB, o Options) *Engine {
	t.Helper()
	o.Dir = filepath.Join(t.TempDir(), "tsdb")
	e, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// filled returns an engine with a gauge and a counter of n minutes.
func filled(t testing.TB, n int, o Options) *Engine {
	t.Helper()
	e := open(t, o)
	b := e.Batch(t.Context())
	load := labels.FromStrings("__name__", "load", "host", "a", "name", `gr"ün`)
	requests := labels.FromStrings("__name__", "requests_total", "code", "200")
	var refs [2]uint64
	for i := range n {
		for k, v := range []float64{10 + float64(i%1440)/7, float64(30 * i)} {
			ref, err := b.Append(refs[k], []labels.Labels{load, requests}[k], start+int64(i)*minute, v)
			if err != nil {
				t.Fatal(err)
			}
			refs[k] = ref
		}
	}
	if b.Len() != 2*n {
		t.Errorf("%d samples counted, want %d", b.Len(), 2*n)
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	if e.Series() != 2 {
		t.Errorf("%d series, want 2", e.Series())
	}
	return e
}

// client returns the repository's own source for the engine's API.
func client(t testing.TB, e *Engine, o source.Options) *source.Prometheus {
	t.Helper()
	srv := httptest.NewServer(e.Handler())
	o.URL = srv.URL
	p, err := source.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(); srv.Close() })
	return p
}

// TestSource reads the engine as upid reads any Prometheus.
func TestSource(t *testing.T) {
	const n = 14 * 1440 // more than one request may have
	p := client(t, filled(t, n, Options{MaxSamples: 30_000}), source.Options{})
	if err := p.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	d, err := p.Query(t.Context(), `last_over_time(load[1m])`, start, start+(n-1)*minute, minute)
	if err != nil || len(d.Series) != 1 || d.Partial || len(d.Series[0].Values) != n {
		t.Fatalf("%d series, partial %v, %v", len(d.Series), d.Partial, err)
	}
	if got := d.Series[0].Labels.Get("name"); got != `gr"ün` {
		t.Errorf("label %q", got)
	}
	for i, v := range d.Series[0].Values {
		if want := 10 + float64(i%1440)/7; v != want {
			t.Fatalf("point %d is %v, want %v", i, v, want)
		}
	}
	d, err = p.Query(t.Context(), `rate(requests_total[5m])`, start+10*minute, start+20*minute, minute)
	if err != nil || len(d.Series) != 1 || math.Abs(d.Series[0].Values[3]-0.5) > 1e-9 {
		t.Errorf("rate: %+v, %v", d, err)
	}
	// 30,000 samples do not hold two weeks of five series: the source asks for less.
	var terms []string
	for i := range 5 {
		terms = append(terms, fmt.Sprintf(`label_replace(load offset %dm, "i", "%d", "", "")`, i+1, i))
	}
	if d, err = p.Query(t.Context(), strings.Join(terms, " or "), start+10*minute, start+(n-1)*minute, minute); err != nil || len(d.Series) != 5 {
		t.Errorf("too many samples: %d series, %v", len(d.Series), err)
	}
	if d, err = p.Instant(t.Context(), `load`, start+7*minute); err != nil || len(d.Series) != 1 || d.Series[0].Values[0] != 11 {
		t.Errorf("instant: %+v, %v", d, err)
	}
	for query, want := range map[string]string{
		`sum(`: "bad_data",
		`load * on () group_left () (load or requests_total)`: "execution",
	} {
		if _, err := p.Query(t.Context(), query, start, start+minute, minute); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", query, err, want)
		}
	}
}

// TestStale ends a series: it is gone at once, not after the lookback.
func TestStale(t *testing.T) {
	e := open(t, Options{})
	ls := labels.FromStrings("__name__", "up", "instance", "a")
	b := e.Batch(t.Context())
	ref, err := b.Append(0, ls, start, 1)
	if err == nil {
		_, err = b.Append(ref, ls, start+minute, math.Float64frombits(value.StaleNaN))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	p := client(t, e, source.Options{})
	d, err := p.Query(t.Context(), "up", start, start+2*minute, minute)
	if err != nil || len(d.Series) != 1 {
		t.Fatalf("%+v, %v", d, err)
	}
	if v := d.Series[0].Values; v[0] != 1 || !math.IsNaN(v[1]) || !math.IsNaN(v[2]) {
		t.Errorf("values %v, want 1 and gaps", v)
	}
}

func TestBatch(t *testing.T) {
	e := open(t, Options{})
	b := e.Batch(t.Context())
	if _, err := b.Append(0, labels.EmptyLabels(), start, 1); err == nil {
		t.Error("a series without labels was taken")
	}
	ls := labels.FromStrings("__name__", "a")
	if _, err := b.Append(0, ls, start, 1); err != nil {
		t.Fatal(err)
	}
	if err := b.Rollback(); err != nil {
		t.Fatal(err)
	}
	p := client(t, e, source.Options{})
	if d, err := p.Instant(t.Context(), "a", start); err != nil || len(d.Series) != 0 {
		t.Errorf("rolled back: %+v, %v", d, err)
	}
	b = e.Batch(t.Context())
	if _, err := b.Append(0, ls, start, 1); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	b = e.Batch(t.Context())
	if _, err := b.Append(0, ls, start-minute, 1); err == nil {
		t.Error("a sample before the newest was taken")
	}
	_ = b.Rollback()
}

func TestOpenRefuses(t *testing.T) {
	for _, o := range []Options{{Timeout: -1}, {Concurrency: -1}, {MaxSamples: -1}, {Lookback: -1}} {
		o.Dir = t.TempDir()
		if _, err := Open(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: file}); err == nil {
		t.Error("a file was taken for a directory")
	}
}

func TestTickets(t *testing.T) {
	q := make(tickets, 1)
	if _, err := q.Insert(t.Context(), ""); err != nil || q.GetMaxConcurrent() != 1 {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := q.Insert(ctx, ""); err == nil {
		t.Error("two queries run where one may")
	}
	q.Delete(0)
	if _, err := q.Insert(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

// TestVersion wants the version that go.mod names.
func TestVersion(t *testing.T) {
	b, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	// Module 0.315.0 is Prometheus 3.15.0.
	digits := strings.Split(Version, ".")
	if want := fmt.Sprintf("github.com/prometheus/prometheus v0.%s%02s.%s\n", digits[0], digits[1], digits[2]); !strings.Contains(string(b), want) {
		t.Errorf("go.mod lacks %q", want)
	}
}
