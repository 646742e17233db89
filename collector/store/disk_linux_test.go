package store

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestFullAndReadOnlyDisk starts all the same, and writes who it is later.
func TestFullAndReadOnlyDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16k"); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	data := filepath.Join(dir, "data")
	fill := filepath.Join(dir, "fill")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fill, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	l, err := Acquire(data)
	if err != nil {
		t.Fatalf("a full disk: %v", err)
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Hold(); err != nil {
		t.Fatal(err)
	}
	if o, err := Find(data); err != nil || o.PID != os.Getpid() {
		t.Errorf("%+v, %v", o, err)
	}
	if err := errors.Join(l.Release(), os.RemoveAll(data)); err != nil {
		t.Fatal(err)
	}
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	if l, err = Acquire(data); err != nil {
		t.Fatalf("a read-only disk: %v", err)
	}
	if err := l.Announce(nil); err != nil {
		t.Error(err)
	}
	remount(0)
	if _, err := l.Hold(); err != nil {
		t.Fatal(err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	remount(syscall.MS_RDONLY) // with a lock file, which can be locked
	if l, err = Acquire(data); err != nil {
		t.Fatal(err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
}
