package history

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

// live is a server some of whose values come late.
type live struct {
	*rig
	now  int64
	base []one
}

// newLive returns a rig that was started with a history of two days, whose series
// are steady, but for one that ended and one that seldom has a value.
func newLive(t *testing.T) *live {
	t.Helper()
	base := make([]one, 0, 8)
	for i := range 6 {
		base = append(base, one{labels.FromStrings("pod", string(rune('a'+i))), func(t int64) float64 { return float64(t/minute%997) + float64(i) }})
	}
	base = append(base,
		one{labels.FromStrings("pod", "ended"), until(epoch-5*hour, base[0].value)},
		one{labels.FromStrings("pod", "seldom"), func(t int64) float64 {
			if t/minute%7 != 0 {
				return math.NaN()
			}
			return float64(t)
		}})
	s := &server{series: base}
	l := &live{rig: newRig(t, t.TempDir(), s), now: epoch, base: base}
	l.ask(t, epoch-2*aDay, epoch)
	return l
}

// pass is the life of some hours: scores each minute, fits every six hours. late
// says which series comes how much later than its time at a time.
func (l *live) run(t *testing.T, hours int, late func(pod string, now int64) (upTo int64)) {
	t.Helper()
	for end := l.now + int64(hours)*hour; l.now < end; {
		l.now += minute
		at := slices.Clone(l.base)
		for i := range at {
			at[i].value = until(late(at[i].labels.Get("pod"), l.now), at[i].value)
		}
		l.server.mu.Lock()
		l.server.series = at
		l.server.mu.Unlock()
		l.ask1(t, l.now, l.now)
		if l.now%(6*hour) == 0 {
			l.ask1(t, l.now-2*aDay, l.now)
		}
		if l.now%(30*minute) == 0 {
			l.maintain(false)
		}
	}
}

// ask1 asks and does not compare.
func (l *live) ask1(t *testing.T, from, to int64) []series.Series {
	t.Helper()
	l.pass(to)
	d, err := l.Query(t.Context(), expr, from, to, minute)
	if err != nil {
		t.Fatal(err)
	}
	return d.Series
}

// steady checks that hardly more was fetched than was new.
func (l *live) steady(t *testing.T) {
	t.Helper()
	fetched, fresh := l.counter("upid_history_samples_fetched_total"), l.counter("upid_history_samples_new_total")
	if fetched > overhead*fresh || fetched < fresh {
		t.Errorf("%v fetched, %v new", fetched, fresh)
	}
}

func onTime(_ string, now int64) int64 { return now }

// TestLateSeries: one series of several is cut off for an hour and a half and comes
// later. Its hole is filled in, in the files and in the block in memory, and stays
// so in another process.
func TestLateSeries(t *testing.T) {
	l := newLive(t)
	l.run(t, 4, onTime)
	cutOff := l.now
	l.run(t, 3, func(pod string, now int64) int64 {
		if pod == "c" && now < cutOff+90*minute {
			return cutOff
		}
		return now
	})
	l.run(t, 30, onTime)
	l.ask(t, l.now-2*aDay, l.now) // as the server has it
	l.steady(t)
	if strings.Contains(l.said.String(), "level=WARN") {
		t.Errorf("said:\n%s", l.said)
	}
	l.maintain(true)
	again := newRig(t, l.dir, l.server)
	again.ask(t, l.now-2*aDay, l.now)
}

