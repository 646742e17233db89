package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/upid/upid/collector/store"
	"github.com/upid/upid/forecast/features"
	"github.com/upid/upid/forecast/learn"
)

// slowVersion is a forest of so many cuts that a row takes it milliseconds: each of its
// features is looked at through all of it.
func slowVersion() *Version {
	const trees, width = 20_000, 200
	m := &learn.Isolation{Sample: 256, Boundary: 0.5, Typical: make([]float64, width), Known: make([]bool, width)}
	names := []string{"a", "b"}
	for len(names) < width {
		names = append(names, fmt.Sprintf("f%d", len(names)))
	}
	for i := range trees {
		m.Roots = append(m.Roots, 3*i)
		m.Feature, m.Right = append(m.Feature, 2+i%(width-2), -1, -1), append(m.Right, 3*i+2, 0, 0)
		m.Threshold, m.Share, m.Depth = append(m.Threshold, 0, 0, 0), append(m.Share, 0.5, 0, 0), append(m.Depth, 0, 1, 2)
	}
	return &Version{
		Record: Record{ModelType: features.AnomalyDetection, Features: names, Targets: []Target{{Name: "score"}}},
		Models: []*learn.Model{{Kind: learn.Oddness, Algorithm: "isolation_forest", Features: names, Isolation: m}},
	}
}

// hungryVersion is one of 63 targets and 500 features with long names, which each of its
// predictions repeats.
func hungryVersion() *Version {
	names := []string{"a", "b"}
	for len(names) < 500 {
		names = append(names, fmt.Sprintf("%0300d", len(names)))
	}
	v := &Version{Record: Record{ModelType: features.ResourcePrediction, Features: names}}
	for i := range 63 {
		m := &learn.Regression{Widen: make([]float64, len(names)), Fitted: threeTrees(learn.Trees{})}
		m.Scale.Unit = 1
		v.Targets = append(v.Targets, Target{Name: fmt.Sprintf("t%d", i)})
		v.Models = append(v.Models, &learn.Model{Kind: learn.Number, Algorithm: "trees", Features: names, Regression: m})
	}
	return v
}

// threeTrees is the same trees for each quantile.
func threeTrees(tr learn.Trees) (f learn.Fitted) {
	b, err := json.Marshal(map[string][]learn.Trees{"trees": {tr, tr, tr}})
	if err != nil {
		panic(err)
	}
	if err := json.Unmarshal(b, &f); err != nil {
		panic(err)
	}
	return f
}

// put keeps a version and makes it active.
func put(t testing.TB, r *Registry, v *Version) {
	t.Helper()
	if err := r.Save(v); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Promote(v.ModelType, v.Version, Active, 0); err != nil {
		t.Fatal(err)
	}
}

// broken puts a version into memory that panics when it is asked; none that a disk holds does.
func broken(t *testing.T, r *Registry, typ string) {
	t.Helper()
	v, err := r.Get(typ, "")
	if err != nil {
		t.Fatal(err)
	}
	m := *v.Models[0]
	class := *m.Classification
	class.Bins = nil
	m.Classification = &class
	v.Models = []*learn.Model{&m}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.loaded[typ+"/"+v.Version] = v
}

