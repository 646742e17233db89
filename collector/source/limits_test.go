package source

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

func TestQuery_limits(t *testing.T) {
	f := func(o Options, points int64, want string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			u := fake(t, o, func(w http.ResponseWriter, r *http.Request) {
				writeRange(w, r, "", always(`{"a":"1"}`, 1), always(`{"a":"2"}`, 1), fakeSeries{`{"a":"3"}`, func(ms int64) (float64, bool) { return 1, ms == t0 }})
			})
			d, err := u.Query(t.Context(), "x", t0, t0+(points-1)*minute, minute)
			if want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			failure(t, err, ReasonTooLarge)
			contains(t, err, want)
			if len(d.Series) != 0 {
				t.Errorf("%d series", len(d.Series))
			}
		})
	}
	f(Options{MaxSamples: 30}, 10, "") // 21 samples, 30 grid points
	f(Options{MaxSamples: 29}, 10, "more than 29 grid points")
	f(Options{MaxSamples: 20}, 10, "the answer has too many samples: more than 20")
	f(Options{MaxSamples: 20, MaxPointsPerChunk: 5}, 10, "the answer has too many samples: more than 20")
	f(Options{MaxBytes: 200}, 10, "the answer is too long")
}

// An answer longer than our limit is asked for again in shorter pieces, as long as
// that can help.
func TestQuery_tooLongIsCut(t *testing.T) {
	f := func(maxBytes int64, want int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			u := fake(t, Options{MaxBytes: maxBytes}, func(w http.ResponseWriter, r *http.Request) { writeRange(w, r, "", always(`{"a":"1"}`, 1)) })
			d, err := u.Query(t.Context(), "x", t0, t0+79*minute, minute)
			if want == 0 {
				failure(t, err, ReasonTooLarge)
				contains(t, err, "the answer is too long")
			} else if err != nil || len(d.Series) != 1 || len(d.Series[0].Values) != 80 || d.Partial {
				t.Errorf("%v, %d series", err, len(d.Series))
			}
			if n := len(u.requests()); want > 0 && n != want {
				t.Errorf("%d requests, want %d", n, want)
			}
		})
	}
	// A sample is 16 bytes, 80 of them with what is around them about 1,400.
	f(2000, 1)
	f(1000, 1+2) // 80 is too long; 40 and 40
	f(500, 2+4)  // 80 and 40 are too long
	f(300, 3+8)  // 10 at a time
	f(100, 0)    // not even 10
}

func TestQuery_offGrid(t *testing.T) {
	f := func(at string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			u := fake(t, Options{}, status(200, "application/json", matrixBody(`{"metric":{},"values":[[`+at+`,"1"]]}`)))
			_, err := u.Query(t.Context(), "x", t0, t0+minute, minute)
			failure(t, err, ReasonDecode)
			contains(t, err, "a sample at "+at+" s is not on the grid that was asked for (start 1767225600 s, step 60 s)")
		})
	}
	f("1767225601")
	f("1767225540")
	f("1767225720")
}

func TestQuery_canceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := fake(t, Options{Concurrency: 1}, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		waiting := make(chan error)
		go func() {
			_, err := u.Query(ctx, "second", t0, t0, minute)
			waiting <- err
		}()
		_, err := u.Query(ctx, "first", t0, t0, minute)
		if !errors.Is(err, context.Canceled) || !errors.Is(<-waiting, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if got := u.metric(t, "upid_upstream_request_failures_total"); got != 0 {
			t.Errorf("%v failures counted for our own doing", got)
		}
		// A deadline while waiting for the other request is a failure.
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		u.tickets <- struct{}{}
		_, err = u.Query(short, "third", t0, t0, minute)
		failure(t, err, ReasonTimeout)
		contains(t, err, "waiting for 1 other requests")
	})
	// Canceled between two attempts: the failure is told.
	synctest.Test(t, func(t *testing.T) {
		u := fake(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(503)
		})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := u.Query(ctx, "up", t0, t0, minute)
		failure(t, err, ReasonHTTP5xx)
	})
}

func TestQuery_concurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		u := fake(t, Options{Concurrency: 3}, func(w http.ResponseWriter, r *http.Request) {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(time.Second)
			now.Add(-1)
			writeRange(w, r, "", always(`{}`, 1))
		})
		begin := time.Now()
		done := make(chan error)
		for range 9 {
			go func() {
				_, err := u.Query(t.Context(), "x", t0, t0, minute)
				done <- err
			}()
		}
		for range 9 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if most.Load() != 3 || time.Since(begin) != 3*time.Second {
			t.Errorf("%d at once, %s in all, want 3 and 3 s", most.Load(), time.Since(begin))
		}
	})
}

func TestNew_refused(t *testing.T) {
	f := func(o Options, want string) {
		t.Helper()
		_, err := New(o)
		contains(t, err, want)
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
	f(Options{}, "must begin with http")
	f(Options{URL: "ftp://u:canary@x"}, "must begin with http")
	f(Options{URL: "http://"}, "no host")
	f(Options{URL: "http://u:canary@x\x7f"}, "cannot be parsed")
	f(Options{URL: "http://u:canary@x?token=canary"}, "no query")
	f(Options{URL: "http://x", Concurrency: -1}, "a negative limit")
	o := Options{URL: "http://x"}
	o.HTTP.TLSConfig.CAFile = "/does/not/exist"
	f(o, "upstream default: ")
}

// The URL as people paste it.
func TestNew_url(t *testing.T) {
	for _, in := range []string{"http://x/p", "http://x/p/", "http://x/p/api/v1", "http://x/p/api/v1/"} {
		p, err := New(Options{URL: in})
		if err != nil {
			t.Fatal(err)
		}
		if p.URL() != "http://x/p" {
			t.Errorf("URL of %s is %s", in, p.URL())
		}
	}
}

// Nothing that is logged shows the credentials.
func TestLog_noSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		log := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))
		u := fake(t, Options{Logger: log}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
		_, err := u.Query(t.Context(), "up", t0, t0, minute)
		failure(t, err, ReasonHTTP5xx)
		if n := strings.Count(b.String(), "upstream request failed, trying again"); n != 3 || strings.Contains(b.String(), "canary") {
			t.Errorf("%d lines:\n%s", n, b.String())
		}
	})
}

func TestAdmission_hashCollision(t *testing.T) {
	a := newAdmission(2)
	x, y, z := labels.FromStrings("a", "x"), labels.FromStrings("a", "y"), labels.FromStrings("a", "z")
	// Equal hashes are told apart by the labels and ordered by them.
	for _, ls := range []labels.Labels{z, y, x} {
		if a.find(7, ls) != nil {
			t.Errorf("%s is there before it was added", ls)
		}
		a.add(&entry{ls: ls, hash: 7})
	}
	if a.find(7, x) == nil || a.find(7, y) == nil || a.find(7, z) != nil {
		t.Error("want x and y to stay, z to lose its place")
	}
	if a.add(&entry{ls: z, hash: 7}) || a.left() != 1 {
		t.Errorf("z came back, or %d series left out, want 1", a.left())
	}
	// Taking one out of the middle of a chain.
	a.unlink(a.find(7, x))
	if a.find(7, x) != nil || a.find(7, y) == nil {
		t.Error("unlink took the wrong one")
	}
	// Beyond the hashes it can hold it still counts.
	a.known = 3
	for _, h := range []uint64{1, 2, 7, 1, 3, 3} {
		a.refuse(h)
	}
	if a.left() != 5 {
		t.Errorf("%d left out, want 3 known ones and two times 3", a.left())
	}
}
