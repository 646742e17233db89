//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/source"
	"github.com/upid/upid/collector/testserver"
	"github.com/upid/upid/collector/views"
)

// playedOn is counters of log-ins that an exporter plays on from where a back-fill ended.
type playedOn struct {
	*httptest.Server
	series []source.FileSeries
	shift  int64 // what now is later than in the recording, milliseconds
}

// at returns the value of a series at a time of the recording; ok is false before its first.
func (r *playedOn) at(s source.FileSeries, t int64) (v float64, ok bool) {
	i, found := slices.BinarySearch(s.Times, t)
	if !found {
		i--
	}
	if i < 0 {
		return 0, false
	}
	return s.Values[i], true
}

// playOn serves the counters as they were at attack when it is start.
func playOn(t *testing.T, ss []source.FileSeries, attack int64, start time.Time) *playedOn {
	r := &playedOn{Server: nil, series: ss, shift: start.UnixMilli() - attack}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, s := range r.series {
			if v, ok := r.at(s, time.Now().UnixMilli()-r.shift); ok {
				fmt.Fprintf(w, "%s %v\n", exposed(s.Labels), v)
			}
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// exposed returns a series as exporters write it.
func exposed(ls labels.Labels) string {
	b := labels.NewBuilder(ls).Del(model.MetricNameLabel).Labels()
	return ls.Get(model.MetricNameLabel) + strings.ReplaceAll(b.String(), `", `, `",`)
}

// backfill writes the days before end as Prometheus would have scraped them every minute.
func (r *playedOn) backfill(w io.Writer, days int, end time.Time) {
	fmt.Fprintln(w, "# TYPE ssh_auth_events counter")
	for _, s := range r.series {
		ls := labels.NewBuilder(s.Labels).Set("job", "ssh").Set("instance", "ssh:80").Labels()
		for at := end.Add(-time.Duration(days) * 24 * time.Hour); at.Before(end); at = at.Add(time.Minute) {
			if v, ok := r.at(s, at.UnixMilli()-r.shift); ok {
				fmt.Fprintf(w, "%s %v %d.%03d\n", exposed(ls), v, at.Unix(), at.UnixMilli()%1000)
			}
		}
	}
}

// sshSample is five days of log-ins on two hosts, a failure now and then, and a hundred within
// two minutes on web-1 at the time that is returned.
func sshSample() (ss []source.FileSeries, attack int64) {
	rng := rand.New(rand.NewPCG(3, 4))
	attack = monday*1000 + 5*86_400_000
	for _, host := range []string{"web-1", "web-2"} {
		for _, result := range []string{"failed", "accepted"} {
			s := source.FileSeries{Labels: labels.FromStrings(model.MetricNameLabel, "ssh_auth_events_total", "host", host, "result", result)}
			total := 0.0
			for t := monday * int64(1000); t < attack+3_600_000; t += 5000 {
				n := 0.0
				if rng.IntN(2000) == 0 {
					n = 1
				}
				if host == "web-1" && result == "failed" && t >= attack && t < attack+120_000 {
					n = 4
				}
				if total += n; n > 0 || t == monday*1000 {
					s.Times, s.Values = append(s.Times, t), append(s.Values, total)
				}
			}
			ss = append(ss, s)
		}
	}
	return ss, attack
}

// linux2005 is the start of a real log (LogHub, Linux) with a campaign of 23 failures within a
// minute, if the data are beside the repository.
func linux2005(t *testing.T) (ss []source.FileSeries, attack int64) {
	const path = "../../../shared/data/threat/auth/linux_2005a_by_host.csv.gz"
	f, err := os.Open(path)
	if err != nil {
		t.Skip("the labelled log-ins are not there")
	}
	defer f.Close()
	file, err := source.ReadCounters(path, f)
	if err != nil {
		t.Fatal(err)
	}
	return file.Series, largestRise(file.Series, 5*24*time.Hour)
}

// largestRise returns when the failures rose most within a minute, after the first days.
func largestRise(ss []source.FileSeries, after time.Duration) (at int64) {
	best := 0.0
	for _, s := range ss {
		if s.Labels.Get("result") != "failed" {
			continue
		}
		for i := 1; i < len(s.Times); i++ {
			if rise := s.Values[i] - s.Values[i-1]; rise > best && s.Times[i]-s.Times[0] > after.Milliseconds() {
				best, at = rise, s.Times[i]
			}
		}
	}
	return at
}

const threatsE2EConfig = `
prometheus: {url: %s}
alertmanager: {urls: [%s], resend_delay: 5s}
threats:
  presets: [auto]
  history: 4d
  overrides: [{preset: ssh, step: 15s}]
`

// TestThreatsEndToEnd: log-ins by ssh, scraped by a real Prometheus, lead to UpidThreat in a
// real Alertmanager, with technique and evidence.
func TestThreatsEndToEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real servers and runs for minutes")
	}
	t.Parallel()
	t.Run("sample", func(t *testing.T) {
		t.Parallel()
		ss, attack := sshSample()
		threatsEndToEnd(t, ss, attack, "web-1")
	})
	t.Run("linux_2005a", func(t *testing.T) {
		t.Parallel()
		ss, attack := linux2005(t)
		threatsEndToEnd(t, ss, attack, "combo")
	})
}

