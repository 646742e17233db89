package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func save(t *testing.T, v *Versions, parts ...string) string {
	t.Helper()
	name, err := v.Save("resource_prediction", func(string) ([][]byte, error) {
		var b [][]byte
		for _, p := range parts {
			b = append(b, []byte(p))
		}
		return b, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func TestVersions(t *testing.T) {
	dir := t.TempDir()
	v := NewVersions(dir, nil)
	if s, err := v.Stages("resource_prediction"); err != nil || s.Active != "" {
		t.Errorf("none yet: %+v, %v", s, err)
	}
	if a, b := save(t, v, "one", "two"), save(t, v, "three"); a != "v1" || b != "v2" {
		t.Errorf("%s, %s", a, b)
	}
	parts, err := v.Load("resource_prediction", "v1")
	if err != nil || len(parts) != 2 || string(parts[0]) != "one" || string(parts[1]) != "two" {
		t.Errorf("%q, %v", parts, err)
	}
	promote(t, v, "v1", "active", 0)
	if s, err := v.Stages("resource_prediction"); s.Active != "v1" || err != nil {
		t.Errorf("%+v, %v", s, err)
	}
	if _, _, err := v.Change("resource_prediction", func(s Stages) (Stages, error) { return s.Promote("v9", "active", 0) }); !errors.Is(err, ErrNoVersion) {
		t.Errorf("activated a version that is not there: %v", err)
	}
	names, err := v.List("resource_prediction")
	if err != nil || fmt.Sprint(names) != "[v1 v2]" {
		t.Errorf("%v, %v", names, err)
	}
	for path, mode := range map[string]os.FileMode{"models": 0o700, "models/resource_prediction": 0o700, "models/resource_prediction/v1.model": 0o600, "models/resource_prediction/stages": 0o600} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s is %v, want %v (%v)", path, info.Mode().Perm(), mode, err)
		}
	}
	for _, bad := range [][2]string{{"../x", "v1"}, {"resource_prediction", "../v1"}, {"resource_prediction", "v0"}, {"resource_prediction", "stages"}} {
		if _, err := v.Load(bad[0], bad[1]); !errors.Is(err, ErrNoVersion) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// TestVersionsConcurrentWriters: nobody writes over anybody's version.
func TestVersionsConcurrentWriters(t *testing.T) {
	v := NewVersions(t.TempDir(), nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				if _, err := v.Save("resource_prediction", func(name string) ([][]byte, error) { return [][]byte{[]byte(name)}, nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	names, err := v.List("resource_prediction")
	if err != nil || len(names) != 40 {
		t.Fatalf("%d versions, %v", len(names), err)
	}
	for _, name := range names {
		parts, err := v.Load("resource_prediction", name)
		if err != nil || string(parts[0]) != name {
			t.Errorf("%s holds %q, %v", name, parts, err)
		}
	}
}

// TestVersionsDamaged: a flipped bit anywhere and a cut at any length are noticed, and
// the file goes into quarantine; one of a newer schema is left alone.
func TestVersionsDamaged(t *testing.T) {
	good, err := EncodeVersion([][]byte{[]byte("header"), []byte("model")})
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		flipped := bytes.Clone(good)
		flipped[i] ^= 1
		if _, err := DecodeVersion(bytes.NewReader(flipped)); err == nil {
			t.Errorf("byte %d flipped: no error", i)
		}
		if _, err := DecodeVersion(bytes.NewReader(good[:i])); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
	if _, err := DecodeVersion(bytes.NewReader(append(bytes.Clone(good), 0))); !errors.Is(err, ErrDamaged) {
		t.Errorf("longer: %v", err)
	}
	dir := t.TempDir()
	v := NewVersions(dir, nil)
	save(t, v, "one")
	path := filepath.Join(dir, "models", "resource_prediction", "v1.model")
	newer := bytes.Replace(good, []byte("upid.model.1"), []byte("upid.model.2"), 1)
	if err := os.WriteFile(path, newer, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Load("resource_prediction", "v1"); !errors.Is(err, ErrSchema) {
		t.Errorf("newer schema: %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("it was not left alone: %v", err)
	}
	if err := os.WriteFile(path, good[:20], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Load("resource_prediction", "v1"); !errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "models", "quarantine", "resource_prediction-v1.model")); err != nil {
		t.Errorf("not in quarantine: %v", err)
	}
}

func FuzzDecodeVersion(f *testing.F) {
	good, err := EncodeVersion([][]byte{[]byte("header"), []byte("model")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		parts, err := DecodeVersion(bytes.NewReader(b))
		if err != nil {
			return
		}
		again, err := EncodeVersion(parts)
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%q came back as %q, %v", b, again, err)
		}
	})
}
