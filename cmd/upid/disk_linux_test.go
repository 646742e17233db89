package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFault_D4 serves from memory while the disk is full or read-only, from the
// start on, says so once, and saves when it can.
func TestFault_D4(t *testing.T) {
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=8k"); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(mount, syscall.MNT_DETACH) })
	remount := func(flags uintptr, size string) {
		t.Helper()
		if err := syscall.Mount("tmpfs", mount, "tmpfs", syscall.MS_REMOUNT|flags, "size="+size); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{
		"--config", writeFile(t, fmt.Sprintf(oneSecond, hourly(t).URL)), "--interval", "1",
		"--storage.path", filepath.Join(mount, "data"), "--storage.checkpoint-interval", "1s",
	}
	addr, stop := startSidecar(t, args...)
	metricBecomes(t, addr, scored)
	counted(t, addr, `upid_model_save_failures_total{reason="disk_full"}`)
	counted(t, addr, `upid_history_write_failures_total{reason="disk_full"}`)
	if status, _, err := getText("http://" + addr + "/-/ready"); err != nil || status != http.StatusOK {
		t.Errorf("/-/ready %d, %v", status, err)
	}
	remount(0, "64m")
	counted(t, addr, "upid_model_saves_total")
	_, log := stop()
	for line, want := range map[string]int{"state cannot be saved": 1, "state is saved again": 1, "history cannot be written": 1} {
		if n := strings.Count(log, line); n != want {
			t.Errorf("%q is said %d times:\n%s", line, n, log)
		}
	}

	remount(syscall.MS_RDONLY, "64m")
	addr, stop = startSidecar(t, args...)
	metricBecomes(t, addr, scored)
	metricBecomes(t, addr, "upid_state_loads_total 1")
	counted(t, addr, `upid_model_save_failures_total{reason="read_only"}`)
	remount(0, "64m")
	if code, log := stop(); code != exitOK {
		t.Errorf("exit %d\n%s", code, log)
	}
}

// counted waits until a counter is above 0.
func counted(t *testing.T, addr, series string) {
	t.Helper()
	eventually(t, 20*time.Second, series, func() error {
		if v := counter(t, addr, series); v == "" || v == "0" {
			return fmt.Errorf("it is %q", v)
		}
		return nil
	})
}
