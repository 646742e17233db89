package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRecords(t *testing.T) {
	dir := t.TempDir()
	r := NewRecords(dir, "threats", nil)
	if got, err := r.Load(); got != nil || err != nil {
		t.Errorf("nothing yet: %q, %v", got, err)
	}
	want := [][]byte{[]byte("a"), []byte("bb"), []byte(strings.Repeat("c", 100_000))}
	for range 2 {
		if err := r.Save(want); err != nil {
			t.Fatal(err)
		}
	}
	got, err := r.Load()
	if err != nil || len(got) != 3 || string(got[0]) != "a" || string(got[1]) != "bb" || len(got[2]) != 100_000 {
		t.Errorf("%d records, %v", len(got), err)
	}
	info, err := os.Stat(r.Path())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := r.Save(nil); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Load(); len(got) != 0 || err != nil {
		t.Errorf("none: %q, %v", got, err)
	}
}

// TestRecords_damaged: what stands before the damage is there, and the file is kept for a
// person to look at.
func TestRecords_damaged(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"cut":     func(b []byte) []byte { return b[:len(b)-10] },
		"changed": func(b []byte) []byte { b[len(b)-9] ^= 1; return b },
	} {
		dir := t.TempDir()
		r := NewRecords(dir, "threats", nil)
		if err := r.Save([][]byte{[]byte("first"), []byte("second")}); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(r.Path())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(r.Path(), damage(b), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := r.Load()
		if !errors.Is(err, ErrDamaged) || Reason(err) != "damaged" || len(got) != 1 || string(got[0]) != "first" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "threats", "quarantine", "threats.records")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := r.Load(); got != nil || err != nil {
			t.Errorf("%s, again: %q, %v", name, got, err)
		}
	}
}

func TestRecords_sealed(t *testing.T) {
	r := NewRecords(t.TempDir(), "threats", keys(t, 1))
	if err := r.Save([][]byte{[]byte("canary")}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(r.Path())
	if err != nil || strings.Contains(string(b), "canary") {
		t.Errorf("not sealed: %q, %v", b, err)
	}
	if got, err := r.Load(); err != nil || len(got) != 1 || string(got[0]) != "canary" {
		t.Errorf("%q, %v", got, err)
	}
}
