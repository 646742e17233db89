package history

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFault_D4 fills a real file system, and makes it read-only (D5).
func TestFault_D4(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	s := &server{series: pods()}
	r := newRig(t, dir, s)
	end := epoch + 2*aDay
	r.ask(t, end-2*aDay, end)
	if n := r.counter("upid_history_write_failures_total", "reason=disk_full"); n != 1 {
		t.Errorf("%v failures for want of space", n)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "history", "*", "*.tmp")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=16m"); err != nil {
		t.Fatal(err)
	}
	r.ask(t, end-2*aDay, end)
	s.questions()
	r.ask(t, end-2*aDay, end)
	if q := s.questions(); len(q) != 0 || !strings.Contains(r.said.String(), "written again") {
		t.Errorf("asked for %v\n%s", q, r.said)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	r.ask(t, end+minute, end+minute)
	r.maintain(true)
	if n := r.counter("upid_history_write_failures_total", "reason=read_only"); n != 1 {
		t.Errorf("%v failures counted as read-only", n)
	}
	r.ask(t, end-2*aDay, end+minute)
}
