package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// versionMagic names the schema of model files.
const versionMagic = "upid.model.1"

// ModelsDir is where model versions are in the data directory.
const ModelsDir = "models"

const (
	versionSuffix  = ".model"
	maxParts       = 64        // of a version
	maxVersionSize = 64 << 20  // bytes of a file
	maxVersions    = 1_000_000 // of a type that are looked at
)

// ErrNoVersion says that a type has no version, or not that one.
var ErrNoVersion = errors.New("no such model version")

// Versions is a directory with the versions of trained models, by model type:
// models/TYPE/v1.model, v2.model, …, and models/TYPE/stages, which says which of them are in
// use. A version never changes; only the stages do.
//
// A file is the line upid.model.1, frames (each its length and its CRC-32C, four bytes
// each, little-endian, and its content), of which the last is the SHA-256 of the contents of
// all others, and an empty frame. What the contents are is the business of the caller.
// With keys the whole file is sealed.
type Versions struct {
	dir  string
	keys *Keys
}

// NewVersions returns the versions in dir/models, sealed if there are keys. It reads and
// writes nothing yet.
func NewVersions(dir string, keys *Keys) *Versions {
	return &Versions{dir: filepath.Join(dir, ModelsDir), keys: keys}
}

// Dir is where the versions are.
func (v *Versions) Dir() string { return v.dir }

var (
	typeName    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	versionName = regexp.MustCompile(`^v[1-9][0-9]{0,8}$`)
)

func (v *Versions) path(typ, name string) (string, error) {
	if !typeName.MatchString(typ) || !versionName.MatchString(name) {
		return "", fmt.Errorf("model %q version %q: %w", typ, name, ErrNoVersion)
	}
	return filepath.Join(v.dir, typ, name+versionSuffix), nil
}

// List returns the names of the versions of a type, oldest first.
func (v *Versions) List(typ string) ([]string, error) {
	if !typeName.MatchString(typ) {
		return nil, fmt.Errorf("models: %q is no model type", typ)
	}
	entries, err := os.ReadDir(filepath.Join(v.dir, typ))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, withReason(fmt.Errorf("models: %w", err))
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), versionSuffix); ok && versionName.MatchString(name) && len(names) < maxVersions {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return number(a) - number(b) })
	return names, nil
}

func number(name string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(name, "v"))
	if err != nil {
		return 0
	}
	return n
}

// Save keeps a new version and returns its name: one more than the newest. make
// returns the parts of the version of that name. Writers do not wait for one another, and
// none writes over another's version.
func (v *Versions) Save(typ string, make func(name string) ([][]byte, error)) (string, error) {
	for range 100 {
		names, err := v.List(typ)
		if err != nil {
			return "", err
		}
		stages, err := v.Stages(typ)
		if err != nil {
			return "", err
		}
		next := stages.newest() + 1
		if len(names) > 0 {
			next = max(next, number(names[len(names)-1])+1)
		}
		name := "v" + strconv.Itoa(next)
		parts, err := make(name)
		if err != nil {
			return "", err
		}
		err = v.create(typ, name, parts)
		if errors.Is(err, fs.ErrExist) {
			continue // another writer was faster
		}
		if err != nil {
			return "", withReason(err)
		}
		return name, nil
	}
	return "", errors.New("save model: other processes save versions all the time")
}

// create writes a version whole under another name and links it to its own, which fails
// if it is taken.
func (v *Versions) create(typ, name string, parts [][]byte) error {
	path, err := v.path(typ, name)
	if err != nil {
		return err
	}
	b, err := EncodeVersion(parts)
	if err != nil {
		return fmt.Errorf("save model: %w", err)
	}
	whole := fmt.Sprintf("%s.%d-%d%s", path, os.Getpid(), writers.Add(1), tmpSuffix)
	if err := WriteFile(whole, true, func(w io.Writer) error {
		sealed, err := v.keys.Seal(w, boundName(path))
		if err != nil {
			return err
		}
		if _, err := sealed.Write(b); err != nil {
			return err
		}
		return sealed.Close()
	}); err != nil {
		return err
	}
	err = theDisk.Link(whole, path)
	if err := errors.Join(err, theDisk.Remove(whole)); err != nil {
		return fmt.Errorf("save model: %w", err)
	}
	return theDisk.SyncDir(filepath.Dir(path))
}

// writers tells the writers of a process apart.
var writers atomic.Int64

// EncodeVersion returns the content of a file with these parts; see Versions for its form.
func EncodeVersion(parts [][]byte) ([]byte, error) {
	if len(parts) == 0 || len(parts) > maxParts {
		return nil, fmt.Errorf("%d parts, want 1 to %d", len(parts), maxParts)
	}
	var b bytes.Buffer
	f, err := NewFrameWriter(&b, versionMagic)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	for _, p := range parts {
		if err := f.Write(p); err != nil {
			return nil, err
		}
		sum.Write(p)
	}
	if err := f.Write(sum.Sum(nil)); err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	if b.Len() > maxVersionSize {
		return nil, fmt.Errorf("%d bytes, want at most %d", b.Len(), maxVersionSize)
	}
	return b.Bytes(), nil
}

