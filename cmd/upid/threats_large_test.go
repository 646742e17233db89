//go:build unix

package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestThreats_large replays more series than a query of many slots could hold: the attacked one of
// 12,500 is found in bounded memory.
func TestThreats_large(t *testing.T) {
	if testing.Short() {
		t.Skip("replays twelve thousand series")
	}
	const sources, slots, step = 12_500, 60, 3600
	rng := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	b.WriteString("ts,metric,source,result,value\n")
	totals := make([]int, sources)
	for k := range slots {
		for i := range totals {
			rise := 0
			switch {
			case i == 7 && k == slots-3:
				rise = 60
			case k == 0 || rng.IntN(50) == 0: // each is there from the beginning
				rise = 1
			}
			if totals[i] += rise; rise > 0 {
				fmt.Fprintf(&b, "%d,ssh_auth_events_total,10.0.%d.%d,failed,%d\n", monday+step*k, i>>8, i&255, totals[i])
			}
		}
	}
	file := filepath.Join(t.TempDir(), "log-ins.csv")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), upidBinary(t), "threats", "--input", file, "--counter-step", "1h", "-o", "csv")
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	peak := peakMemory(cmd.Process.Pid)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	if len(lines) < 2 || !strings.HasPrefix(lines[1], fmt.Sprintf("%d,10.0.0.7,source,brute_force,", monday+step*(slots-3))) {
		t.Errorf("%d lines: %.2000s", len(lines), stdout.String())
	}
	for _, l := range lines[1:] {
		if !strings.Contains(l, ",10.0.0.7,") {
			t.Errorf("nobody attacked %s", l)
		}
	}
	if kib := <-peak; runtime.GOOS == "linux" && (kib <= 0 || kib > 600<<10) {
		t.Errorf("it took %d KiB, want at most 600 MiB", kib)
	} else {
		t.Logf("%d MiB", kib>>10)
	}
}
