package models

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/upid/upid/collector/audit"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/features"
)

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// bench is a service whose pipeline goes round when a test says so.
type bench struct {
	*Service
	t     *testing.T
	clock *clock
	trail string
}

const day = 24 * time.Hour

// newBench opens a service on a data directory.
func newBench(t *testing.T, dir string, at *clock, q Querier) *bench {
	t.Helper()
	trail := filepath.Join(dir, audit.FileName)
	r := NewRegistry(dir, nil)
	r.Audit(Journal{Trail: audit.New(trail), Actor: "upid", Source: "sidecar"})
	s := NewService(ServiceOptions{
		Registry: r, Trail: audit.New(trail), Querier: q, Build: "test", Now: at.now, Location: time.UTC,
		Progress: ProgressFile(dir, nil), Registerer: prometheus.NewPedanticRegistry(),
	})
	t.Cleanup(s.runs.close)
	s.life.epochs, s.life.algorithm = 20, "trees"
	s.life.load()
	return &bench{s, t, at, trail}
}

// round goes round once and waits for a training that it began.
func (b *bench) round() {
	b.t.Helper()
	b.life.round(b.t.Context())
	b.idle()
}

func (b *bench) idle() {
	b.t.Helper()
	for range 6000 {
		if !b.runs.busy() {
			b.publish()
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	b.t.Fatal("the training never ends")
}

func (b *bench) states(typ string) string {
	b.t.Helper()
	var out []string
	p := b.life.of(typ)
	ms, err := b.o.Registry.States(typ, &p)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, m := range ms {
		out = append(out, strings.TrimSpace(m.Version+" "+m.State))
	}
	return strings.Join(out, ", ")
}

// actions are those of the audit trail with their objects and outcomes.
func (b *bench) actions() string {
	b.t.Helper()
	var out []string
	if _, err := audit.Verify(b.trail, func(_ audit.Head, e audit.Event) error {
		out = append(out, e.Action+" "+e.Object+" "+e.Outcome)
		return nil
	}); err != nil {
		b.t.Fatal(err)
	}
	return strings.Join(out, "\n")
}

func (b *bench) steps(typ string) string {
	var out []string
	for _, s := range b.life.of(typ).Steps {
		out = append(out, s.Step)
	}
	return strings.Join(out, " ")
}

const rp = features.ResourcePrediction

// weekly is a plan with rows often enough that a verdict does not take months.
var weekly = map[string]Automatic{rp: {Every: 7 * day, OnDrift: true, Lookback: 60 * day, Step: 12 * time.Hour, Share: 0.1}}

// TestPipelineTrains: a type that has no version is trained at once, by steps, and again when
// its time has come; the second version is judged live before it is used.
func TestPipelineTrains(t *testing.T) {
	at := &clock{at: until}
	dir := t.TempDir()
	b := newBench(t, dir, at, cluster(12))
	b.round()
	if got := b.states(rp); got != "untrained" {
		t.Errorf("without a plan: %s", got)
	}
	b.Automate(weekly)
	b.round()
	if got := b.states(rp); got != "v1 active" {
		t.Fatalf("after the first training: %s\n%+v", got, b.life.of(rp))
	}
	if got := b.steps(rp); got != "extract features split train gate save active" {
		t.Errorf("steps: %s", got)
	}
	p := b.life.of(rp)
	if p.Cause != CauseFirst || p.Step != Saved || p.EndedAt == nil {
		t.Errorf("%+v", p)
	}
	at.add(6 * day)
	b.round()
	if p := b.life.of(rp); p.NextAt == nil || !when(*p.NextAt).Equal(until.Add(7*day)) {
		t.Errorf("the next is due %v", p.NextAt)
	}
	at.add(day)
	b.round()
	if got := b.states(rp); got != "v1 active, v2 shadow" {
		t.Fatalf("after the second training: %s\n%+v", got, b.life.of(rp))
	}
	if p := b.life.of(rp); p.Cause != CauseSchedule {
		t.Errorf("cause %s", p.Cause)
	}
	// Not while v2 is on trial.
	at.add(8 * day)
	b.round()
	if p := b.life.of(rp); p.Waits != "v2 is on trial" || b.states(rp) != "v1 active, v2 shadow" {
		t.Errorf("%q, %s", p.Waits, b.states(rp))
	}
	live := b.life.of(rp).Live
	if live == nil || live.Error != "" || len(live.Live) != 8 || len(live.Pairs) != 1 {
		t.Fatalf("judged: %+v", live)
	}
	for _, l := range live.Live {
		switch {
		case l.Stage == Active && (l.Times < 16 || l.Loss == nil || l.Skill == nil || l.Coverage == nil):
			t.Errorf("active: %+v", l)
		case l.Stage == Shadow && (l.Times < 2 || l.Rows != l.Times*12 || l.AlertedAt == nil):
			t.Errorf("shadow: %+v", l)
		}
	}
	said := map[string]int{}
	for _, s := range b.life.said[rp] {
		said[s.Stage]++
		if len(s.Workload) != 3 || !(s.Lower <= s.Value) || !(s.Value <= s.Upper) {
			t.Fatalf("%+v", s)
		}
	}
	if said[Active] != 4*12 || said[Shadow] != 4*12 {
		t.Errorf("predictions of the newest time: %v", said)
	}
	want := strings.Join([]string{
		"train_start resource_prediction ok", "train_end resource_prediction ok", "promote resource_prediction/v1 ok",
		"train_start resource_prediction ok", "train_end resource_prediction ok", "promote resource_prediction/v2 ok",
	}, "\n")
	if got := b.actions(); got != want {
		t.Errorf("trail:\n%s\nwant\n%s", got, want)
	}
	// What is known survives the process.
	again := newBench(t, dir, at, cluster(12))
	if p := again.life.of(rp); p.Waits != "v2 is on trial" || p.Live == nil || again.states(rp) != "v1 active, v2 shadow" {
		t.Errorf("after a restart: %+v", p)
	}
}

// gated is a server that answers once it is let.
type gated struct {
	*fakeServer
	open chan struct{}
	err  error
}

func (g *gated) Query(ctx context.Context, expr string, from, to, step int64) (series.Data, error) {
	select {
	case <-ctx.Done():
		return series.Data{}, ctx.Err()
	case <-g.open:
	}
	if g.err != nil {
		return series.Data{}, g.err
	}
	return g.fakeServer.Query(ctx, expr, from, to, step)
}

// TestPipelineStops: a training is cancelled by its id and waits for its time then; one that
// the end of the process interrupts begins anew, but not for ever.
func TestPipelineStops(t *testing.T) {
	at := &clock{at: until}
	dir := t.TempDir()
	slow := &gated{fakeServer: driven(12), open: make(chan struct{})}
	b := newBench(t, dir, at, slow)
	b.Automate(weekly)
	b.life.round(t.Context())
	run, ok := b.runs.running()
	if !ok || run.Step != StepExtract && run.Step != "" || !strings.Contains(b.states(rp)+"training", "training") {
		t.Fatalf("%+v", run)
	}
	// A link is not followed, and one that names another training cancels none.
	ask := filepath.Join(dir, "pipeline", "cancel")
	other := filepath.Join(dir, "other")
	if err := errors.Join(os.WriteFile(other, []byte(run.ID), 0o600), os.MkdirAll(filepath.Dir(ask), 0o700), os.Symlink(other, ask)); err != nil {
		t.Fatal(err)
	}
	b.life.round(t.Context())
	if err := AskCancel(b.o.Progress, run.ID+"0"); err != nil { // replaces the link
		t.Fatal(err)
	}
	b.life.round(t.Context())
	if !b.runs.busy() {
		t.Fatal("another training was cancelled")
	}
	if err := AskCancel(b.o.Progress, run.ID); err != nil {
		t.Fatal(err)
	}
	b.life.heedCancel(t.Context())
	b.idle()
	if left, err := os.ReadDir(filepath.Dir(ask)); err != nil || len(left) != 1 {
		t.Errorf("beside the progress: %v, %v", left, err)
	}
	p := b.life.of(rp)
	if p.Step != Cancelled || p.Reason != "it was cancelled" {
		t.Errorf("%+v", p)
	}
	at.add(6 * day)
	b.life.round(t.Context())
	if b.runs.busy() {
		t.Fatal("what was cancelled begins before its time")
	}
	at.add(day)
	// Killed three times in a row.
	for k := range interrupted {
		b.life.round(t.Context())
		if !b.runs.busy() {
			t.Fatalf("kill %d: it does not begin", k)
		}
		for b.life.of(rp).Step != StepExtract {
			time.Sleep(time.Millisecond)
		}
		// What a killed process leaves behind.
		kept := b.life.of(rp)
		next := newBench(t, dir, at, slow)
		b.runs.close()
		if err := writeProgress(b.o.Progress, map[string]*Progress{rp: &kept}); err != nil {
			t.Fatal(err)
		}
		next.life.load()
		next.Automate(weekly)
		b = next
		if p := b.life.of(rp); p.Step != Interrupted || p.Interrupted != k+1 || !strings.Contains(p.Reason, StepExtract) {
			t.Fatalf("kill %d: %+v", k, p)
		}
	}
	b.life.round(t.Context())
	if b.runs.busy() {
		t.Error("it begins a fourth time at once")
	}
	at.add(2 * time.Hour)
	close(slow.open)
	b.round()
	if got := b.states(rp); got != "v1 active" {
		t.Errorf("in the end: %s, %+v", got, b.life.of(rp))
	}
	if p := b.life.of(rp); p.Interrupted != 0 {
		t.Errorf("%+v", p)
	}
}

// TestPipelineAdopts: a version that was saved before its stage was is taken into use.
func TestPipelineAdopts(t *testing.T) {
	at := &clock{at: until}
	dir := t.TempDir()
	b := newBench(t, dir, at, cluster(12))
	rows, err := Extract(t.Context(), cluster(12), Extraction{ModelType: rp, From: until.Add(-60 * day).UnixMilli(), To: until.UnixMilli(), Every: 12 * time.Hour, Location: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	v, err := Train(t.Context(), Training{ModelType: rp, Rows: rows, Source: "test", Epochs: 10, Horizon: -1, Now: at.now})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.o.Registry.Save(v); err != nil {
		t.Fatal(err)
	}
	p := Progress{ModelType: rp, Step: StepSave, Cause: CauseFirst, Trained: &v.CreatedAt, StartedAt: &v.CreatedAt}
	if err := writeProgress(b.o.Progress, map[string]*Progress{rp: &p}); err != nil {
		t.Fatal(err)
	}
	b.life.load()
	if got := b.states(rp); got != "v1 active" {
		t.Errorf("%s: %+v", got, b.life.of(rp))
	}
	b.Automate(weekly)
	b.round()
	if records, err := b.o.Registry.Records(rp); err != nil || len(records) != 1 {
		t.Errorf("%d versions, %v", len(records), err)
	}
}

// TestPipelineRefuses: too few data are refused with what to do, and tried again a day later;
// a server that fails is asked again after an hour.
func TestPipelineRefuses(t *testing.T) {
	at := &clock{at: until}
	server := &gated{fakeServer: cluster(12), open: make(chan struct{})}
	close(server.open)
	b := newBench(t, t.TempDir(), at, server)
	b.Automate(map[string]Automatic{rp: {Every: 7 * day, Lookback: 4 * day, Step: 12 * time.Hour, Share: 0.1}})
	b.round()
	p := b.life.of(rp)
	if p.Step != Refused || p.Reason == "" || b.states(rp) != "untrained" {
		t.Fatalf("%s, %+v", b.states(rp), p)
	}
	ms, _ := b.o.Registry.States(rp, &p)
	if !strings.Contains(ms[0].Reason, "refused: ") {
		t.Errorf("the reason of %+v", ms)
	}
	at.add(23 * time.Hour)
	b.round()
	if q := b.life.of(rp); *q.StartedAt != *p.StartedAt {
		t.Error("it is tried again within a day")
	}
	at.add(2 * time.Hour)
	server.err = errors.New("connection refused")
	b.Automate(weekly)
	b.round()
	if p = b.life.of(rp); p.Step != Failed || !strings.Contains(p.Reason, "connection refused") {
		t.Fatalf("%+v", p)
	}
	server.err = nil
	at.add(61 * time.Minute)
	b.round()
	if got := b.states(rp); got != "v1 active" {
		t.Errorf("%s: %+v", got, b.life.of(rp))
	}
}

// TestPipelineNeedsItsProgress: what another upid or key wrote is left alone, and nothing
// begins by itself.
func TestPipelineNeedsItsProgress(t *testing.T) {
	dir := t.TempDir()
	f := ProgressFile(dir, nil)
	if err := os.MkdirAll(filepath.Dir(f.Path()), 0o700); err != nil {
		t.Fatal(err)
	}
	newer := []byte("upid.pipeline.2\nwho knows")
	if err := os.WriteFile(f.Path(), newer, 0o600); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, dir, &clock{at: until}, cluster(12))
	b.Automate(weekly)
	b.round()
	if got, err := os.ReadFile(f.Path()); err != nil || string(got) != string(newer) {
		t.Errorf("%q, %v", got, err)
	}
	if got := b.states(rp); got != "untrained" {
		t.Error(got)
	}
}

// losses of a version that is off by so much, beside one that is not.
func pairOf(active, version, stage, verdict string) Pair {
	return Pair{Active: active, Version: version, Stage: stage, Verdict: verdict, Comparisons: []Comparison{{Target: "cpu", Loss: "absolute error", Rows: 900, Times: 75, Least: 60, Verdict: verdict}}}
}

// TestDecides: by live comparisons, a shadow becomes canary and active, or leaves; an active
// version that is worse than naive makes room for the one before; each begins a training at
// most once a day.
func TestDecides(t *testing.T) {
	at := &clock{at: until}
	b := newBench(t, t.TempDir(), at, cluster(12))
	b.Automate(weekly)
	b.round()
	at.add(7 * day)
	b.round()
	plan := weekly[rp]
	judge := func(j Judged) {
		t.Helper()
		stages, err := b.o.Registry.Stages(rp)
		if err != nil {
			t.Fatal(err)
		}
		j.At = unix(at.now())
		b.life.judged[rp] = judgement{stages: stages, slot: at.now().UnixMilli() / plan.Step.Milliseconds()}
		b.life.update(rp, func(p *Progress) { p.Live, p.Degraded = &j, degraded(&j) })
		b.life.decide(rp, plan)
	}
	expect := func(want string) {
		t.Helper()
		if got := b.states(rp); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	}
	judge(Judged{Pairs: []Pair{pairOf("v1", "v2", Shadow, Open)}})
	expect("v1 active, v2 shadow")
	judge(Judged{Pairs: []Pair{pairOf("v1", "v2", Shadow, Better)}})
	expect("v1 active, v2 canary")
	if stages, _ := b.o.Registry.Stages(rp); stages.Share != 0.1 {
		t.Errorf("%+v", stages)
	}
	at.add(23 * time.Hour)
	judge(Judged{Pairs: []Pair{pairOf("v1", "v2", Canary, Better)}})
	expect("v1 active, v2 canary")
	at.add(time.Hour)
	judge(Judged{Pairs: []Pair{pairOf("v1", "v2", Canary, Better)}})
	expect("v2 active")

	// The next one is no good.
	at.add(7 * day)
	b.round()
	expect("v2 active, v3 shadow")
	judge(Judged{Pairs: []Pair{pairOf("v2", "v3", Shadow, Worse)}})
	expect("v2 active")
	if p := b.life.of(rp); !p.Demoted {
		t.Errorf("%+v", p)
	}
	at.add(time.Hour)
	b.round() // because one was demoted
	expect("v2 active, v4 shadow")
	if p := b.life.of(rp); p.Cause != CauseDemotion || p.Demoted || p.TriggeredAt == nil {
		t.Errorf("%+v", p)
	}
	judge(Judged{Pairs: []Pair{pairOf("v2", "v4", Shadow, Worse)}})
	at.add(23 * time.Hour)
	b.round()
	expect("v2 active") // not twice a day
	at.add(2 * time.Hour)
	b.round()
	expect("v2 active, v5 shadow")

	// Nor is the active one any more.
	p := 0.001
	judge(Judged{Live: []Live{{Version: "v2", Stage: Active, Target: "cpu", Verdict: Worse, P: &p}, {Version: "v2", Stage: Active, Target: "memory", Verdict: Better, P: &p}}})
	expect("v2 degraded, v5 shadow")
	judge(Judged{Live: []Live{{Version: "v2", Stage: Active, Target: "cpu", Verdict: Worse, P: &p}}})
	if got := b.states(rp); !strings.HasPrefix(got, "v1 ") || !strings.HasSuffix(got, "v5 shadow") {
		t.Errorf("after the demotion: %s", got)
	}
	trail := b.actions()
	for _, want := range []string{"promote resource_prediction/v2 ok", "demote resource_prediction/v3 ok", "demote resource_prediction/v4 ok", "demote resource_prediction/v2 ok"} {
		if !strings.Contains(trail, want) {
			t.Errorf("the trail lacks %q:\n%s", want, trail)
		}
	}
}

// TestDrift: values outside the interval, again and again, are drift; a training begins.
func TestDrift(t *testing.T) {
	at := &clock{at: until}
	server := cluster(12)
	b := newBench(t, t.TempDir(), at, server)
	b.Automate(map[string]Automatic{rp: {Every: 90 * day, OnDrift: true, Lookback: 60 * day, Step: 12 * time.Hour, Share: 0.1}})
	b.round()
	at.add(20 * day)
	b.round()
	if p := b.life.of(rp); p.Live == nil || p.Live.Drift != "" || p.Degraded != "" {
		t.Fatalf("nothing has changed: %+v", p.Live)
	}
	cpu, change := server.bases["cpu"], until.UnixMilli()/hour
	server.bases["cpu"] = func(w, h int) float64 { // from then on it goes up and down by the week
		if int64(h) > change {
			return cpu(w, h) * (1 + 20*math.Abs(math.Sin(float64(h)/24/7*math.Pi/2)))
		}
		return cpu(w, h)
	}
	at.add(12 * time.Hour)
	b.round()
	p := b.life.of(rp)
	if p.Live == nil || !strings.Contains(p.Live.Drift, "the interval held") || p.Cause != CauseDrift || p.TriggeredAt == nil {
		t.Fatalf("%s: %+v, %+v", b.states(rp), p, p.Live)
	}
	if got := b.states(rp); !strings.HasPrefix(got, "v1 degraded") {
		t.Errorf("%s, %+v", got, p)
	}
}

// TestQuarantineIsWrittenDown: a damaged version is in the trail, once, and in its state.
func TestQuarantineIsWrittenDown(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, dir, &clock{at: until}, cluster(12))
	b.Automate(weekly)
	b.round()
	path := filepath.Join(dir, "models", rp, "v1.model")
	if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := NewRegistry(dir, nil)
	r.Audit(Journal{Trail: audit.New(b.trail), Actor: "upid", Source: "cli"})
	for range 2 {
		if _, err := r.Get(rp, ""); err == nil {
			t.Fatal("it can be read")
		}
	}
	if got := b.states(rp); got != "v1 quarantined" {
		t.Error(got)
	}
	if n := strings.Count(b.actions(), "quarantine resource_prediction/v1 ok"); n != 1 {
		t.Errorf("%d times in the trail:\n%s", n, b.actions())
	}
	b.publish()
	if a := b.Ailing(); len(a) != 1 || a[0].State != Quarantined || !strings.Contains(a[0].Reason, "quarantine") {
		t.Errorf("%+v", a)
	}
}

// TestJudgingFails: what was judged stays for a while when the server does not answer, with
// the reason, and nothing is decided by it.
func TestJudgingFails(t *testing.T) {
	at := &clock{at: until}
	server := &gated{fakeServer: cluster(12), open: make(chan struct{})}
	close(server.open)
	b := newBench(t, t.TempDir(), at, server)
	b.Automate(map[string]Automatic{rp: {Every: 90 * day, Lookback: 60 * day, Step: 12 * time.Hour, Share: 0.1}})
	b.round()
	at.add(12 * time.Hour)
	b.round()
	if live := b.life.of(rp).Live; live == nil || live.Error != "" || len(live.Live) != 4 || len(b.life.said[rp]) == 0 {
		t.Fatalf("%+v", live)
	}
	server.err = errors.New("connection refused")
	at.add(12 * time.Hour)
	b.round()
	if live := b.life.of(rp).Live; !strings.Contains(live.Error, "connection refused") || len(live.Live) != 4 || len(b.life.said[rp]) != 0 {
		t.Errorf("%+v", live)
	}
	at.add(day)
	b.round()
	if live := b.life.of(rp).Live; !strings.Contains(live.Error, "connection refused") || len(live.Live) != 0 {
		t.Errorf("a day later: %+v", live)
	}
	server.err = nil
	at.add(11 * time.Minute)
	b.round()
	if live := b.life.of(rp).Live; live.Error != "" || len(live.Live) != 4 {
		t.Errorf("the server answers again: %+v", live)
	}
}
