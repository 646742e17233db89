package history

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// TestClockAhead: the clock of the machine is a year ahead for a while. There are no
// data of that time, so nothing becomes too old and no gap final.
func TestClockAhead(t *testing.T) {
	const year = 365 * aDay
	s := &server{series: pods()}
	end := epoch + 3*aDay
	gap := span{end - 30*minute, end - 20*minute}
	full := s.series
	s.series = nil
	for _, o := range full {
		f := until(end, o.value)
		late := func(t int64) float64 {
			if t >= gap.from && t <= gap.to {
				return math.NaN()
			}
			return f(t)
		}
		s.series = append(s.series, one{o.labels, late})
	}
	dir := t.TempDir()
	r := newRig(t, dir, s)
	query := func(start, to int64) { // as the machine asks, whatever time it is
		t.Helper()
		if _, err := r.Query(context.Background(), expr, start, to, minute); err != nil {
			t.Fatal(err)
		}
		r.maintain(true)
	}
	r.ask(t, end-3*aDay, end)
	r.maintain(true)
	had := files(t, dir)

	for range 3 {
		query(end+year-minute, end+year)
		query(end+year-3*aDay, end+year)
	}
	if got := files(t, dir); len(had) < 4 || !contains(got, had) {
		t.Errorf("files %v, had %v", got, had)
	}
	// A process that starts under that clock.
	r = newRig(t, dir, s)
	query(end+year-3*aDay, end+year)
	if got := files(t, dir); !contains(got, had) {
		t.Errorf("after a restart: files %v, had %v", got, had)
	}
	// The clock is right again: what was late is there, and nothing else is asked for.
	s.series = full
	s.questions()
	r.ask(t, end-3*aDay, end+hour)
	if got := s.questions(); len(got) != 2 || got[0] != (span{end + minute, end + hour}) || got[1] != gap {
		t.Errorf("asked for %v, want the gap %v and what is new", got, gap)
	}
}

func contains(all, part []string) bool {
	have := map[string]bool{}
	for _, s := range all {
		have[s] = true
	}
	for _, s := range part {
		if !have[s] {
			return false
		}
	}
	return true
}

// TestClockBack: a clock that goes back a year and forth again deletes nothing.
func TestClockBack(t *testing.T) {
	const year = 365 * aDay
	s := &server{series: pods()}
	end := epoch + 3*aDay
	dir := t.TempDir()
	r := newRig(t, dir, s)
	r.ask(t, end-3*aDay, end)
	r.maintain(true)
	had := files(t, dir)
	r.ask(t, end-year-aDay, end-year)
	r.maintain(true)
	if got := files(t, dir); !contains(got, had) {
		t.Errorf("files %v, had %v", got, had)
	}
	s.questions()
	r.ask(t, end-3*aDay, end+minute)
	if got := s.questions(); len(got) != 1 || got[0] != (span{end + minute, end + minute}) {
		t.Errorf("asked for %v", got)
	}
	r.maintain(true) // and what belongs to last year goes
	if got := files(t, dir); !contains(got, had) || len(got) > len(had)+1 {
		t.Errorf("files %v, had %v", got, had)
	}
}

// TestTimelessExpression: one that has a value at any time, such as absent(x),
// vouches for no clock, until it has done so for a day.
func TestTimelessExpression(t *testing.T) {
	var mono time.Duration = 1
	c := newClock(slog.New(slog.DiscardHandler), time.Now)
	c.mono = func() time.Duration { return mono }
	want := func(t0 int64) {
		t.Helper()
		if got := c.now(); got != t0 {
			t.Errorf("it is %d, want %d", got, t0)
		}
	}
	c.found(5 * aDay)
	c.found(3 * aDay)
	want(5 * aDay)
	c.saw(6 * aDay) // a day after the end of the files
	want(6 * aDay)
	c.saw(5 * aDay)
	want(6 * aDay)
	c.saw(300 * aDay)
	want(6 * aDay)
	mono += 23 * time.Hour
	c.saw(301 * aDay)
	want(6 * aDay)
	c.saw(6*aDay + 23*hour) // the clock is right again
	want(6*aDay + 23*hour)
	mono += 2 * time.Hour
	c.saw(302 * aDay) // another doubt
	want(6*aDay + 23*hour)
	mono += 24 * time.Hour
	c.saw(303 * aDay) // for a day
	want(303 * aDay)
}

// TestJumpIsSaid: once for each jump, and not for time that passed while a query
// took long.
func TestJumpIsSaid(t *testing.T) {
	r := newRig(t, t.TempDir(), &server{})
	wall, mono := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), time.Duration(1)
	r.now, r.clock.mono = func() time.Time { return wall }, func() time.Duration { return mono }
	f := func(jump, passed time.Duration, warnings int) {
		t.Helper()
		wall, mono = wall.Add(jump+passed), mono+passed
		for range 3 {
			r.maintain(false)
		}
		if got := strings.Count(r.said.String(), "clock of this machine jumped"); got != warnings {
			t.Errorf("jump %v in %v: %d warnings, want %d", jump, passed, got, warnings)
		}
	}
	f(0, 0, 0)
	f(0, 30*time.Second, 0)
	f(time.Hour, time.Minute, 0)
	f(0, 72*time.Hour, 0)
	f(365*24*time.Hour, 30*time.Second, 1)
	f(0, 30*time.Second, 1)
	f(-365*24*time.Hour, 30*time.Second, 2)
}

// TestManyStretches: beyond the limit the nearest stretches are asked for in one,
// so that no answer lacks what the server has.
func TestManyStretches(t *testing.T) {
	s := &server{}
	full := one{labels.FromStrings("a", "b"), func(t int64) float64 { return float64(t) }}
	r := newRig(t, t.TempDir(), s)
	// Blocks of an hour, each with a stretch of 10 minutes that is empty for now.
	start, end := epoch, epoch+80*hour
	hole := func(t int64) bool { return t%hour >= 20*minute && t%hour < 30*minute }
	s.series = []one{{full.labels, func(t int64) float64 {
		if hole(t) {
			return math.NaN()
		}
		return full.value(t)
	}}}
	for now := start; now < end; now += hour {
		r.ask(t, now, now+hour-minute)
		r.maintain(true)
	}
	s.series = []one{full}
	s.questions()
	want := span{start + 20*minute, end - 25*minute}
	r.Configure("http://one", []Query{{Expr: expr, Step: time.Minute, Offset: 30 * time.Second, History: 5 * 24 * time.Hour}})
	r.ask(t, want.from, want.to) // compares with what the server has
	asked := s.questions()
	if len(asked) != maxQueries {
		t.Errorf("%d questions, want %d", len(asked), maxQueries)
	}
	r.ask(t, want.from, want.to)
	if again := s.questions(); len(again) != 0 {
		t.Errorf("asked again for %v", again)
	}
}

func TestNearest(t *testing.T) {
	f := func(n int, want string, ss ...span) {
		t.Helper()
		if got := fmt.Sprint(nearest(ss, n)); got != want {
			t.Errorf("nearest(%v, %d) = %s, want %s", ss, n, got, want)
		}
	}
	ss := []span{{0, 10}, {20, 30}, {100, 110}, {115, 120}, {122, 130}, {300, 310}}
	f(6, "[{0 10} {20 30} {100 110} {115 120} {122 130} {300 310}]", ss...)
	f(4, "[{0 10} {20 30} {100 130} {300 310}]", ss...)
	f(3, "[{0 30} {100 130} {300 310}]", ss...)
	f(1, "[{0 310}]", ss...)
	f(2, "[]")
}