// TestIsolation lets a slow, a panicking and a memory-hungry version be asked beside a good
// one, which answers the same, bit for bit, all the time.
func TestIsolation(t *testing.T) {
	s, ask := service(t)
	r, reg := s.o.Registry, prometheus.NewPedanticRegistry()
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	var clock sync.Mutex
	r.guard.now = func() time.Time {
		clock.Lock()
		defer clock.Unlock()
		return now
	}
	r.Audit(Journal{Trail: s.o.Trail, Actor: "upid", Source: "sidecar"})
	r.Watch(Watch{Registerer: reg})
	put(t, r, trained(t, features.CostOptimization, timedRows(500, 1, false), 40))
	put(t, r, slowVersion())
	put(t, r, trained(t, features.SecurityThreat, timedRows(500, 1, true), 5))
	broken(t, r, features.SecurityThreat)
	put(t, r, hungryVersion())

	body := func(typ string, rows int) string {
		row := `{"a":10.5,"b":-0.25}`
		if typ == features.AnomalyDetection { // all it knows, which is what is slow
			row = "{" + wide(199) + `,"a":10.5,"b":-0.25}`
		}
		return fmt.Sprintf(`{"model_type":%q,"features":[%s%s]}`, typ, row, strings.Repeat(","+row, rows-1))
	}
	good := func() string {
		var ps json.RawMessage
		if code := ask("POST", "/api/v1/predict", body(features.CostOptimization, 50), &ps); code != 200 {
			t.Errorf("the good one: %d", code)
		}
		return string(ps)
	}
	want := good()
	if !strings.Contains(want, `"value":1`) {
		t.Fatal(want)
	}

	bad := map[string]string{features.AnomalyDetection: FailedDeadline, features.SecurityThreat: FailedPanic, features.ResourcePrediction: FailedMemory}
	var wg sync.WaitGroup
	done := make(chan struct{})
	for typ, reason := range bad {
		wg.Go(func() {
			for i := range parkAfter + 2 {
				var why string
				code := ask("POST", "/api/v1/predict", body(typ, 200), &why)
				switch {
				case i < parkAfter && (code != 500 || !strings.Contains(why, "failed ("+reason+")")):
					t.Errorf("%s, ask %d: %d, %s", typ, i, code, why)
				case i >= parkAfter && (code != 503 || !strings.Contains(why, "parked until 2026-11-28T13:00:00Z") || !strings.Contains(why, "upid models rollback "+typ)):
					t.Errorf("%s, ask %d: %d, %s", typ, i, code, why)
				}
			}
		})
	}
	go func() { wg.Wait(); close(done) }()
	for beside, running := 0, true; running; beside++ {
		select {
		case <-done:
			running = false
			if beside < 5 {
				t.Errorf("the good one was asked %d times beside", beside)
			}
		default:
		}
		if got := good(); got != want {
			t.Fatalf("the good one changed:\n%s\n%s", got, want)
		}
	}

	var records []Record
	ask("GET", "/api/v1/models", "", &records)
	for _, rec := range records {
		reason, is := bad[rec.ModelType]
		switch {
		case is && (rec.State != Parked || rec.Stage != Active || rec.Parked == nil || rec.Parked.Reason != reason || rec.Parked.Detail == "" || rec.Parked.Until != 1795870800):
			t.Errorf("%s: %s, %s, %+v", rec.ModelType, rec.State, rec.Stage, rec.Parked)
		case !is && (rec.State != Active || rec.Parked != nil):
			t.Errorf("%s: %s, %+v", rec.ModelType, rec.State, rec.Parked)
		}
	}
	if len(records) != 4 {
		t.Errorf("%d records", len(records))
	}
	for typ, reason := range bad {
		states, err := r.States(typ, &Progress{})
		if err != nil || len(states) != 1 || states[0].State != Parked || states[0].Stage != Active || !strings.Contains(states[0].Reason, "parked until 2026-11-28T13:00:00Z: it failed 3 times within 10m0s ("+reason) || len(Ailing(states)) != 1 {
			t.Errorf("%s: %+v, %v", typ, states, err)
		}
		if n := testutil.ToFloat64(r.guard.failed.WithLabelValues(typ, reason)); n != parkAfter {
			t.Errorf("%s: %v failures counted", typ, n)
		}
	}
	if n := testutil.ToFloat64(r.guard.panics); n != parkAfter {
		t.Errorf("%v panics counted", n)
	}
	if n := r.guard.parked(); n != 3 {
		t.Errorf("%v parked", n)
	}
	trail, err := os.ReadFile(s.o.Trail.Path())
	if err != nil || strings.Count(string(trail), `"action":"park"`) != 3 || !strings.Contains(string(trail), `"object":"security_threat/v1","outcome":"ok","detail":"until 2026-11-28T13:00:00Z: 3 failures within 10m0s, the last: panic: runtime error: index out of range [-1]"`) {
		t.Errorf("%v: %s", err, trail)
	}

	// Another process knows too, and lets nobody promote or roll back to it; in an hour all
	// of them are asked again.
	again := NewRegistry(filepath.Dir(r.store.Dir()), nil)
	again.guard.now = r.guard.now
	rows, err := ReadRows(strings.NewReader(`{"a":10.5,"b":-0.25}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := again.Answer(t.Context(), features.SecurityThreat, rows); !errors.Is(err, ErrParked) {
		t.Errorf("another process: %v", err)
	}
	if _, _, err := again.Promote(features.SecurityThreat, "v1", Active, 0); !errors.Is(err, ErrParked) {
		t.Errorf("promoted: %v", err)
	}
	clock.Lock()
	now = now.Add(parkFor)
	clock.Unlock()
	if ps, _, err := again.Answer(t.Context(), features.SecurityThreat, rows); err != nil || len(ps) != 1 { // it is whole on the disk
		t.Errorf("after an hour: %v", err)
	}
	var why string
	if code := ask("POST", "/api/v1/predict", body(features.SecurityThreat, 1), &why); code != 500 {
		t.Errorf("after an hour: %d, %s", code, why)
	}
	if p, err := r.Parked(features.SecurityThreat, "v1"); p != nil || err != nil {
		t.Errorf("parked after one failure: %+v, %v", p, err)
	}
	if got := good(); got != want {
		t.Error("the good one changed")
	}
}

// TestIsolationOfThreats: who asks for every entity at every step does without a version that
// panics or is slow, which is parked; after the hour it is asked again.
func TestIsolationOfThreats(t *testing.T) {
	names := []string{"a", "b"}
	row := []float64{10.5, -0.25}
	for _, reason := range []string{FailedPanic, FailedDeadline} {
		r := NewRegistry(t.TempDir(), nil)
		now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
		var each time.Duration // a look at the clock takes
		r.guard.now = func() time.Time { now = now.Add(each); return now }
		v := trained(t, features.SecurityThreat, timedRows(500, 1, true), 5)
		for k := range v.Targets {
			v.Targets[k].Passed = true
		}
		put(t, r, v)
		good, err := r.NewJudge(features.SecurityThreat, names)
		if err != nil {
			t.Fatal(err)
		}
		want, ok := good.Probability(row)
		if !ok {
			t.Fatal("it does not know")
		}
		asks := 1
		if reason == FailedPanic {
			broken(t, r, features.SecurityThreat)
		} else {
			each, asks = 20*time.Millisecond, 60
		}
		j, err := r.NewJudge(features.SecurityThreat, names)
		if err != nil {
			t.Fatal(err)
		}
		for range parkAfter * asks {
			if p, ok := j.Probability(row); ok && p != want {
				t.Fatalf("%v", p)
			}
		}
		if p, err := r.Parked(v.ModelType, v.Version); p == nil || p.Reason != reason || err != nil {
			t.Fatalf("%s: %+v, %v", reason, p, err)
		}
		if _, ok := j.Probability(row); ok {
			t.Errorf("%s: it is asked although it is parked", reason)
		}
		again, err := NewRegistry(filepath.Dir(r.store.Dir()), nil).NewJudge(features.SecurityThreat, names)
		if err != nil {
			t.Fatal(err)
		}
		again.door.g.now = r.guard.now
		if _, ok := again.Probability(row); ok {
			t.Errorf("%s: it is asked after a restart", reason)
		}
		now, each = now.Add(parkFor), 0
		if p, ok := again.Probability(row); !ok || p != want {
			t.Errorf("%s: after an hour: %v, %v", reason, p, ok)
		}
	}
}

// TestGuardCounts: failures that are ten minutes apart do not add up, Unpark forgets them,
// and a version is parked also where the disk does not take it.
func TestGuardCounts(t *testing.T) {
	dir := t.TempDir()
	r := NewRegistry(dir, nil)
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	r.guard.now = func() time.Time { return now }
	put(t, r, trained(t, features.SecurityThreat, timedRows(500, 1, true), 5))
	broken(t, r, features.SecurityThreat)
	v, err := r.Get(features.SecurityThreat, "")
	if err != nil {
		t.Fatal(err)
	}
	rows := timedRows(3, 1, true)
	fail := func(n int) {
		t.Helper()
		for range n {
			if _, err := r.Predict(t.Context(), v, rows); !errors.Is(err, ErrFailed) {
				t.Fatal(err)
			}
		}
	}
	parked := func(want bool) {
		t.Helper()
		if p, err := r.Parked(v.ModelType, v.Version); (p != nil) != want || err != nil {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	for range 3 {
		fail(parkAfter - 1)
		parked(false)
		now = now.Add(parkWithin + time.Second)
	}
	fail(parkAfter)
	parked(true)
	if err := r.Unpark(v.ModelType, v.Version); err != nil {
		t.Fatal(err)
	}
	parked(false)
	fail(1)
	parked(false)
	now = now.Add(parkWithin + time.Second)

	lock := filepath.Join(dir, store.ModelsDir, v.ModelType, "lock")
	if err := errors.Join(os.Remove(lock), os.Symlink("elsewhere", lock)); err != nil {
		t.Fatal(err)
	}
	for range parkAfter {
		if _, err := r.Predict(t.Context(), v, rows); !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.ELOOP) {
			t.Fatalf("the disk refuses it, and nobody says so: %v", err)
		}
	}
	parked(true)
	if _, err := r.Predict(t.Context(), v, rows); !errors.Is(err, ErrParked) {
		t.Error(err)
	}
}

// TestRowsAreNoFailure: the good version never fails for its caller's mistakes.
func TestRowsAreNoFailure(t *testing.T) {
	r := NewRegistry(t.TempDir(), nil)
	put(t, r, trained(t, features.CostOptimization, timedRows(500, 1, false), 5))
	v, err := r.Get(features.CostOptimization, "")
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancelCause(t.Context())
	cancel(errLeft)
	for range 2 * parkAfter {
		if _, err := r.Predict(t.Context(), v, timedRows(3, 1, false, 1)); !errors.Is(err, ErrRows) {
			t.Errorf("an empty row: %v", err)
		}
		if _, err := r.Predict(gone, v, timedRows(3, 1, false)); !errors.Is(err, errLeft) {
			t.Errorf("a caller who left: %v", err)
		}
	}
	r.guard.answer = 100 << 10
	if _, err := r.Predict(t.Context(), v, timedRows(200, 1, false)); !errors.Is(err, ErrRows) || !strings.Contains(err.Error(), "at most") {
		t.Errorf("too many rows: %v", err)
	}
	if f, err := r.guard.failures(v.ModelType, v.Version); len(f.Times) != 0 || err != nil {
		t.Errorf("%+v, %v", f, err)
	}
	if ps, err := r.Predict(t.Context(), v, timedRows(3, 1, false)); err != nil || len(ps) != 3 {
		t.Errorf("%d, %v", len(ps), err)
	}
}

var errLeft = errors.New("the caller left")

// TestHungryFiles: small files that would decode into hundreds of megabytes, or nest, or hold
// a tree without end, are damaged, and cost no memory to refuse.
func TestHungryFiles(t *testing.T) {
	good := trained(t, features.CostOptimization, timedRows(500, 1, false), 5)
	parts, err := good.parts()
	if err != nil {
		t.Fatal(err)
	}
	record, model := string(parts[0]), string(parts[1])
	deep := func() string {
		const n = 500 // a chain of cuts
		tr := learn.Trees{Roots: []int{0}}
		for i := range n {
			tr.Feature, tr.Right = append(tr.Feature, 0, -1), append(tr.Right, 2*i+2, 0)
		}
		tr.Feature, tr.Right = append(tr.Feature, -1), append(tr.Right, 0)
		k := len(tr.Feature)
		tr.Threshold, tr.Missing, tr.Value = make([]float64, k), make([]int, k), make([]float64, k)
		m := *good.Models[0].Regression
		m.Fitted = threeTrees(tr)
		b, err := (&learn.Model{Kind: learn.Number, Algorithm: "trees", Features: good.Features, Regression: &m}).Encode()
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}()
	with := func(text, old, new string) string {
		t.Helper()
		if !strings.Contains(text, old) {
			t.Fatalf("no %s in %s", old, text)
		}
		return strings.Replace(text, old, new, 1)
	}
	for name, c := range map[string]struct {
		parts []string
		says  string
	}{
		"targets": {[]string{with(record, `"targets":[`, `"targets":[`+strings.Repeat(`{},`, 1<<20)), model}, "more than 131072 values"},
		"trees":   {[]string{record, with(model, `"trees":[`, `"trees":[`+strings.Repeat(`{},`, 8<<20))}, "more than 65536 values"},
		"nested":  {[]string{record, with(model, `"features":`, `"features":`+strings.Repeat(`[`, 5000))}, "nested deeper than 16"},
		"deep":    {[]string{record, deep}, "a tree is deeper than 64"},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewRegistry(t.TempDir(), nil)
			version, err := r.store.Save(good.ModelType, func(string) ([][]byte, error) {
				return [][]byte{[]byte(with(c.parts[0], `"version":""`, `"version":"v1"`)), []byte(c.parts[1])}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			size := 0
			for _, p := range c.parts {
				size += len(p)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err = r.Get(good.ModelType, version)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > uint64(16*size)+16<<20 { //nolint:gosec // a size
				t.Errorf("%d bytes allocated for a file of %d", took, size)
			}
			if names, err := r.store.List(good.ModelType); err != nil || slices.Contains(names, version) {
				t.Errorf("it is still there: %v, %v", names, err)
			}
		})
	}
}

// TestHungryAnswer: that an answer would take too much is known before it is begun.
func TestHungryAnswer(t *testing.T) {
	r := NewRegistry(t.TempDir(), nil)
	put(t, r, hungryVersion())
	v, err := r.Get(features.ResourcePrediction, "")
	if err != nil {
		t.Fatal(err)
	}
	rows := timedRows(1000, 1, false)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = r.Predict(t.Context(), v, rows)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrFailed) || after.TotalAlloc-before.TotalAlloc > 1<<20 {
		t.Errorf("%v, %d bytes", err, after.TotalAlloc-before.TotalAlloc)
	}
	if need := float64(v.rowBytes()) * 1000; need < 1<<30 || math.IsInf(need, 0) {
		t.Errorf("it takes %g bytes, which is not much", need)
	}
}