// DecodeVersion is the reverse of EncodeVersion: ErrDamaged for what it did not write, ErrSchema for another
// schema. What a length claims is not believed beyond 64 MiB.
func DecodeVersion(r io.Reader) ([][]byte, error) {
	limited := &io.LimitedReader{R: r, N: maxVersionSize + 1}
	f, err := NewFrameReader(limited, versionMagic)
	if err != nil {
		return nil, err
	}
	var parts [][]byte
	for {
		p, err := f.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if limited.N <= 0 || len(parts) > maxParts {
			return nil, fmt.Errorf("%w: it is too large", ErrDamaged)
		}
		if err != nil {
			return nil, err
		}
		parts = append(parts, slices.Clone(p))
	}
	if len(parts) < 2 {
		return nil, fmt.Errorf("%w: it is empty", ErrDamaged)
	}
	want := parts[len(parts)-1]
	parts = parts[:len(parts)-1]
	sum := sha256.New()
	for _, p := range parts {
		sum.Write(p)
	}
	if !bytes.Equal(sum.Sum(nil), want) {
		return nil, fmt.Errorf("%w: SHA-256", ErrDamaged)
	}
	return parts, nil
}

// Load returns the parts of a version: ErrNoVersion if there is none, ErrSchema if it
// is of another schema and ErrKey if we do not have its key: both are left alone. A damaged
// one, and one that others could have written (ErrExposed), is moved into quarantine.
func (v *Versions) Load(typ, name string) ([][]byte, error) {
	path, err := v.path(typ, name)
	if err != nil {
		return nil, err
	}
	parts, err := v.parts(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s %s: %w", typ, name, ErrNoVersion)
	}
	if spoiled(err) {
		err = errors.Join(err, v.Reject(typ, name))
	}
	if err != nil {
		return nil, withReason(fmt.Errorf("model %s: %w", path, err))
	}
	return parts, nil
}

// Reject moves a version into quarantine, for a caller to whom its parts made no sense.
// Its number is not used again. It stays in its stage: who asks is told that it is gone,
// until another version is promoted or rolled back to.
func (v *Versions) Reject(typ, name string) error {
	path, err := v.path(typ, name)
	if err != nil {
		return err
	}
	unlock, err := v.lock(typ)
	if err != nil {
		return err
	}
	defer unlock()
	stages, err := v.Stages(typ)
	if err == nil && number(name) > stages.newest() {
		stages.Newest = number(name)
		err = v.write(typ, stages)
	}
	return errors.Join(err, Quarantine(v.dir, path, typ+"-"+name+versionSuffix))
}

// parts reads what is in a file.
func (v *Versions) parts(path string) ([][]byte, error) {
	b, err := v.read(path, maxVersionSize)
	if err != nil {
		return nil, err
	}
	return DecodeVersion(bytes.NewReader(b))
}

// read returns the content of a file of ours, at most limit bytes.
func (v *Versions) read(path string, limit int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := v.keys.Unseal(f, boundName(path))
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(content, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%w: more than %d bytes", ErrDamaged, limit)
	}
	return b, err
}

// Check reads a version without moving it anywhere; the errors are those of Load.
func (v *Versions) Check(typ, name string) ([][]byte, error) {
	path, err := v.path(typ, name)
	if err != nil {
		return nil, err
	}
	parts, err := v.parts(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNoVersion
	}
	if err != nil {
		return nil, withReason(fmt.Errorf("model %s: %w", path, err))
	}
	return parts, nil
}

// Has reports whether a version is there.
func (v *Versions) Has(typ, name string) bool {
	path, err := v.path(typ, name)
	if err != nil {
		return false
	}
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular()
}

// QuarantineDir is where what was damaged, or could have been written by others, is moved.
func (v *Versions) QuarantineDir() string { return filepath.Join(v.dir, quarantine) }

// Quarantined reports whether a version lies there.
func (v *Versions) Quarantined(typ, name string) bool {
	_, err := os.Lstat(filepath.Join(v.QuarantineDir(), typ+"-"+name+versionSuffix))
	return err == nil
}

// Stamp identifies the content of a version's file without reading it: a version never
// changes, but its file may be replaced by another.
func (v *Versions) Stamp(typ, name string) (Stamp, error) {
	path, err := v.path(typ, name)
	if err != nil {
		return Stamp{}, err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return Stamp{}, err
	}
	s := Stamp{Size: info.Size(), Modified: info.ModTime(), Mode: info.Mode()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.Inode, s.Owner, s.Changed = st.Ino, st.Uid, changed(st)
	}
	return s, nil
}

// Stamp is what is known of a file without reading it.
type Stamp struct {
	Size     int64
	Modified time.Time
	Changed  int64 // nanoseconds
	Mode     fs.FileMode
	Inode    uint64
	Owner    uint32
}

// Delete removes a version that is in no stage.
func (v *Versions) Delete(typ, name string) error {
	path, err := v.path(typ, name)
	if err != nil {
		return err
	}
	_, _, err = v.Change(typ, func(s Stages) (Stages, error) {
		if stage := s.Of(name); stage != "" {
			return s, fmt.Errorf("%s %s is %s; promote another version or roll back first", typ, name, stage)
		}
		err := os.Remove(path)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s %s: %w", typ, name, ErrNoVersion)
		}
		s = s.without(name)
		s.Newest = max(s.Newest, number(name))
		return s, err
	})
	return err
}

// lock keeps other processes from changing the stages of a type until it is released.
func (v *Versions) lock(typ string) (unlock func(), err error) {
	if !typeName.MatchString(typ) {
		return nil, fmt.Errorf("models: %q is no model type", typ)
	}
	dir := filepath.Join(v.dir, typ)
	if err := makeDir(dir, true); err != nil {
		return nil, withReason(fmt.Errorf("models: %w", err))
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, withReason(fmt.Errorf("models: %w", err))
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, withReason(fmt.Errorf("models: lock: %w", err))
	}
	return func() { _ = f.Close() }, nil
}
