package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/upid/upid/collector/series"
)

// gradualUnit records the pieces that it took in.
type gradualUnit struct {
	pos     atomic.Int64
	learned []string // start, end and number of inputs, in minutes
	stepped []string
	fail    int // the step that fails, from 1 on
}

func (u *gradualUnit) Position() int64 { return u.pos.Load() }

func (u *gradualUnit) Fit(context.Context, int64, Input) (func(), error) {
	return nil, errors.New("Fit of a unit that learns in pieces")
}

func text(in Input) string {
	return fmt.Sprintf("%d-%d:%d", in.Start/60_000, in.End/60_000, len(in.Series))
}

func (u *gradualUnit) Begin(int64) Learner { return &gradualFit{u: u} }

type gradualFit struct {
	u    *gradualUnit
	took []string
	end  int64
}

func (l *gradualFit) Learn(_ context.Context, in Input) error {
	l.took, l.end = append(l.took, text(in)), in.End
	return nil
}

func (l *gradualFit) Commit() {
	l.u.learned = l.took
	l.u.pos.Store(l.end)
}

func (u *gradualUnit) Step(_ context.Context, slot int64, in Input) ([]series.Result, error) {
	u.stepped = append(u.stepped, text(in))
	if len(u.stepped) == u.fail {
		return nil, errors.New("broken")
	}
	u.pos.Store(in.End)
	return []series.Result{{Signal: "x", Slot: slot}}, nil
}

// TestPieces: a unit that learns in pieces gets whole ones, in order, and what is asked only at the end with the
// last; a score pass that is broken off goes on from the piece that failed.
func TestPieces(t *testing.T) {
	src, sink, unit := &fakeSource{}, &fakeSink{written: map[string][]int64{}}, &gradualUnit{fail: 2}
	p, err := New(Options{Source: src, Sinks: []Sink{sink}, Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	task := Task{
		Name: "x", Queries: map[string]string{"value": "v"}, Newest: map[string]string{"limit": "l"}, Piece: time.Hour,
		Every: time.Minute, FitEvery: time.Hour, Step: time.Minute, Offset: 0, History: 150 * time.Minute, Key: "k", Unit: unit,
	}
	if err := p.Apply([]Task{task}, nil); err != nil {
		t.Fatal(err)
	}
	// 100 hours and 10 minutes: 97:41 to 100:10, of which the half hour at the beginning is no use.
	at := int64(100*60+10) * 60_000
	if err := p.RunSlot(t.Context(), "x", Fit, at); err != nil {
		t.Fatal(err)
	}
	if want := []string{"5880-5939:1", "5940-5999:1", "6000-6010:2"}; !slices.Equal(unit.learned, want) {
		t.Errorf("learned %v, want %v", unit.learned, want)
	}
	if n := strings.Count(strings.Join(src.queries, "\n"), "l "); n != 1 || !slices.Contains(src.queries, fmt.Sprintf("l %d %d", at, at)) {
		t.Errorf("the newest point was asked %d times: %v", n, src.queries)
	}
	at += 60 * 60_000
	if err := p.RunSlot(t.Context(), "x", Score, at); err == nil || len(sink.written["x"]) != 0 {
		t.Errorf("a piece failed: %v, written %v", err, sink.written)
	}
	if err := p.RunSlot(t.Context(), "x", Score, at); err != nil {
		t.Fatal(err)
	}
	if want := []string{"6011-6059:1", "6060-6070:2", "6060-6070:2"}; !slices.Equal(unit.stepped, want) || len(sink.written["x"]) != 1 {
		t.Errorf("stepped %v, want %v; written %v", unit.stepped, want, sink.written)
	}
	for what, change := range map[string]func(*Task){
		"no piece":              func(t *Task) { t.Piece = 0 },
		"a piece of no steps":   func(t *Task) { t.Piece = 90 * time.Second },
		"a unit of all at once": func(t *Task) { t.Unit = &fakeUnit{} },
	} {
		bad := task
		change(&bad)
		if Check([]Task{bad}) == nil {
			t.Errorf("%s was taken", what)
		}
	}
}

// TestFollow: what a task says for the first time is told at once to those that join it.
func TestFollow(t *testing.T) {
	sink := &fakeSink{}
	p, err := New(Options{Source: &fakeSource{}, Sinks: []Sink{sink}, Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	task := func(name string, u Unit, after ...string) Task {
		return Task{Name: name, Queries: map[string]string{"value": "v"}, After: after, Every: time.Minute, FitEvery: time.Hour, Step: time.Minute, History: time.Hour, Key: "k", Unit: u}
	}
	joins, other := &fakeUnit{}, &fakeUnit{}
	if err := p.Apply([]Task{task("other", other), task("joins", joins, "other"), task("unfitted", &fakeUnit{}, "other")}, nil); err != nil {
		t.Fatal(err)
	}
	at := time.Now().UnixMilli()
	for _, name := range []string{"joins", "other"} {
		if err := p.RunSlot(t.Context(), name, Fit, at); err != nil {
			t.Fatal(err)
		}
	}
	for k := range int64(2) {
		if err := p.RunSlot(t.Context(), "other", Score, at+k*60_000); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := p.queue.stats(); n != 1 {
		t.Fatalf("%d passes are queued, want 1 after the first results", n)
	}
	if j, _ := p.queue.pop(); j.task.Name != "joins" || j.pass != Score {
		t.Errorf("%s of %s is queued", j.pass, j.task.Name)
	}
}
