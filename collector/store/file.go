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
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*"+tmpSuffix) // 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, errors.Join(err, ignoreClosed(f.Close()), os.Remove(f.Name())))
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
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	if durable {
		return syncDir(dir)
	}
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// syncDir makes a rename in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Open opens a file that WriteFile wrote. What is no regular file, a link or a
// pipe that would never be read to its end, is ErrDamaged.
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
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
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
