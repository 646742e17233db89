//go:build unix

package main

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/upid/upid/collector/testserver"
)

const killConfig = `
prometheus: {url: %s}
alertmanager: {urls: [%s], resend_delay: 5s}
signals:
  - name: load
    type: performance
    query: load
    step: 1s
    history: 1h
    forecast: {horizons: [10m], every: 1m}
    detect: {budget: 1/week, direction: up}
`

// loads is a service with many series, one of which gets worse and worse.
type loads struct {
	*httptest.Server
	mu    sync.Mutex
	since time.Time // the incident; zero = none
}

const loadSeries = 50

// load is the ordinary value of series i.
func load(i int, t int64) float64 {
	return 100 + float64(i) + 5*math.Sin(float64(t)/60) + rand.New(rand.NewPCG(uint64(t), uint64(i))).NormFloat64()
}

func newLoads(t *testing.T) *loads {
	l := &loads{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		l.mu.Lock()
		factor := 1.0
		if !l.since.IsZero() { // faster than anything can get used to it
			factor = 5 * math.Exp2(min(time.Since(l.since).Seconds(), 1200)/20)
		}
		l.mu.Unlock()
		for i := range loadSeries {
			v := load(i, time.Now().Unix())
			if i == 7 {
				v *= factor
			}
			fmt.Fprintf(w, "load{i=\"%d\"} %v\n", i, v)
		}
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *loads) incident(since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since = since
}

// kills is how often upid is killed: a few times with the other tests, more often
// in make soak.
func kills(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("UPID_KILLS"))
	if err != nil {
		return 5
	}
	return n
}

// TestKilledAtAnyMoment kills upid, which saves its state all the time, at random
// moments while an alert fires. Every time its state is loaded or built again, and
// Alertmanager sees one alert all along.
func TestKilledAtAnyMoment(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real servers")
	}
	t.Parallel()
	target := newLoads(t)
	var history bytes.Buffer
	history.WriteString("# TYPE load gauge\n")
	now := time.Now().Unix()
	for i := range loadSeries {
		for at := now - 3600; at < now; at++ {
			fmt.Fprintf(&history, "load{i=\"%d\",job=\"load\",instance=\"one\"} %v %d\n", i, load(i, at), at)
		}
	}
	history.WriteString("# EOF\n")
	prom := testserver.Prometheus(t, testserver.Options{OpenMetrics: &history, ScrapeConfigs: scrapeConfigs(scrapeJob{job: "load", url: target.URL, instance: "one"})})
	am := testserver.Alertmanager(t, testserver.AlertmanagerOptions{})
	dir, addr := t.TempDir(), freeAddr(t)
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), fmt.Appendf(nil, killConfig, prom.URL, am.URL), 0o644); err != nil {
		t.Fatal(err)
	}
	start := func() *process {
		return startProcess(t, dir, "start", "--interval", "1", "--web.listen-address", addr, "--storage.checkpoint-interval", "100ms")
	}
	p := start()
	metricBecomes(t, addr, `upid_anomaly_score{signal="load",i="7",instance="one",job="load"}`)
	target.incident(time.Now())
	var first alert
	eventually(t, 30*time.Second, "an alert", func() error {
		as, err := alertsNamed(am.URL, "UpidAnomaly")
		if err == nil && len(as) != 1 {
			err = fmt.Errorf("%d alerts", len(as))
		}
		if err == nil {
			first = as[0]
		}
		return err
	})

	watched := watchAlert(am.URL, first)
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	loaded, rebuilt := 0, 0
	for k := range kills(t) {
		time.Sleep(time.Duration(r.Int64N(int64(3 * time.Second))))
		p.kill()
		p = start()
		if k%2 == 0 {
			continue // killed again at any moment, also while it starts
		}
		metricBecomes(t, addr, `upid_anomaly_active{signal="load"`)
		_, page, err := getText("http://" + addr + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case strings.Contains(page, "\nupid_state_loads_total 1\n"):
			loaded++
		case strings.Contains(page, `upid_state_rebuilds_total{part="checkpoint",reason="missing"} 1`):
			rebuilt++
		default:
			t.Errorf("kill %d: neither loaded nor rebuilt\n%s", k, p.log)
		}
		if status, _, err := getText("http://" + addr + "/-/ready"); err != nil || status != http.StatusOK {
			t.Errorf("kill %d: /-/ready %d, %v", k, status, err)
		}
		for _, bad := range []string{"panic", "damaged", "history lost"} {
			if strings.Contains(p.log.String(), bad) {
				t.Errorf("kill %d: %s\n%s", k, bad, p.log)
			}
		}
	}
	time.Sleep(2 * time.Second)
	if faults := watched(); len(faults) > 0 {
		t.Errorf("seed %d: the alert did not stay the same: %v", seed, faults)
	}
	t.Logf("killed %d times: loaded %d times, rebuilt %d times of those looked at", kills(t), loaded, rebuilt)
	if loaded == 0 {
		t.Error("state was never loaded")
	}
	target.incident(time.Time{})
	eventually(t, 60*time.Second, "the alert is resolved once the incident is over", func() error {
		as, err := alertsNamed(am.URL, "UpidAnomaly")
		if err == nil && len(as) != 0 {
			err = fmt.Errorf("still firing: %+v", as)
		}
		return err
	})
}

// watchAlert looks at Alertmanager until the returned function is called, which
// says when the alert was not what it was.
func watchAlert(am string, want alert) (end func() []string) {
	stop, done := make(chan struct{}), make(chan struct{})
	var faults []string
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Millisecond):
			}
			as, err := alertsNamed(am, "UpidAnomaly")
			found := false
			for _, a := range as {
				found = found || a.StartsAt.Equal(want.StartsAt) && a.Labels["type"] == want.Labels["type"] && a.Labels["i"] == want.Labels["i"]
			}
			if err != nil || !found {
				faults = append(faults, fmt.Sprintf("%s: %+v, %v", time.Now().Format(time.TimeOnly), as, err))
			}
		}
	}()
	return func() []string {
		close(stop)
		<-done
		return faults
	}
}
