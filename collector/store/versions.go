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
)

// versionMagic names the schema of model files.
const versionMagic = "upid.model.1"

// ModelsDir is where model versions are in the data directory.
const ModelsDir = "models"

const (
	versionSuffix  = ".model"
	activeName     = "active"
	maxParts       = 64       // of a version
	maxVersionSize = 64 << 20 // bytes of a file
	maxVersions    = 10_000   // of a type that are looked at
)

// ErrNoVersion says that a type has no version, or not that one.
var ErrNoVersion = errors.New("no such model version")

// Versions is a directory with the versions of trained models, by model type:
// models/TYPE/v1.model, v2.model, …, and models/TYPE/active, which holds the name of the
// version that answers. A version never changes; only which one is active does.
//
// A file is the line upid.model.1, frames (each its length and its CRC-32C, four bytes
// each, little-endian, and its content), of which the last is the SHA-256 of the contents of
// all others, and an empty frame. What the contents are is the business of the caller;
// to encrypt them is one place, encodeVersion and decodeVersion.
type Versions struct{ dir string }

// NewVersions returns the versions in dir/models. It reads and writes nothing yet.
func NewVersions(dir string) *Versions { return &Versions{dir: filepath.Join(dir, ModelsDir)} }

var (
	typeName    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	versionName = regexp.MustCompile(`^v[1-9][0-9]{0,8}$`)
)

func (v *Versions) path(typ, name string) (string, error) {
	if !typeName.MatchString(typ) || !versionName.MatchString(name) && name != activeName {
		return "", fmt.Errorf("model %q version %q: %w", typ, name, ErrNoVersion)
	}
	if name == activeName {
		return filepath.Join(v.dir, typ, activeName), nil
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
		next := 1
		if len(names) > 0 {
			next = number(names[len(names)-1]) + 1
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
	b, err := encodeVersion(parts)
	if err != nil {
		return fmt.Errorf("save model: %w", err)
	}
	whole := fmt.Sprintf("%s.%d-%d%s", path, os.Getpid(), writers.Add(1), tmpSuffix)
	if err := WriteFile(whole, true, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}); err != nil {
		return err
	}
	err = os.Link(whole, path)
	if err := errors.Join(err, os.Remove(whole)); err != nil {
		return fmt.Errorf("save model: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// writers tells the writers of a process apart.
var writers atomic.Int64

func encodeVersion(parts [][]byte) ([]byte, error) {
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

func decodeVersion(r io.Reader) ([][]byte, error) {
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
	if n, err := limited.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: it goes on after its end", ErrDamaged)
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
// is of another schema and left alone. A damaged one is moved into quarantine.
func (v *Versions) Load(typ, name string) ([][]byte, error) {
	path, err := v.path(typ, name)
	if err != nil {
		return nil, err
	}
	var parts [][]byte
	f, err := Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s %s: %w", typ, name, ErrNoVersion)
	}
	if err == nil {
		parts, err = decodeVersion(f)
		err = errors.Join(err, f.Close())
	}
	if errors.Is(err, ErrDamaged) {
		err = errors.Join(err, v.Reject(typ, name))
	}
	if err != nil {
		return nil, withReason(fmt.Errorf("model %s: %w", path, err))
	}
	return parts, nil
}

// Reject moves a version into quarantine, for a caller to whom its parts made no sense.
func (v *Versions) Reject(typ, name string) error {
	path, err := v.path(typ, name)
	if err != nil {
		return err
	}
	return Quarantine(v.dir, path, typ+"-"+name+versionSuffix)
}

// Active returns the name of the version of a type that answers, ErrNoVersion if none
// does.
func (v *Versions) Active(typ string) (string, error) {
	path, err := v.path(typ, activeName)
	if err != nil {
		return "", err
	}
	f, err := Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: %w", typ, ErrNoVersion)
	}
	if err != nil {
		return "", withReason(fmt.Errorf("models: %w", err))
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 64))
	name := strings.TrimSuffix(string(b), "\n")
	if err != nil || !versionName.MatchString(name) {
		return "", withReason(fmt.Errorf("models: %s: %w: %q is no version", path, ErrDamaged, b))
	}
	return name, nil
}

// SetActive makes a version that is there the one that answers.
func (v *Versions) SetActive(typ, name string) error {
	path, err := v.path(typ, name)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); err != nil {
		return fmt.Errorf("%s %s: %w", typ, name, ErrNoVersion)
	}
	return withReason(WriteFile(filepath.Join(filepath.Dir(path), activeName), true, func(w io.Writer) error {
		_, err := io.WriteString(w, name+"\n")
		return err
	}))
}
