package source

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestFault_A17: ten server errors in a row open the circuit. Then one request in
// half a minute is sent, and the first good answer closes it.
func TestFault_A17(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken, said := true, &bytes.Buffer{}
		u := fake(t, Options{Logger: slog.New(slog.NewTextHandler(said, nil))}, func(w http.ResponseWriter, r *http.Request) {
			if broken {
				http.Error(w, "the store is full", http.StatusInternalServerError)
				return
			}
			writeRange(w, r, "", always(`{}`, 1))
		})
		query := func() error {
			_, err := u.Query(context.Background(), "up", 0, 1000, 1000)
			return err
		}
		want := func(err error, requests int, open float64) {
			t.Helper()
			e, ok := errors.AsType[*Error](err)
			if err != nil && (!ok || e.Reason != ReasonHTTP5xx || e.Status != http.StatusInternalServerError || e.Op != opRange || !strings.Contains(err.Error(), "the store is full")) {
				t.Errorf("%v", err)
			}
			if n := len(u.asks); n != requests || u.metric(t, "upid_upstream_circuit_open") != open || u.metric(t, "upid_upstream_requests_total", "endpoint=query_range") != float64(requests) {
				t.Errorf("%d requests, circuit %v; want %d, %v", n, u.metric(t, "upid_upstream_circuit_open"), requests, open)
			}
		}
		want(query(), 4, 0) // four attempts
		want(query(), 8, 0)
		want(query(), 10, 1) // two, and then no further ones
		began, text := time.Now(), query().Error()
		for range 20 {
			want(query(), 10, 1)
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("20 queries waited %v", d)
		}
		time.Sleep(31 * time.Second)
		err := query() // a probe, which fails
		want(err, 11, 1)
		if err.Error() != text { // or it would be logged each time
			t.Errorf("%q, and after a probe %q", text, err)
		}
		want(query(), 11, 1)
		time.Sleep(20 * time.Minute)
		want(query(), 12, 1)
		broken = false
		want(query(), 12, 1)
		time.Sleep(31 * time.Second)
		if err := query(); err != nil {
			t.Error(err)
		}
		want(nil, 13, 0)
		if err := query(); err != nil {
			t.Error(err)
		}
		want(nil, 14, 0)
		broken = true // it takes ten again
		want(query(), 18, 0)
		if w, i := strings.Count(said.String(), "asked less"), strings.Count(said.String(), "asked again"); w != 1 || i != 1 {
			t.Errorf("said %d and %d times:\n%s", w, i, said)
		}
	})
}

// What is no server error says that the server works, or that asking costs it nothing.
func TestBreakerCountsServerErrorsOnly(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusNotFound} {
		synctest.Test(t, func(t *testing.T) {
			u := fake(t, Options{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
			for range 15 {
				_, _ = u.Query(context.Background(), "up", 0, 1000, 1000)
			}
			if n := len(u.asks); n < 15 || u.metric(t, "upid_upstream_circuit_open") != 0 {
				t.Errorf("status %d: %d requests, circuit %v", status, n, u.metric(t, "upid_upstream_circuit_open"))
			}
		})
	}
}

// What the server says is logged as LogText returns it.
func TestLogText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := Options{
			Logger:  slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			LogText: func(s string) string { return strings.ReplaceAll(s, "alice", "***") },
		}
		u := fake(t, o, func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "of alice", http.StatusInternalServerError)
		})
		for range 15 {
			_, _ = u.Query(context.Background(), "up", 0, 1000, 1000)
		}
		if text := log.String(); strings.Contains(text, "alice") || !strings.Contains(text, "trying again") || !strings.Contains(text, "it is asked less") {
			t.Error(text)
		}
	})
}
