package detect

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/detect/cluster"
	"github.com/upid/upid/rules"
)

// TestConfidenceTable counts the table again: UPID_ABLATION=1 runs it, a minute. It
// holds every share that rests on twenty findings and more to 0.1 of what is counted.
func TestConfidenceTable(t *testing.T) {
	if os.Getenv("UPID_ABLATION") == "" {
		t.Skip("set UPID_ABLATION=1")
	}
	dir := sharedData(t)
	var all []labelled
	for _, name := range []string{"aiops", "asd", "inject", "msft", "nab", "smd", "wsd"} {
		all = append(all, labelledSeries(t, filepath.Join(dir, name))...)
	}
	for seed := range uint64(3) {
		all = append(all, clusterSeries(t, cluster.Options{Seed: seed + 1, Step: 5 * time.Minute, Days: 42, Warm: 14})...)
	}
	var got [len(realShare)][len(confidenceBands)]counted
	for i := range all {
		openings(&all[i], func(f *series.Finding, real bool) {
			c := &got[confidentRow(f.Worst.Why)][confidentBand(f.Peak)]
			c.all++
			if real {
				c.real++
			}
		})
	}
	for row := range got {
		for band, c := range got[row] {
			want := realShare[row][band]
			t.Logf("row %d, scores from %v: {%v, %v}, %.2f; in the table {%v, %v}, %.2f", row, confidenceBands[band], c.real, c.all, c.share(), want.real, want.all, want.share())
			if c.all >= 20 && math.Abs(c.share()-want.share()) > 0.1 {
				t.Errorf("row %d, scores from %v: %.2f were real, the table says %.2f", row, confidenceBands[band], c.share(), want.share())
			}
		}
	}
}

// openings replays a series and calls f with every finding as it opens after the
// warm-up, more than three steps or ten minutes after the one before, and whether it
// opens within an event.
func openings(l *labelled, f func(*series.Finding, bool)) {
	o, err := Options{Step: l.step, Budget: 1}.complete()
	if err != nil {
		panic(err)
	}
	s := makeStream(o)
	r := rules.Default(l.step, series.SeverityWarning)
	var a rules.Alert
	tol := max(3*l.step.Milliseconds(), 600_000)
	events := joined(l.events, tol)
	end := int64(math.MinInt64)
	feed := func(at int64, v float64) {
		was := a.Active()
		if a = r.Next(a, s.Step(at, v), at); !a.Active() || at < l.warm {
			return
		}
		begins := end == math.MinInt64 || !was && at-end > tol
		end = at
		if !begins {
			return
		}
		real := false
		for _, e := range events {
			real = real || at >= e[0]-tol && at <= e[1]+tol
		}
		f(a.Finding, real)
	}
	for i, at := range l.times {
		if i > 0 {
			for g := range Gaps(l.times[i-1], at, l.step.Milliseconds()) {
				feed(g, math.NaN())
			}
		}
		feed(at, l.values[i])
	}
}

// Every share is between 0 and 1, whatever was counted.
func TestShares(t *testing.T) {
	for row, bands := range realShare {
		for band, c := range bands {
			if s := c.share(); !(s > 0 && s < 1) || c.real > c.all {
				t.Errorf("row %d, band %d: %+v", row, band, c)
			}
		}
	}
	for v, want := range map[float64]int{1: 0, 1.49: 0, 1.5: 1, 3: 2, 1e9: 2} {
		if got := confidentBand(v); got != want {
			t.Errorf("score %v is in band %d, want %d", v, got, want)
		}
	}
}
