//go:build unix

package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// keyFile returns a key file with a key for each seed, the first in use.
func keyFile(t *testing.T, seeds ...byte) string {
	t.Helper()
	var b strings.Builder
	for _, s := range seeds {
		raw := make([]byte, 32)
		for i := range raw {
			raw[i] = s*31 + byte(i)
		}
		b.WriteString(base64.StdEncoding.EncodeToString(raw) + "\n")
	}
	path := filepath.Join(t.TempDir(), "storage.key")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSealedDirectory: with a key file nothing that can be read is on the disk, a new
// key reads what an older one sealed, and another one starts from Prometheus.
func TestSealedDirectory(t *testing.T) {
	cfg, dir := writeFile(t, fmt.Sprintf(oneSecond, hourly(t).URL)), t.TempDir()
	run := func(becomes string, key ...string) (fetched float64) {
		t.Helper()
		addr, stop := startSidecar(t, append([]string{"--config", cfg, "--interval", "1", "--storage.path", dir}, key...)...)
		metricBecomes(t, addr, scored)
		metricBecomes(t, addr, becomes)
		fetched = number(t, addr, "upid_history_samples_fetched_total")
		stop()
		return fetched
	}
	sealed := func(want bool) {
		t.Helper()
		n := 0
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || filepath.Base(path) == "upid.lock" || strings.Contains(path, "quarantine") {
				return err
			}
			n++
			b, err := os.ReadFile(path)
			if is := bytes.HasPrefix(b, []byte("upid.sealed.1\n")); is != want || bytes.Contains(b, []byte("job")) == want {
				t.Errorf("%s begins with %.20q", path, b)
			}
			return err
		})
		if err != nil || n < 2 {
			t.Errorf("%d files, %v", n, err)
		}
	}
	const (
		missing = `upid_state_rebuilds_total{part="checkpoint",reason="missing"} 1`
		loaded  = "upid_state_loads_total 1"
	)
	run(missing)
	sealed(false)
	one := []string{"--storage.encryption-key-file", keyFile(t, 1)}
	if n := run(`upid_state_rebuilds_total{part="checkpoint",reason="not_sealed"} 1`, one...); n < 3600 {
		t.Errorf("%v samples fetched: plain history was believed", n)
	}
	sealed(true)
	if n := run(loaded, one...); n > 600 {
		t.Errorf("%v samples fetched after a restart", n)
	}
	if n := run(loaded, "--storage.encryption-key-file", keyFile(t, 2, 1)); n > 600 {
		t.Errorf("%v samples fetched after a change of keys", n)
	}
	if n := run(`upid_state_rebuilds_total{part="checkpoint",reason="no_key"} 1`, "--storage.encryption-key-file", keyFile(t, 3)); n < 3600 {
		t.Errorf("%v samples fetched with another key", n)
	}
	sealed(true)
	for _, bad := range []string{filepath.Join(dir, "none"), writeFile(t, "not a key")} {
		upid(t, "", "start --config "+cfg+" --storage.path "+dir+" --storage.encryption-key-file "+bad).want(t, exitUsage, "key file")
	}
}
