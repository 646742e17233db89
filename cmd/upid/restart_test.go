//go:build unix

package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/upid/upid/collector/testserver"
)

// TestGoroutinesAreLogged: what a process does that does not do what it should.
func TestGoroutinesAreLogged(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	p := startProcess(t, t.TempDir(), "start", "--web.listen-address", addr, "--prometheus.url", "http://"+freeAddr(t))
	metricBecomes(t, addr, "upid_build_info")
	for n := 1; n <= 2; n++ {
		p.signal(t, syscall.SIGUSR1)
		eventually(t, 10*time.Second, "the stacks in the log", func() error {
			if got := strings.Count(p.log.String(), "msg=goroutines"); got != n {
				return fmt.Errorf("%d times, want %d", got, n)
			}
			return nil
		})
	}
	if !strings.Contains(p.log.String(), "pipeline.(*Pipeline).Run") {
		t.Errorf("no stack of the scheduler:\n%.3000s", p.log)
	}
	if status, _, err := getText("http://" + addr + "/-/healthy"); err != nil || status != http.StatusOK {
		t.Errorf("/-/healthy: %d %v", status, err)
	}
}

// TestRestartWhileDataAreMissing restarts upid while Prometheus is down and an alert
// fires: it fires on, as what is known since then, until there are data again that
// say otherwise.
func TestRestartWhileDataAreMissing(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real servers")
	}
	t.Parallel()
	var incident, over atomic.Int64 // Unix seconds; 0 is not yet
	var down atomic.Bool
	prom := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		start, _ := strconv.ParseInt(r.FormValue("start"), 10, 64)
		end, _ := strconv.ParseInt(r.FormValue("end"), 10, 64)
		var points []string
		for at := start; at <= end; at++ {
			v := 100 + 5*math.Sin(float64(at)/60) + rand.New(rand.NewPCG(uint64(at), 0)).NormFloat64()
			if i, o := incident.Load(), over.Load(); i != 0 && at >= i && (o == 0 || at < o) {
				v *= 5 * math.Exp2(min(float64(at-i), 1200)/20)
			}
			points = append(points, fmt.Sprintf(`[%d,"%v"]`, at, v))
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"job":"x"},"values":[%s]}]}}`, strings.Join(points, ","))
	}))
	t.Cleanup(prom.Close)
	am := testserver.Alertmanager(t, testserver.AlertmanagerOptions{})
	dir, addr := t.TempDir(), freeAddr(t)
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), fmt.Appendf(nil, killConfig, prom.URL, am.URL), 0o644); err != nil {
		t.Fatal(err)
	}
	start := func() *process {
		return startProcess(t, dir, "start", "--interval", "1", "--web.listen-address", addr, "--storage.checkpoint-interval", "100ms", "--shutdown.delay", "0s")
	}
	p := start()
	metricBecomes(t, addr, `upid_anomaly_score{signal="load",job="x"}`)
	incident.Store(time.Now().Unix())
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
	saves := number(t, addr, "upid_model_saves_total")
	eventually(t, 60*time.Second, "a checkpoint that has it", func() error {
		if n := number(t, addr, "upid_model_saves_total"); n < saves+2 {
			return fmt.Errorf("%v saves, %v before", n, saves)
		}
		return nil
	})
	down.Store(true)
	p.kill()
	p = start()
	eventually(t, 60*time.Second, "what is known from before", func() error {
		as, err := alertsNamed(am.URL, "UpidAnomaly")
		if err != nil {
			return err
		}
		if len(as) != 1 {
			return fmt.Errorf("%+v, was %+v", as, first)
		}
		if err := sameAlert(first, as[0]); err != nil {
			return err
		}
		if !strings.Contains(as[0].Annotations["stale"], "No data since") {
			return fmt.Errorf("no word that it is stale: %v", as[0].Annotations)
		}
		return nil
	})
	if status, body, err := getText("http://" + addr + "/api/v1/anomalies?state=open"); err != nil || status != http.StatusOK || !strings.Contains(body, `"stale":true`) {
		t.Errorf("%d %v %s", status, err, body)
	}
	if _, page, err := getText("http://" + addr + "/metrics"); err != nil || strings.Contains(page, "\nupid_observed_value{") {
		t.Errorf("values of before the restart are shown as new, or %v", err)
	}
	if n := strings.Count(p.log.String(), "no data since the restart"); n > 1 { // 0: a pass had nothing new to ask for
		t.Errorf("said %d times:\n%s", n, p.log)
	}
	over.Store(time.Now().Unix())
	down.Store(false)
	eventually(t, 90*time.Second, "the alert is resolved once data say so", func() error {
		as, err := alertsNamed(am.URL, "UpidAnomaly")
		if err == nil && len(as) != 0 {
			err = fmt.Errorf("still firing: %+v", as)
		}
		return err
	})
}
