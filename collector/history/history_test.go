package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	"go.uber.org/goleak"

	"github.com/upid/upid/collector/series"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	minute = int64(60_000)
	hour   = 60 * minute
	aDay   = 24 * hour
)

// epoch is a midnight.
var epoch = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixMilli()

// server is a fake upstream: what each series has is a function of time.
type server struct {
	mu      sync.Mutex
	series  []one
	asked   []span
	newest  int64
	err     error
	partial bool
}

type one struct {
	labels labels.Labels
	value  func(t int64) float64
}

func (s *server) Query(_ context.Context, _ string, start, end, step int64) (series.Data, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest = max(s.newest, end)
	if start != end || end == s.newest { // else it is a look for what came late
		s.asked = append(s.asked, span{start, end})
	}
	if s.err != nil {
		return series.Data{}, s.err
	}
	var d series.Data
	for _, o := range s.series {
		y := series.Series{Labels: o.labels, Start: start, Step: step, Values: nil}
		for t := start; t <= end; t += step {
			y.Values = append(y.Values, o.value(t))
		}
		for len(y.Values) > 0 && math.IsNaN(y.Values[0]) { // as the real source: from the first value on
			y.Start += step
			y.Values = y.Values[1:]
		}
		if len(y.Values) > 0 {
			d.Series = append(d.Series, y)
		}
	}
	d.Partial = s.partial
	return d, nil
}

// questions returns what was asked since the last call, but for looks.
func (s *server) questions() []span {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.asked
	s.asked = nil
	return out
}

func noise(seed uint64) func(int64) float64 {
	return func(t int64) float64 {
		r := rand.New(rand.NewPCG(uint64(t), seed))
		if r.Float64() < 0.05 {
			return math.NaN()
		}
		return 100 + 10*r.NormFloat64()
	}
}

func until(end int64, f func(int64) float64) func(int64) float64 {
	return func(t int64) float64 {
		if t > end {
			return math.NaN()
		}
		return f(t)
	}
}

func from(start int64, f func(int64) float64) func(int64) float64 {
	return func(t int64) float64 {
		if t < start {
			return math.NaN()
		}
		return f(t)
	}
}

func pods() []one {
	var out []one
	for i := range 5 {
		out = append(out, one{labels.FromStrings("__name__", "cpu", "pod", fmt.Sprint(i)), noise(uint64(i))})
	}
	// One pod that ends and one that begins, a day and a half into the history.
	out[3].value = until(epoch+36*hour, out[3].value)
	out[4].value = from(epoch+37*hour, out[4].value)
	return out
}

// rig is a Source in front of a fake server.
type rig struct {
	*Source
	server *server
	reg    *prometheus.Registry
	said   *bytes.Buffer
	dir    string
	passed *atomic.Int64 // time, with what is asked for
}

// pass lets time go on to t.
func (r *rig) pass(t int64) {
	for was := r.passed.Load(); was < t && !r.passed.CompareAndSwap(was, t); was = r.passed.Load() {
	}
}

const expr = "cpu"