// TestArrived says which stretch is to be asked for again.
func TestArrived(t *testing.T) {
	nan := math.NaN()
	y := func(name string, start int64, vs ...float64) series.Series {
		return series.Series{Labels: labels.FromStrings("n", name), Start: start, Step: 1, Values: vs}
	}
	known := []series.Series{
		y("full", 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9), y("hole", 0, 0, 1, nan, nan, nan, 5, 6, 7, 8, 9), y("other", 0, 0, 1, 2, nan, nan, nan, nan, 7, 8, 9),
		y("began", 7, 7, 8, 9), y("ended", -5, 1, 2, 3),
	}
	f := func(found bool, want span, now ...series.Series) {
		t.Helper()
		if got, is := arrived(known, now, span{0, 9}, 4, 1); is != found || got != want {
			t.Errorf("%v %v, want %v %v", got, is, want, found)
		}
	}
	f(false, span{}, y("full", 4, 4))
	f(true, span{2, 4}, y("full", 4, 4), y("hole", 4, 4))
	f(true, span{2, 6}, y("hole", 4, 4), y("other", 4, 4))
	f(true, span{0, 6}, y("began", 4, 4))
	f(true, span{0, 9}, y("ended", 4, 4))
	f(true, span{0, 9}, y("unheard of", 4, 4))
	f(false, span{}, y("hole", 4, nan))
	f(false, span{})
}

// TestAlwaysLate: a series that is always ten minutes behind cannot be had for the
// price of one question. What can be is, and the cure is said once.
func TestAlwaysLate(t *testing.T) {
	l := newLive(t)
	lag := func(pod string, now int64) int64 {
		if pod == "c" {
			return now - 10*minute
		}
		return now
	}
	l.run(t, 5*24, lag)
	l.steady(t)
	if n := strings.Count(l.said.String(), "set query_offset"); n != 1 {
		t.Errorf("said %d times:\n%s", n, l.said)
	}
	got := l.ask1(t, l.now-2*aDay, l.now)
	have := 0
	for _, v := range got[2].Values {
		if !math.IsNaN(v) {
			have++
		}
	}
	if have == 0 || got[2].Labels.Get("pod") != "c" {
		t.Errorf("%d values of %s", have, got[2].Labels)
	}
}

// TestHostileServerWhileLooking: whatever the second question brings, the answer
// to the first stands.
func TestHostileServerWhileLooking(t *testing.T) {
	for name, broken := range map[string]func(*server){
		"partial": func(s *server) { s.partial = true },
		"down":    func(s *server) { s.err = errGone },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLive(t)
			l.run(t, 2, onTime)
			want := l.ask1(t, l.now-2*aDay, l.now)
			broken(l.server)
			same(t, l.ask1(t, l.now-2*aDay, l.now), want)
		})
	}
}

var errGone = errorString("gone")

type errorString string

func (e errorString) Error() string { return string(e) }

func TestDoubtful(t *testing.T) {
	nan := math.NaN()
	y := func(start int64, vs ...float64) series.Series {
		return series.Series{Labels: labels.FromStrings("n", string(rune('a'+start))), Start: start, Step: 1, Values: vs}
	}
	f := func(want int64, ok bool, looked []int64, ss ...series.Series) {
		t.Helper()
		if at, is := doubtful(ss, span{0, 9}, 1, looked); is != ok || ok && at != want {
			t.Errorf("%d %v, want %d %v", at, is, want, ok)
		}
	}
	full := y(0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	f(0, false, nil)
	f(0, false, nil, full, full)
	f(3, true, nil, full, y(0, 0, 1, 2, nan, nan, 5, 6, 7, 8, 9))
	f(3, true, nil, full, y(0, 0, 1, 2, nan, nan, 5, 6, 7, nan, 9), y(2, 2, nan, nan, 5, 6, 7, 8, 9)) // where two meet
	f(8, true, []int64{4}, full, y(0, 0, 1, 2, nan, nan, 5, 6, 7, nan, 9))                            // looked into
	f(7, true, nil, full, y(0, 0, 1, 2, 3, 4, 5, 6))                                                  // it ended
	f(0, false, nil, y(0, 0, 1, 2, nan, nan, 5, 6, 7, 8, 9))                                          // nobody has a value: asked for otherwise
	f(0, false, nil, full, y(4, 4, 5, 6, 7, 8, 9))                                                    // it began
	f(0, true, nil, full, y(-5, 1, 2, 3))                                                             // it ended before
	f(3, true, []int64{3}, full, y(0, 0, 1, 2, nan, 4, 5, 6, 7, 8, 9))                                // there is no other
}
