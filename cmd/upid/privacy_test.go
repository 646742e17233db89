//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector/engine"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/source"
	"github.com/upid/upid/collector/threats"
)

const (
	canaryUser    = "canary.lovelace"
	canaryAddress = "203.0.113.77"
	testKey       = "0123456789abcdef0123456789abcdef"
)

// TestPrivacy_canary: a user and an address that are hashed appear through no door: neither on
// /metrics nor in the API, in an alert, in the log or in any file.
func TestPrivacy_canary(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the program for a minute")
	}
	t.Parallel()
	eng, err := engine.Open(engine.Options{Dir: filepath.Join(t.TempDir(), "tsdb"), Timeout: time.Minute, MaxSamples: 50_000_000})
	if err != nil {
		t.Fatal(err)
	}
	defer eng.Close()
	end := time.Now().Truncate(time.Minute).UnixMilli()
	b := eng.Batch(t.Context())
	for k, user := range []string{canaryUser, "other"} {
		ls := labels.FromStrings(model.MetricNameLabel, "ssh_auth_events_total", "host", "web-1", "result", "failed",
			"source", []string{canaryAddress, "198.51.100.9"}[k], "user", user)
		var ref uint64
		total := 0.0
		for at := end - 4*86_400_000; at <= end+10*60_000; at += 60_000 {
			if at > end-5*60_000 && k == 0 {
				total += 50
			}
			if ref, err = b.Append(ref, ls, at, total+1); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	// One query is refused as Prometheus refuses it, with the labels in question.
	prom := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || strings.Contains(r.URL.RawQuery+string(body), "one_to_many") {
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprintf(w, `{"status":"error","errorType":"execution","error":"found duplicate series for the match group {source=\"%s\", user=\"%s\"}"}`, canaryAddress, canaryUser)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		eng.Handler().ServeHTTP(w, r)
	}))
	defer prom.Close()
	var mu sync.Mutex
	var posts strings.Builder
	am := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		posts.Write(body)
	}))
	defer am.Close()
	dir, addr := t.TempDir(), freeAddr(t)
	for name, content := range map[string]string{
		"privacy.key": testKey + "\n",
		"config.yaml": fmt.Sprintf(`prometheus: {url: %s}
alertmanager: {urls: [%s], resend_delay: 1s}
signals:
  - {name: failures, query: "sum by (user, source) (rate(ssh_auth_events_total[5m]))", step: 1m, history: 1d, type: security}
  - {name: refused, query: "one_to_many * on (user) one_to_many", step: 1m, history: 1d}
threats:
  history: 3d
  overrides: [{preset: ssh, step: 15s}]
privacy: {hash: [user, source], key_file: privacy.key}
`, prom.URL, am.URL),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := startProcess(t, dir, "start", "--interval", "1m", "--log.level", "debug", "--web.listen-address", addr, "--shutdown.delay", "100ms", "--storage.checkpoint-interval", "1s")
	base := "http://" + addr
	pseudonym := ""
	eventually(t, 90*time.Second, "the attack is found under another name", func() error {
		_, body, err := getText(base + "/api/v1/threats?state=open")
		if err != nil {
			return err
		}
		i := strings.Index(body, `"entity":"hmac-`)
		if i < 0 {
			return fmt.Errorf("%s", body)
		}
		pseudonym = body[i+len(`"entity":"`):][:len("hmac-")+16]
		return nil
	})
	eventually(t, 30*time.Second, "the alert is posted, the signal scored", func() error {
		mu.Lock()
		defer mu.Unlock()
		if !strings.Contains(posts.String(), pseudonym) {
			return fmt.Errorf("posted: %.500s", posts.String())
		}
		_, page, err := getText(base + "/metrics")
		if err == nil && (!strings.Contains(page, `upid_threat_risk_score{signal="threats-ssh",entity="`+pseudonym) || !strings.Contains(page, `upid_observed_value{signal="failures"`)) {
			err = fmt.Errorf("not on /metrics yet")
		}
		return err
	})
	time.Sleep(2 * saveThreatsEvery)
	clean := func(what, text string) {
		t.Helper()
		for _, canary := range []string{canaryUser, canaryAddress, testKey} {
			if i := strings.Index(text, canary); i >= 0 {
				t.Errorf("%s has %s: …%s…", what, canary, text[max(0, i-100):min(len(text), i+100)])
			}
		}
	}
	for _, path := range []string{
		"/metrics", "/-/ready", "/api/v1/threats", "/api/v1/predictions", "/api/v1/predictions?model_type=security_threat", "/api/v1/predictions?model_type=anomaly_detection",
		"/api/v1/anomalies", "/api/v1/signals", "/api/v1/signals/failures/series", "/api/v1/status/config", "/api/v1/status/threats", "/api/v1/status/runtime",
	} {
		_, body, err := getText(base + path)
		if err != nil {
			t.Fatal(err)
		}
		clean(path, body)
	}
	p.signal(t, syscall.SIGTERM)
	p.exit(t, 20*time.Second)
	mu.Lock()
	clean("an alert", posts.String())
	mu.Unlock()
	clean("the log", p.log.String())
	if !strings.Contains(p.log.String(), "found duplicate series") {
		t.Error("the log does not say what the server refused")
	}
	files := 0
	err = filepath.WalkDir(filepath.Join(dir, "data"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		files++
		clean(path, string(content))
		return err
	})
	if err != nil || files < 4 {
		t.Errorf("%d files in the data directory: %v", files, err)
	}
}

