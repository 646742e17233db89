package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/upid/upid/collector/store"
)

// demoPrefix begins the names of the directories of demos.
const demoPrefix = "upid-demo-"

// demoDir makes the directory of a demo, which is locked until remove has removed it.
// Before, it removes those of demos that were killed.
func demoDir(log *slog.Logger) (dir string, remove func() error, err error) {
	removeStale(os.TempDir(), log)
	if dir, err = os.MkdirTemp("", demoPrefix); err != nil {
		return "", nil, fmt.Errorf("temporary directory: %w", err)
	}
	lock, err := store.Acquire(dir)
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return dir, func() error { return errors.Join(os.RemoveAll(dir), lock.Release()) }, nil
}

// staleAge is how old a directory without a lock is at least before it is taken for
// that of a killed demo: another one may be about to lock it.
const staleAge = time.Minute

// removeStale removes the directories of demos in tmp that no process holds: own ones,
// as tmp is everybody's. What cannot be removed is left to the next demo.
func removeStale(tmp string, log *slog.Logger) {
	dirs, err := filepath.Glob(filepath.Join(tmp, demoPrefix+"*"))
	if err != nil {
		return // tmp is no pattern
	}
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < staleAge {
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Getuid() {
			continue
		}
		if held(dir) || held(filepath.Join(dir, "data")) {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			log.Warn("what a killed demo left was not removed", "err", err)
		}
	}
}

// held reports whether a process holds dir, or that cannot be told.
func held(dir string) bool {
	_, err := store.Find(dir)
	return !errors.Is(err, store.ErrNotRunning)
}
