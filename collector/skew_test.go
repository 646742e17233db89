package collector

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestSkew(t *testing.T) {
	reg, said := prometheus.NewRegistry(), &bytes.Buffer{}
	s := NewSkew(reg, "am", slog.New(slog.NewTextHandler(said, nil)))
	now := time.Date(2026, 3, 2, 12, 0, 0, 500_000_000, time.UTC)
	f := func(ahead, want time.Duration, warnings, infos int) {
		t.Helper()
		s.Note(now.Add(ahead).UTC().Format(http.TimeFormat), now)
		if got := s.Ahead(); got != want {
			t.Errorf("ahead by %v: %v, want %v", ahead, got, want)
		}
		w, i := strings.Count(said.String(), "level=WARN"), strings.Count(said.String(), "level=INFO")
		if w != warnings || i != infos {
			t.Errorf("ahead by %v: %d warnings and %d infos, want %d and %d", ahead, w, i, warnings, infos)
		}
	}
	if n := testutil.CollectAndCount(s.gauge); n != 0 || s.Ahead() != 0 {
		t.Errorf("%d skews before there was a date", n)
	}
	s.Note("yesterday", now)
	f(29*time.Second, 0, 0, 0)
	f(10*time.Minute, 10*time.Minute, 1, 0)
	f(10*time.Minute+4*time.Second, 10*time.Minute, 1, 0) // no other skew
	f(10*time.Minute+6*time.Second, 10*time.Minute+6*time.Second, 1, 0)
	f(-10*time.Minute, -10*time.Minute, 1, 0)
	if got := testutil.ToFloat64(s.gauge.WithLabelValues("am")); got != -600 {
		t.Errorf("%v s", got)
	}
	f(time.Second, 0, 1, 1)
	f(time.Hour, time.Hour, 2, 1)
	s.Forget()
	if n := testutil.CollectAndCount(s.gauge); n != 0 {
		t.Errorf("%d skews after the peer is gone", n)
	}
}