func threatsEndToEnd(t *testing.T, ss []source.FileSeries, attack int64, host string) {
	start := time.Now().Add(40 * time.Second)
	exporter := playOn(t, ss, attack, start)
	var history bytes.Buffer
	exporter.backfill(&history, 4, time.Now())
	history.WriteString("# EOF\n")
	am := testserver.Alertmanager(t, testserver.AlertmanagerOptions{})
	live := startBeside(t, &history, func(prom string) string { return fmt.Sprintf(threatsE2EConfig, prom, am.URL) },
		[]string{"start"}, scrapeJob{job: "ssh", url: exporter.URL, instance: "ssh:80"})
	prom, dir, base := live.prom, live.dir, live.url()

	eventually(t, 30*time.Second, "the preset is found", func() error {
		_, body, err := getText(base + "/api/v1/status/threats")
		if err == nil && !strings.Contains(body, `"preset":"ssh","signal":"threats-ssh","entity_type":"host","entity_labels":["host"]`) {
			err = fmt.Errorf("status: %s", body)
		}
		return err
	})
	if !strings.Contains(live.upid.log.String(), "threats: watching") {
		t.Errorf("the log does not say which preset is watched")
	}
	if time.Now().Before(start) {
		if as, err := alertsNamed(am.URL, "UpidThreat"); err != nil || len(as) != 0 {
			t.Errorf("before the attack: %+v, %v", as, err)
		}
	}
	var a alert
	fires := func() error {
		as, err := alertsNamed(am.URL, "UpidThreat")
		if err != nil {
			return err
		}
		if len(as) != 1 {
			return fmt.Errorf("%d alerts", len(as))
		}
		a = as[0]
		return nil
	}
	eventually(t, time.Until(start)+90*time.Second, "UpidThreat fires", fires)
	t.Logf("it fired %.0f s after the attack began", time.Since(start).Seconds())
	if l := a.Labels; l["type"] != "brute_force" || l["host"] != host || l["entity"] != host || l["entity_type"] != "host" || l["signal"] != "threats-ssh" || l["severity"] == "info" {
		t.Errorf("labels %v", l)
	}
	if n := a.Annotations; !strings.HasPrefix(n["technique"], "T1110") || !strings.HasPrefix(n["evidence"], "ssh-failures: ") || n["first_action"] == "" ||
		n["runbook_url"] == "" || n["description"] == "" || n["family"] != "security_breach" {
		t.Errorf("annotations %v", n)
	}
	for name, v := range a.Labels {
		if strings.Contains(name, "risk") || strings.Contains(name, "score") {
			t.Errorf("label %s=%s: a score is no label", name, v)
		}
	}

	eventually(t, 20*time.Second, "the risk is in Prometheus", func() error {
		v, err := one(prom.URL, `upid_threat_risk_score{signal="threats-ssh",threat="brute_force",host="`+host+`"}`)
		if err == nil && !(v >= 40 && v <= 100) {
			err = fmt.Errorf("risk %v", v)
		}
		return err
	})
	if v, err := one(prom.URL, `upid_threat_entities{signal="threats-ssh",band=~"medium|high|critical"} > 0`); err != nil || math.IsNaN(v) {
		t.Errorf("entities by band: %v, %v", v, err)
	}

	upid(t, "", "check --live --config "+filepath.Join(dir, "config.yaml")).want(t, exitOK, "threats: preset ssh: host by host, slots of 15s")

	// The commands say the same.
	o := upid(t, "", "threats --address "+base+" -o json")
	var objects []views.Threat
	if err := json.Unmarshal([]byte(o.stdout), &objects); err != nil || len(objects) != 1 || objects[0].Entity != host || objects[0].EndedAt != nil {
		t.Errorf("upid threats: %v\n%s%s", err, o.stdout, o.stderr)
	}
	upid(t, "", "threats --open --fail-on-finding --address "+base).want(t, exitFinding, "")
	if o := upid(t, "", "predictions --model-type security_threat --address "+base); !strings.Contains(o.stdout, host) || !strings.Contains(o.stdout, "brute_force") {
		t.Errorf("upid predictions:\n%s%s", o.stdout, o.stderr)
	}

	// Killed and started again it knows what it knew, and the alert goes on.
	file := filepath.Join(dir, "data", "threats", "threats.records")
	eventually(t, 10*time.Second, "the threat is on disk", func() error {
		_, err := os.Stat(file)
		return err
	})
	time.Sleep(2 * saveThreatsEvery)
	id := objects[0].ID
	live.upid.kill()
	live.start(t)
	eventually(t, 60*time.Second, "the same threat after kill -9", func() error {
		o := upid(t, "", "threats --address "+base+" -o json")
		var again []views.Threat
		if err := json.Unmarshal([]byte(o.stdout), &again); err != nil {
			return fmt.Errorf("%w: %s", err, o.stderr)
		}
		if len(again) != 1 || again[0].ID != id || again[0].Stale {
			return fmt.Errorf("%s", o.stdout)
		}
		return nil
	})
	if err := fires(); err != nil || a.Labels["host"] != host {
		t.Errorf("the alert after the restart: %v", err)
	}
	_ = live.upid.cmd.Process.Signal(os.Interrupt)
	live.upid.exit(t, 15*time.Second)

	// With nobody running, what is on record can be forgotten.
	o = upid(t, "", "threats purge --entity "+host+" --storage.path "+filepath.Join(dir, "data"))
	o.want(t, exitOK, "")
	if o.stdout != "1 threat forgotten\n" {
		t.Errorf("purge: %q %s", o.stdout, o.stderr)
	}
	b, err := os.ReadFile(file)
	if err != nil || bytes.Contains(b, []byte(id)) {
		t.Errorf("after the purge: %v, %q", err, b)
	}
}
