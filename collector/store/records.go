package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// Records is a file of records that cannot be made again from data, such as threats that
// were found: each in a frame, the whole written anew with every change, sealed if there
// are keys. A process that is killed leaves the old file or the new one.
type Records struct {
	path  string
	magic string
	keys  *Keys

	others error // why what is there is not ours to write over; nil: it is
}

// recordsMagic names the schema of a file of records of some kind.
func recordsMagic(kind string) string { return "upid." + kind + ".1" }

// NewRecords returns the file of records of a kind in dir. It reads and writes nothing yet.
func NewRecords(dir, kind string, keys *Keys) *Records {
	return &Records{path: filepath.Join(dir, kind, kind+".records"), magic: recordsMagic(kind), keys: keys}
}

// Path returns where the file is.
func (r *Records) Path() string { return r.path }

// Save replaces the records, of which none may be empty. A file that Load could not read
// because it is of another schema or key is kept beside; see SetAside.
func (r *Records) Save(records [][]byte) error {
	if r.others != nil {
		if err := SetAside(r.path, r.others); err != nil {
			return withReason(err)
		}
		r.others = nil
	}
	return withReason(r.keys.WriteFile(r.path, true, func(w io.Writer) error {
		f, err := NewFrameWriter(w, r.magic)
		if err != nil {
			return err
		}
		for _, b := range records {
			if err := f.Write(b); err != nil {
				return err
			}
		}
		return f.Close()
	}))
}

// Load returns the records; none if there is no file. Of a damaged one it returns those
// before the damage together with ErrDamaged, and moves it into quarantine.
func (r *Records) Load() (records [][]byte, err error) {
	f, err := Open(r.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		defer f.Close()
		var content io.Reader
		if content, err = r.keys.Unseal(bufio.NewReaderSize(f, 1<<18), boundName(r.path)); err == nil {
			records, err = r.read(content)
		}
	}
	if foreign(err) {
		r.others = err
	}
	if spoiled(err) {
		err = errors.Join(err, Quarantine(filepath.Dir(r.path), r.path, filepath.Base(r.path)))
	}
	if err != nil {
		return records, withReason(fmt.Errorf("%s: %w", r.path, err))
	}
	return records, nil
}

func (r *Records) read(content io.Reader) (records [][]byte, err error) {
	f, err := NewFrameReader(content, r.magic)
	if err != nil {
		return nil, err
	}
	for {
		b, err := f.Next()
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return records, err
		}
		records = append(records, slices.Clone(b))
	}
}
