package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// What became of a file that was to be sealed anew.
const (
	Resealed  = "resealed"
	Current   = "current"    // it is sealed with the first key already
	LeftPlain = "left_plain" // it is not sealed
	Unread    = "unread"     // see the error; it is left alone
)

// ResealOptions say what Reseal does.
type ResealOptions struct {
	Plain bool // seal plain files too
	// Each is told of every file, by its path in the data directory.
	Each func(path, what string, err error)
}

// Reseal seals all files of a data directory, which the caller holds, with the first of the
// keys: those that another of them sealed, and plain ones if wanted. Each is written beside,
// read again, compared by SHA-256 and renamed, so that it may be interrupted at any time: the
// next run goes on. In the end all are read in whole with the first key alone. The lock, the
// audit trail, quarantine and what is kept beside (SetAside) are left alone. The error is
// that of ctx, or says how many files are not sealed with the first key.
func Reseal(ctx context.Context, dir string, k *Keys, o ResealOptions) error {
	if k == nil {
		return errors.New("reseal: there is no key to seal with")
	}
	left := 0
	err := eachFile(ctx, dir, func(path string) error {
		unlock, err := lockOf(dir, path)
		if err != nil {
			return err
		}
		defer unlock()
		what, err := k.reseal(path, o.Plain)
		if errors.Is(err, fs.ErrNotExist) { // it was removed meanwhile
			return nil
		}
		if what == LeftPlain || what == Unread {
			left++
		}
		rel, rerr := filepath.Rel(dir, path)
		if rerr != nil {
			return rerr
		}
		o.Each(rel, what, err)
		return nil
	})
	if err != nil {
		return fmt.Errorf("reseal: %w", err)
	}
	first := &Keys{keys: k.keys[:1]}
	err = eachFile(ctx, dir, func(path string) error {
		if _, err := first.sum(path); err != nil && !errors.Is(err, fs.ErrNotExist) && !foreign(err) && !spoiled(err) { // those were counted
			return err
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reseal: read again: %w", err)
	}
	if left > 0 {
		return fmt.Errorf("reseal: %d files are not sealed with the first key", left)
	}
	return nil
}

// eachFile calls f for the files of a data directory that may be sealed.
func eachFile(ctx context.Context, dir string, f func(path string) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case d.IsDir() && d.Name() == quarantine:
			return fs.SkipDir
		case d.Type().IsRegular() && sealable(d.Name()):
			return f(path)
		}
		return nil
	})
}

// sealable reports whether a file of that name is one that keys seal.
func sealable(name string) bool {
	for _, suffix := range []string{versionSuffix, checkpointSuffix, ".records", ".seg"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return name == stagesName || name == failuresName
}

// lockOf takes the lock of the model type that a file is of, as commands change models
// without holding the data directory.
func lockOf(dir, path string) (unlock func(), err error) {
	models := filepath.Join(dir, ModelsDir)
	if typ := filepath.Base(filepath.Dir(path)); filepath.Dir(filepath.Dir(path)) == models && typeName.MatchString(typ) {
		return NewVersions(dir, nil).lock(typ)
	}
	return func() {}, nil
}

// reseal seals one file anew.
func (k *Keys) reseal(path string, plain bool) (what string, err error) {
	f, err := Open(path)
	if err != nil {
		return Unread, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Unread, err
	}
	head := make([]byte, min(info.Size(), int64(sealHead)))
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return Unread, err
	}
	key, err := k.match(head)
	from := k
	switch {
	case errors.Is(err, ErrPlain) && !plain:
		return LeftPlain, nil
	case errors.Is(err, ErrPlain):
		from = nil
	case err != nil:
		return Unread, err
	case key.name == k.keys[0].name:
		return Current, nil
	}
	beside := path + ".reseal" + tmpSuffix
	was := sha256.New()
	if err := k.rewrite(f, from, path, beside, was, info.ModTime()); err != nil {
		return Unread, errors.Join(err, ignore(os.Remove(beside), fs.ErrNotExist))
	}
	if err := theDisk.Rename(beside, path); err != nil {
		return Unread, errors.Join(err, ignore(os.Remove(beside), fs.ErrNotExist))
	}
	if err := theDisk.SyncDir(filepath.Dir(path)); err != nil {
		return Unread, err
	}
	return Resealed, nil
}

// rewrite writes the content of f, which from opens, to another file, sealed as if it were
// path, reads it again and compares. The time of the file stays that of its content.
func (k *Keys) rewrite(f io.Reader, from *Keys, path, beside string, was hash.Hash, modified time.Time) error {
	content, err := from.Unseal(f, boundName(path))
	if err != nil {
		return err
	}
	err = WriteFile(beside, true, func(w io.Writer) error {
		s, err := k.Seal(w, boundName(path))
		if err != nil {
			return err
		}
		if _, err := io.Copy(s, io.TeeReader(content, was)); err != nil {
			return err
		}
		return s.Close()
	})
	if err != nil {
		return err
	}
	is, err := (&Keys{keys: k.keys[:1]}).sumAs(beside, boundName(path))
	if err != nil {
		return err
	}
	if !bytes.Equal(is, was.Sum(nil)) {
		return fmt.Errorf("%s: what was written is not what was read", beside)
	}
	return os.Chtimes(beside, time.Time{}, modified)
}

// sum reads a sealed file in whole and returns the SHA-256 of its content.
func (k *Keys) sum(path string) ([]byte, error) { return k.sumAs(path, boundName(path)) }

func (k *Keys) sumAs(path, name string) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := k.Unseal(f, name)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, content); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return h.Sum(nil), nil
}