func policy(t *testing.T, p config.Privacy) *labelPolicy {
	t.Helper()
	if len(p.Hash) > 0 {
		p.KeyFile = filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(p.KeyFile, []byte(testKey), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := newLabelPolicy(&p)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLabelPolicy(t *testing.T) {
	if l := policy(t, config.Privacy{Keep: []string{"user"}}); l != nil || l.fingerprint() != "" || !l.leaves("user") {
		t.Error("a policy that changes nothing")
	}
	l := policy(t, config.Privacy{Keep: []string{"user_kind"}, Drop: []string{"session"}, Hash: []string{"user.*"}})
	d := series.Data{Series: []series.Series{
		{Labels: labels.FromStrings("user", "ann", "user_kind", "human", "session", "1")},
		{Labels: labels.FromStrings("user", "ann", "user_kind", "human", "session", "2")},
		{Labels: labels.FromStrings("user", "bob", "user_kind", "human", "session", "3")},
	}, Dropped: map[string]int{"duplicate": 1}}
	out := l.apply("q", d)
	if len(out.Series) != 2 || out.Dropped["duplicate"] != 2 {
		t.Fatalf("%d series, dropped %v", len(out.Series), out.Dropped)
	}
	ann, bob := out.Series[0].Labels, out.Series[1].Labels
	if !strings.HasPrefix(ann.Get("user"), "hmac-") || ann.Get("user") == bob.Get("user") || ann.Get("user_kind") != "human" || ann.Has("session") {
		t.Errorf("%s, %s", ann, bob)
	}
	if l.leaves("session") || !l.leaves("user") {
		t.Error("a dropped label comes in, or a hashed one does not")
	}
	other := policy(t, config.Privacy{Hash: []string{"user"}})
	if l.fingerprint() == other.fingerprint() || strings.Contains(l.fingerprint(), testKey) {
		t.Errorf("fingerprints %q, %q", l.fingerprint(), other.fingerprint())
	}
	// Errors and warnings quote labels.
	refused := &source.Error{Op: "query", Reason: source.ReasonHTTP5xx, Err: errors.New(`many-to-many: {user="ann", session="1"}`)}
	err := l.hidden(fmt.Errorf("q: %w", refused))
	if got := err.Error(); strings.Contains(got, "ann") || strings.Contains(got, `"1"`) || !strings.Contains(got, `user="`+ann.Get("user")) || !errors.Is(err, refused) {
		t.Error(got)
	}
	if l.hidden(nil) != nil {
		t.Error("an error of none")
	}
	if d := l.apply("q", series.Data{Warnings: []string{`{user="ann"}`}}); d.Warnings[0] != `{user="`+ann.Get("user")+`"}` {
		t.Error(d.Warnings)
	}
	// Whose counters are left out is decided by who they are.
	l.watch(threats.Allow{CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Users: []string{"an*"}}, []string{"of threats"})
	if out := l.apply("of threats", d); len(out.Series) != 1 || out.Series[0].Labels.Get("user") != bob.Get("user") {
		t.Errorf("%d series, want bob's", len(out.Series))
	}
	if out := l.apply("another", d); len(out.Series) != 2 {
		t.Error("the allow-list of threats counts for signals")
	}
	if _, err := newLabelPolicy(&config.Privacy{Hash: []string{"a"}, KeyFile: "/nowhere"}); err == nil {
		t.Error("no key")
	}
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newLabelPolicy(&config.Privacy{Hash: []string{"a"}, KeyFile: short}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a short key: %v", err)
	}
}
