package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// tmpSuffix ends the names of files that are being written.
const tmpSuffix = ".tmp"

// WriteFile writes path through write so that a reader, or a process that starts
// after a crash, finds the old content or the new, never a part. durable also
// survives a loss of power, for some milliseconds; without it the content must
// be able to tell that it is whole. The file is for its owner only.
func WriteFile(path string, durable bool, write func(io.Writer) error) (err error) {
	dir := filepath.Dir(path)
	if err := makeDir(dir, durable); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	f, err := theDisk.CreateTemp(dir, filepath.Base(path)+".*"+tmpSuffix)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, errors.Join(err, ignore(f.Close(), os.ErrClosed), ignore(theDisk.Remove(f.Name()), fs.ErrNotExist)))
		}
	}()
	w := bufio.NewWriterSize(f, 1<<18)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if durable {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := theDisk.Rename(f.Name(), path); err != nil {
		return err
	}
	if durable {
		return theDisk.SyncDir(dir)
	}
	return nil
}

// makeDir makes dir, for its owner only, and what is missing above it. durable makes the
// names of those that are new durable.
func makeDir(dir string, durable bool) error {
	if dirExists(dir) {
		return nil
	}
	if up := filepath.Dir(dir); up != dir {
		if err := makeDir(up, durable); err != nil {
			return err
		}
	}
	if err := theDisk.Mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if durable {
		return theDisk.SyncDir(filepath.Dir(dir))
	}
	return nil
}

// ignore returns err unless it is what was to be expected.
func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// Open opens a file that WriteFile wrote. What is no regular file, a link or a
// pipe that would never be read to its end, is ErrDamaged; what others could have written is
// ErrExposed.
func Open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%s: %w: it is a symbolic link", path, ErrDamaged)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w: it is not a regular file", path, ErrDamaged)
	}
	if err == nil {
		err = private(path, info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// ErrExposed says that a file belongs to, or could be read or changed by, somebody else.
var ErrExposed = errors.New("others could have written it")

// private checks that a file belongs to us, or to whoever the directory belongs to where we
// are root, and that nobody else can read or write it.
func private(path string, info fs.FileInfo) error {
	const again = "put it back from quarantine (a model: upid models import)"
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s: %w: its mode is %04o, want 0600. If you trust it, chmod 600 it and %s", path, ErrExposed, mode, again)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) == os.Geteuid() {
		return nil
	}
	if os.Geteuid() == 0 {
		if dir, err := os.Stat(filepath.Dir(path)); err == nil {
			if d, ok := dir.Sys().(*syscall.Stat_t); ok && d.Uid == st.Uid {
				return nil
			}
		}
	}
	return fmt.Errorf("%s: %w: it belongs to user %d, want %d. If you trust it, chown it and %s", path, ErrExposed, st.Uid, os.Geteuid(), again)
}

// spoiled reports whether a file is to be moved into quarantine.
func spoiled(err error) bool { return errors.Is(err, ErrDamaged) || errors.Is(err, ErrExposed) }

// foreign reports whether a file is somebody else's and whole, as far as we know: of another
// schema, or with another key. It is never written over.
func foreign(err error) bool {
	return errors.Is(err, ErrSchema) || errors.Is(err, ErrKey) || errors.Is(err, ErrPlain)
}

// maxBeside is how many files of a name and reason are kept beside.
const maxBeside = 9

// SetAside renames a file that is not ours to write over: it stays beside, under its name
// with the reason behind it.
func SetAside(path string, why error) error {
	to := path + "." + Reason(why)
	for n := 2; ; n++ {
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			break
		}
		if n > maxBeside {
			return fmt.Errorf("%s cannot be kept beside: there are %d of them already; remove or move them", path, maxBeside)
		}
		to = fmt.Sprintf("%s.%s-%d", path, Reason(why), n)
	}
	return ignore(theDisk.Rename(path, to), fs.ErrNotExist)
}

// RemoveTemporary removes what writers left that were killed, below dir, in which
// nobody else may write: a data directory may hold other people's files too.
func RemoveTemporary(dir string) error {
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		switch {
		case errors.Is(err, os.ErrNotExist):
			return nil
		case err != nil:
			return err
		case d.Type().IsRegular() && strings.HasSuffix(path, tmpSuffix):
			return os.Remove(path)
		}
		return nil
	})
}

// quarantine is where damaged files are kept for a person to look at, and
// maxQuarantine how many of them: the newest.
const (
	quarantine    = "quarantine"
	maxQuarantine = 20
)

// Quarantine moves a damaged file out of the way, to dir/quarantine/name, over an
// earlier one of that name.
func Quarantine(dir, path, name string) error {
	to := filepath.Join(dir, quarantine)
	if err := os.MkdirAll(to, 0o700); err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	if err := os.Rename(path, filepath.Join(to, name)); err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	entries, err := os.ReadDir(to)
	if err != nil || len(entries) <= maxQuarantine {
		return err
	}
	var files []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	var errs []error
	for _, f := range files[min(len(files), maxQuarantine):] {
		errs = append(errs, os.Remove(filepath.Join(to, f.Name())))
	}
	return errors.Join(errs...)
}

// Usage returns how many bytes the files below dir hold, and how many more the
// file system has for us; 0 for what cannot be told.
func Usage(dir string) (used, free int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what went away meanwhile holds nothing
		}
		if info, err := d.Info(); err == nil && d.Type().IsRegular() {
			used += info.Size()
		}
		return nil
	})
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err == nil {
		free = int64(uint64(st.Bavail) * uint64(st.Bsize)) //nolint:unconvert // the types differ between systems
	}
	return used, free
}
