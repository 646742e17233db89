// Package store is what upid keeps on disk.
package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

const lockName = "upid.lock"

// ErrLocked says that another process holds the data directory.
var ErrLocked = errors.New("the data directory is in use")

// ErrNotRunning says that no process holds the data directory.
var ErrNotRunning = errors.New("not running")

// Owner is the process that holds a data directory.
type Owner struct {
	PID     int    `json:"pid"`
	Program string `json:"program"` // base name of its executable
	// Addresses are where it listens, host:port; none before it does.
	Addresses []string `json:"addresses,omitempty"`
}

// Lock is a held data directory. The kernel releases it when the process ends,
// however it ends.
type Lock struct{ file *os.File }

// Acquire makes dir (0700) if need be and takes hold of it. The error is
// ErrLocked, with the holder's process id, if another process has it.
func Acquire(dir string) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if owner, rerr := readOwner(f); rerr == nil {
			return nil, fmt.Errorf("%s: %w by process %d (upid stop --storage.path %s ends it)", path, ErrLocked, owner.PID, dir)
		}
		return nil, fmt.Errorf("%s: %w", path, ErrLocked)
	}
	l := &Lock{file: f}
	if err := l.Announce(nil); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), l.Release())
	}
	return l, nil
}

// Announce writes down where the process listens, for Find.
func (l *Lock) Announce(addresses []string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	b, err := json.Marshal(Owner{PID: os.Getpid(), Program: filepath.Base(exe), Addresses: addresses})
	if err != nil {
		return err
	}
	b = append(b, '\n')
	// Longer first, then cut: a reader between the two sees a whole line.
	if _, err := l.file.WriteAt(b, 0); err != nil {
		return err
	}
	return l.file.Truncate(int64(len(b)))
}

// Release lets go of the directory. The file stays: to remove it would let two
// processes lock two files of one name.
func (l *Lock) Release() error { return l.file.Close() }

// Find returns the process that holds dir, ErrNotRunning if none does. A file
// that nobody holds is left over from a process that is gone.
func Find(dir string) (Owner, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, os.ErrNotExist) {
		return Owner{}, fmt.Errorf("%w: no lock file in %s", ErrNotRunning, dir)
	}
	if err != nil {
		return Owner{}, fmt.Errorf("lock file: %w", err)
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil {
		return Owner{}, fmt.Errorf("%w: nobody holds %s", ErrNotRunning, path)
	}
	owner, err := readOwner(f)
	if err != nil {
		return Owner{}, fmt.Errorf("%s: %w", path, err)
	}
	return owner, owner.check()
}

func readOwner(f *os.File) (Owner, error) {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 4096))
	if err != nil {
		return Owner{}, err
	}
	line, _, _ := bytes.Cut(b, []byte{'\n'})
	var o Owner
	if err := json.Unmarshal(line, &o); err != nil || o.PID <= 0 {
		return Owner{}, fmt.Errorf("the lock file does not name its process: %q", b)
	}
	return o, nil
}

// check makes sure that the process is the program that took the lock, as far as
// the system tells: a process id may mean another process in another container.
func (o Owner) check() error {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", o.PID))
	switch {
	case errors.Is(err, os.ErrNotExist) && dirExists("/proc/self"):
		return fmt.Errorf("process %d holds the data directory but is not visible from here; stop it where it runs, or with --address", o.PID)
	case err != nil:
		return nil // no /proc here, or another user's process: the lock itself is the proof
	}
	// A replaced binary shows as "upid (deleted)".
	if name := filepath.Base(exe); name != o.Program && name != o.Program+" (deleted)" {
		return fmt.Errorf("process %d is %q, not %q; it is left alone", o.PID, name, o.Program)
	}
	return nil
}

func dirExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
