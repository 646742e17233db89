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
	"sync"
	"syscall"
	"time"
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
type Lock struct {
	dir string

	mu        sync.Mutex // guards what follows
	file      *os.File   // nil while the file system is read-only and has no lock file
	addresses []string
	written   bool // the file says who holds it
}

// Acquire makes dir (0700) if need be and takes hold of it. The error is
// ErrLocked, with the holder's process id, if another process has it. A full or
// read-only disk is no error: Hold tries again.
func Acquire(dir string) (*Lock, error) {
	l := &Lock{dir: dir}
	if _, err := l.Hold(); err != nil && Reason(err) != "disk_full" && Reason(err) != "read_only" {
		return nil, errors.Join(err, l.Release())
	}
	return l, nil
}

// Hold makes sure that the directory is there and held, as somebody may have
// removed it, or made room on its disk. again says that it had to be made anew.
func (l *Lock) Hold() (again bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	path := filepath.Join(l.dir, lockName)
	if l.file != nil {
		mine, err := l.file.Stat()
		if err != nil {
			return false, fmt.Errorf("data directory: %w", err)
		}
		there, err := os.Lstat(path)
		switch {
		case err == nil && os.SameFile(mine, there):
			if l.written {
				return false, nil
			}
			return false, l.write()
		case err != nil && !errors.Is(err, os.ErrNotExist):
			return false, fmt.Errorf("data directory: %w", err)
		}
		again = true
	}
	f, err := take(l.dir, path)
	if err != nil {
		return false, err
	}
	if l.file != nil {
		_ = l.file.Close() // it is gone from the directory
	}
	l.file, l.written = f, false
	return again, l.write()
}

// take opens and locks a lock file.
func take(dir, path string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory %s cannot be made, choose another with --storage.path or storage.path: %w", dir, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if errors.Is(err, syscall.EROFS) { // it can be locked all the same if it is there
		f, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
		if errors.Is(err, os.ErrNotExist) {
			err = syscall.EROFS
		}
	}
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w", dir, err)
	}
	if err := exclusive(f); err != nil {
		defer f.Close()
		if owner, rerr := readOwner(f); rerr == nil {
			return nil, fmt.Errorf("%s: %w by process %d (upid stop --storage.path %s ends it)", path, ErrLocked, owner.PID, dir)
		}
		return nil, fmt.Errorf("%s: %w", path, ErrLocked)
	}
	return f, nil
}

// exclusive locks f. Find holds a lock of its own for some microseconds: it is
// waited for, a process is not.
func exclusive(f *os.File) (err error) {
	for range 10 {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
	return err
}

// Announce writes down where the process listens, for Find.
func (l *Lock) Announce(addresses []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.addresses = addresses
	if l.file == nil {
		return nil // once it is held
	}
	return l.write()
}

// write writes who holds the directory. The caller holds l.mu.
func (l *Lock) write() error {
	l.written = false
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	b, err := json.Marshal(Owner{PID: os.Getpid(), Program: filepath.Base(exe), Addresses: l.addresses})
	if err != nil {
		return err
	}
	b = append(b, '\n')
	// Longer first, then cut: a reader between the two sees a whole line.
	if _, err := l.file.WriteAt(b, 0); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := l.file.Truncate(int64(len(b))); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	l.written = true
	return nil
}

// Release lets go of the directory. The file stays: to remove it would let two
// processes lock two files of one name.
func (l *Lock) Release() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

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