func newRig(t *testing.T, dir string, s *server) *rig {
	t.Helper()
	r := &rig{server: s, reg: prometheus.NewRegistry(), said: &bytes.Buffer{}, dir: dir, passed: &atomic.Int64{}}
	src, err := New(Options{Dir: dir, Upstream: s, Registerer: r.reg, Logger: slog.New(slog.NewTextHandler(r.said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	r.Source = src
	r.clock.mono = func() time.Duration { return time.Duration(r.passed.Load()) * time.Millisecond }
	r.Configure("http://one", []Query{{Expr: expr, Step: time.Minute, Offset: 30 * time.Second, History: 3 * 24 * time.Hour}})
	return r
}

// ask compares an answer with what the server itself says.
func (r *rig) ask(t *testing.T, start, end int64) {
	t.Helper()
	r.pass(end)
	got, err := r.Query(context.Background(), expr, start, end, minute)
	if err != nil {
		t.Fatal(err)
	}
	direct := &server{series: r.server.series}
	want, _ := direct.Query(context.Background(), expr, start, end, minute)
	same(t, got.Series, want.Series)
}

// same compares bits: NaN is a gap wherever it is.
func same(t *testing.T, got, want []series.Series) {
	t.Helper()
	byLabels := func(a, b series.Series) int { return labels.Compare(a.Labels, b.Labels) }
	got, want = slices.Clone(got), slices.Clone(want)
	slices.SortFunc(got, byLabels)
	slices.SortFunc(want, byLabels)
	if len(got) != len(want) {
		t.Fatalf("%d series, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if !labels.Equal(g.Labels, w.Labels) || g.Start != w.Start || g.Step != w.Step || len(g.Values) != len(w.Values) {
			t.Fatalf("%s from %d, %d points; want %s from %d, %d", g.Labels, g.Start, len(g.Values), w.Labels, w.Start, len(w.Values))
		}
		for k := range w.Values {
			if math.Float64bits(g.Values[k]) != math.Float64bits(w.Values[k]) && !(math.IsNaN(g.Values[k]) && math.IsNaN(w.Values[k])) {
				t.Fatalf("%s at %d: %v, want %v", g.Labels, g.At(k), g.Values[k], w.Values[k])
			}
		}
	}
}

func (r *rig) counter(name string, labels ...string) float64 {
	fs, _ := r.reg.Gather()
	sum := 0.0
	for _, f := range fs {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			all := true
			for _, want := range labels {
				found := false
				for _, l := range m.GetLabel() {
					found = found || l.GetName()+"="+l.GetValue() == want
				}
				all = all && found
			}
			if all {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	out, err := filepath.Glob(filepath.Join(dir, "history", "*", "*"+segmentSuffix))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(out, func(p string) bool { return filepath.Base(filepath.Dir(p)) == "quarantine" })
}

// TestSteadyState lives through five days of minute scores and six-hourly fits:
// answers are those of the server, nothing is asked for twice, files stay few and
// a restart changes nothing.
func TestSteadyState(t *testing.T) {
	dir := t.TempDir()
	s := &server{series: pods()}
	r := newRig(t, dir, s)
	first := epoch
	r.ask(t, first-3*aDay+minute, first)
	for now := first + minute; now <= first+5*aDay; now += minute {
		if now%(4*minute) != 0 { // some passes are missed and caught up
			continue
		}
		r.ask(t, now-3*minute, now)
		if (now-first)%(6*hour) == 0 {
			s.questions()
			r.ask(t, now-3*aDay+minute, now)
			if q := s.questions(); len(q) != 0 {
				t.Fatalf("a fit asked for %v", q)
			}
		}
		if (now-first)%(10*minute) == 0 {
			r.maintain(false)
		}
		if now == first+50*hour { // killed: what was in memory is asked for again
			s.questions()
			r = newRig(t, dir, s)
			r.ask(t, now-3*aDay+minute, now)
			if q := s.questions(); len(q) != 1 || q[0].points(minute) > openPoints+4 {
				t.Fatalf("after a restart %v was asked for", q)
			}
		}
	}
	fetched, fresh := r.counter("upid_history_samples_fetched_total"), r.counter("upid_history_samples_new_total")
	if !(fresh > 15000) || fetched > 1.1*fresh {
		t.Errorf("%v samples fetched, %v of them new", fetched, fresh)
	}
	r.maintain(true)
	fs := files(t, dir)
	if len(fs) < 4 || len(fs) > 5+crowded {
		t.Errorf("%d segments: %v", len(fs), fs)
	}
	for _, f := range fs {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, info.Mode(), err)
		}
		if _, to, _ := parseName(filepath.Base(f)); to < first+5*aDay-3*aDay-spare {
			t.Errorf("%s is older than the retention", f)
		}
	}
	if info, err := os.Stat(filepath.Dir(fs[0])); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory mode %v, %v", info.Mode(), err)
	}
}

// TestSettings keeps histories of what differs apart, and shares what does not.
func TestSettings(t *testing.T) {
	dir := t.TempDir()
	s := &server{series: pods()}
	r := newRig(t, dir, s)
	end := epoch + 2*aDay
	r.ask(t, end-hour*20, end)
	s.questions()
	q := Query{Expr: expr, Step: time.Minute, Offset: 30 * time.Second, History: 24 * time.Hour}
	f := func(name, scope string, change func(*Query), asked bool) {
		t.Helper()
		other := q
		change(&other)
		r.Configure(scope, []Query{other})
		r.ask(t, end-20*hour, end)
		if got := len(s.questions()) > 0; got != asked {
			t.Errorf("%s: asked again is %v", name, got)
		}
	}
	f("a longer history", "http://one", func(q *Query) { q.History *= 2 }, false)
	f("another server", "http://two", func(*Query) {}, true)
	f("back", "http://one", func(*Query) {}, false)
	f("another offset", "http://one", func(q *Query) { q.Offset *= 2 }, true)
	r.Configure("http://one", []Query{q, {Expr: expr, Step: q.Step, Offset: q.Offset * 3, History: q.History * 3}})
	r.ask(t, end-20*hour, end)
	if got := s.questions(); len(got) != 0 {
		t.Errorf("two signals of one query: asked for %v", got)
	}
	// What is not configured, and what is off the grid, goes straight through.
	for _, step := range []int64{minute, 7} {
		if _, err := r.Query(context.Background(), "other", end, end, step); err != nil || len(s.questions()) != 1 {
			t.Errorf("a query that is not configured: %v", err)
		}
	}
	// Files that nobody uses go after a day.
	if n := len(dirs(t, dir)); n != 3 {
		t.Errorf("%d directories, want 3", n)
	}
	r.now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	r.Configure("http://one", []Query{q})
	if n := len(dirs(t, dir)); n != 1 {
		t.Errorf("%d directories after a day, want 1", n)
	}
}

func dirs(t *testing.T, dir string) []string {
	t.Helper()
	out, err := filepath.Glob(filepath.Join(dir, "history", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestLateData: a stretch without anything is asked for again until it is a day
// old, and what was incomplete or failed is not kept at all.
func TestLateData(t *testing.T) {
	s := &server{series: pods()}
	full := s.series
	cut := func(from, to int64) []one {
		out := slices.Clone(full)
		for i := range out {
			f := out[i].value
			out[i].value = func(t int64) float64 {
				if t >= from && t <= to {
					return math.NaN()
				}
				return f(t)
			}
		}
		return out
	}
	r := newRig(t, t.TempDir(), s)
	end := epoch + 2*aDay
	gap := span{end - 3*hour, end - 2*hour}
	s.series = cut(gap.from, gap.to)
	r.ask(t, end-2*aDay, end)
	s.questions()
	s.series = full // it has come
	r.ask(t, end-2*aDay, end)
	if got := s.questions(); !reflect.DeepEqual(got, []span{gap}) {
		t.Errorf("asked for %v, want %v", got, gap)
	}
	r.ask(t, end-2*aDay, end)
	if got := s.questions(); len(got) != 0 {
		t.Errorf("asked for %v again", got)
	}
	if a, b := r.counter("upid_history_samples_fetched_total"), r.counter("upid_history_samples_new_total"); a < b || a > 1.1*b {
		t.Errorf("%v fetched, %v new", a, b)
	}

	// One that stays empty is final when it is a day old.
	gap = span{end + 2*hour, end + 3*hour}
	s.series = cut(gap.from, gap.to)
	end += 4 * hour
	r.ask(t, end-2*aDay, end)
	end += 20 * hour
	r.ask(t, end-aDay, end)
	s.questions()
	end += 4 * hour
	r.ask(t, end-2*aDay, end)
	s.questions()
	r.ask(t, end-2*aDay, end)
	if got := s.questions(); len(got) != 0 {
		t.Errorf("a stretch a day old was asked for again: %v", got)
	}

	s.series = full
	s.partial = true
	d, err := r.Query(context.Background(), expr, end+minute, end+20*minute, minute)
	if err != nil || !d.Partial {
		t.Fatalf("partial %v, %v", d.Partial, err)
	}
	d, err = r.Query(context.Background(), expr, end-aDay, end+20*minute, minute)
	if err != nil || !d.Partial {
		t.Fatalf("partial %v, %v", d.Partial, err)
	}
	s.partial, s.err = false, errors.New("down")
	if _, err := r.Query(context.Background(), expr, end-aDay, end+20*minute, minute); err == nil {
		t.Fatal("an answer from a server that is down")
	}
	s.err = nil
	s.questions()
	r.ask(t, end-aDay, end+20*minute)
	if got := s.questions(); !reflect.DeepEqual(got, []span{{end + minute, end + 20*minute}}) {
		t.Errorf("after an incomplete answer %v was asked for", got)
	}
}

// TestManyGaps: an expression that is mostly without a value, such as x > 9, does
// not have its history asked for again and again.
func TestManyGaps(t *testing.T) {
	s := &server{series: []one{{labels.FromStrings("a", "b"), func(t int64) float64 {
		if t/minute%20 < 14 {
			return math.NaN()
		}
		return float64(t / minute)
	}}}}
	dir := t.TempDir()
	r := newRig(t, dir, s)
	start := epoch
	for now := start; now < start+2*aDay; now += minute {
		r.ask(t, now, now)
		if now%(6*hour) == 0 {
			r.ask(t, now-aDay, now)
		}
		r.maintain(false)
	}
	fetched, fresh := r.counter("upid_history_samples_fetched_total"), r.counter("upid_history_samples_new_total")
	if fetched > 1.1*fresh || fresh < 800 {
		t.Errorf("%v fetched, %v new", fetched, fresh)
	}
	if n := len(files(t, dir)); n > 200 {
		t.Errorf("%d files", n)
	}
}

// TestLimits takes the same series from files as a server with a limit gives.
func TestLimits(t *testing.T) {
	s := &server{}
	for i := range 50 { // five at any time
		birth := epoch + int64(i/5)*hour
		s.series = append(s.series, one{labels.FromStrings("pod", fmt.Sprint(i)), until(birth+hour, from(birth, noise(uint64(i))))})
	}
	r := newRig(t, t.TempDir(), s)
	r.maxSeries = 12
	d, err := r.Query(context.Background(), expr, epoch, epoch+12*hour, minute)
	if err != nil || len(d.Series) != 12 || len(d.Warnings) != 1 {
		t.Fatalf("%d series, warnings %v, %v", len(d.Series), d.Warnings, err)
	}
	all := slices.Clone(s.series)
	slices.SortFunc(all, func(a, b one) int {
		if a.labels.Hash() < b.labels.Hash() {
			return -1
		}
		return 1
	})
	direct := &server{series: all[:12]}
	want, _ := direct.Query(context.Background(), expr, epoch, epoch+12*hour, minute)
	same(t, d.Series, want.Series)
	r.maxSeries, r.maxSamples = 0, 1000
	_, err = r.Query(context.Background(), expr, epoch, epoch+12*hour, minute)
	var reason interface{ FailureReason() string }
	if !errors.As(err, &reason) || reason.FailureReason() != "too_large" || !strings.Contains(err.Error(), "1000 grid points") {
		t.Errorf("beyond the limit: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("options without anything were taken")
	}
}

func TestConcurrent(t *testing.T) {
	s := &server{series: pods()}
	r := newRig(t, t.TempDir(), s)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = r.Run(ctx) })
	for w := range 3 {
		wg.Go(func() {
			for i := range int64(200) {
				now := epoch + 2*aDay + i*minute
				if w == 0 {
					r.ask(t, now, now)
				} else if i%20 == int64(w) {
					r.ask(t, now-2*aDay, now)
					r.poke()
				}
			}
		})
	}
	wg.Go(func() {
		for range 50 {
			r.maintain(true)
		}
	})
	time.Sleep(10 * time.Millisecond)
	cancel()
	wg.Wait()
	if n := testutil.ToFloat64(r.m.rebuilds.WithLabelValues("history", "missing")); n != 0 {
		t.Errorf("%v segments were lost to a compaction", n)
	}
}

// TestSparseStaysSmall: an expression whose values come in spells of minutes leaves
// many short stretches between gaps that may be late. Once a day is final it is one
// file, however its stretches came.
func TestSparseStaysSmall(t *testing.T) {
	s := &server{}
	for i := range 3 { // each with spells of its own
		s.series = append(s.series, one{labels.FromStrings("i", fmt.Sprint(i)), func(t int64) float64 {
			r := rand.New(rand.NewPCG(uint64(t/(11*minute)), uint64(i)))
			if r.Float64() > 0.2 {
				return math.NaN()
			}
			return float64(t / minute)
		}})
	}
	dir := t.TempDir()
	r := newRig(t, dir, s)
	most := 0
	for now := epoch; now < epoch+5*aDay; now += minute {
		r.ask(t, now, now)
		if now%(6*hour) == 0 {
			r.ask(t, now-3*aDay, now)
		}
		if now%(10*minute) == 0 {
			r.maintain(false)
			most = max(most, len(files(t, dir)))
		}
	}
	perDay := map[int64]int{}
	for _, f := range files(t, dir) {
		from, _, _ := parseName(filepath.Base(f))
		perDay[day(from)]++
	}
	last := day(epoch + 5*aDay - minute)
	for d, n := range perDay {
		if d < last-1 && n != 1 {
			t.Errorf("%d files of the day %d, %d days before the newest", n, d, last-d)
		}
	}
	if most > 100 || len(perDay) < 4 {
		t.Errorf("up to %d files, of %d days", most, len(perDay))
	}
	r.ask(t, epoch+2*aDay, epoch+5*aDay-minute)
	fetched, fresh := r.counter("upid_history_samples_fetched_total"), r.counter("upid_history_samples_new_total")
	t.Logf("%v fetched, %v new, at most %d files, by day %v", fetched, fresh, most, perDay)
	if fetched > 1.1*fresh {
		t.Errorf("%v fetched, %v new", fetched, fresh)
	}
}

// TestOverlap: segments that overlap become one, in which the newer answer counts.
func TestOverlap(t *testing.T) {
	s := &server{series: pods()[:3]}
	r := newRig(t, t.TempDir(), s)
	l := r.logs[asked{expr, minute}]
	at := func(from, to int64, add float64) {
		t.Helper()
		d, err := s.Query(t.Context(), expr, from, to, minute)
		if err != nil {
			t.Fatal(err)
		}
		for _, y := range d.Series {
			for i := range y.Values {
				y.Values[i] += add
			}
		}
		if err := l.store(newBlock(span{from, to}, minute, d.Series)); err != nil {
			t.Fatal(err)
		}
	}
	r.pass(epoch + 3*aDay)
	l.asked = epoch + 3*aDay
	at(epoch+hour, epoch+3*hour, 1000)
	at(epoch+30*minute, epoch+90*minute, 1000)
	at(epoch+2*hour, epoch+5*hour, 0)
	at(epoch+4*hour, epoch+6*hour-minute, 0)
	at(epoch+30*minute, epoch+4*hour, 0) // in it lies what was wrong
	at(epoch+6*hour, epoch+7*hour, 0)
	r.maintain(false)
	if got := files(t, r.dir); len(got) != 1 || filepath.Base(got[0]) != segmentName(epoch+30*minute, epoch+7*hour) {
		t.Errorf("files %v", got)
	}
	s.questions()
	r.ask(t, epoch+30*minute, epoch+7*hour)
	if q := s.questions(); len(q) != 0 {
		t.Errorf("asked for %v", q)
	}
}

// TestContainedInCompaction: one segment has another in it; what becomes of both has
// the name of the first.
func TestContainedInCompaction(t *testing.T) {
	s := &server{series: pods()[:3]}
	r := newRig(t, t.TempDir(), s)
	r.ask(t, epoch+hour, epoch+9*hour)
	l := r.logs[asked{expr, minute}]
	d, err := s.Query(t.Context(), expr, epoch+2*hour, epoch+3*hour, minute)
	if err != nil {
		t.Fatal(err)
	}
	part, err := writeSegment(l.dir, nil, minute, epoch+2*hour, epoch+3*hour, seriesColumns(d.Series, epoch+2*hour, epoch+3*hour))
	if err != nil {
		t.Fatal(err)
	}
	l.add(part)
	r.ask(t, epoch+2*aDay, epoch+2*aDay)
	r.maintain(true)
	s.questions()
	r.ask(t, epoch+hour, epoch+9*hour)
	if q := s.questions(); len(q) != 0 || len(files(t, r.dir)) != 2 {
		t.Errorf("asked for %v, files %v", q, files(t, r.dir))
	}
}
