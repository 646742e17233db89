package source

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestClockSkew(t *testing.T) {
	ahead, date := time.Duration(0), true
	u := fake(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		if date {
			w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
		}
		writeRange(w, r, "", always(`{}`, 1))
	})
	ask := func() {
		t.Helper()
		if _, err := u.Query(context.Background(), "up", 0, 1000, 1000); err != nil {
			t.Fatal(err)
		}
	}
	date = false
	ask()
	if n := gathered(t, u.reg, "upid_clock_skew_seconds"); n != 0 {
		t.Error("a skew without a date")
	}
	date = true
	for _, ahead = range []time.Duration{0, 90 * time.Second, -10 * time.Minute} {
		ask()
		if got := u.metric(t, "upid_clock_skew_seconds"); got < ahead.Seconds()-1.5 || got > ahead.Seconds()+1.5 {
			t.Errorf("skew %v s, want %v", got, ahead.Seconds())
		}
	}
}

// gathered returns how many series there are of a metric.
func gathered(t *testing.T, reg prometheus.Gatherer, name string) int {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return len(f.GetMetric())
		}
	}
	return 0
}
