package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestReseal: every kind of file is sealed with the new key and opens without the old one;
// an interrupted run goes on; its time stays; plain ones are left unless wanted; damaged ones
// and those of unknown keys are told and left alone.
func TestReseal(t *testing.T) {
	dir := t.TempDir()
	old, both, fresh := keys(t, 1), keys(t, 2, 1), keys(t, 2)
	stamp := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for _, d := range doors() {
		if d.name == "stages" {
			continue // is made with the model
		}
		d.mustSave(t, dir, old, "content")
	}
	for _, d := range doors() {
		if err := os.Chtimes(filepath.Join(dir, d.path), stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}
	aside := filepath.Join(dir, "threats", "threats.records.other_version")
	if err := errors.Join(os.WriteFile(aside, []byte("theirs"), 0o600), os.WriteFile(filepath.Join(dir, "audit.jsonl"), []byte("{}\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	said := map[string]int{}
	run := func(ctx context.Context, k *Keys, plain bool) error {
		t.Helper()
		clear(said)
		return Reseal(ctx, dir, k, ResealOptions{Plain: plain, Each: func(path, what string, err error) {
			said[what]++
			if (err != nil) != (what == Unread) {
				t.Errorf("%s is %s: %v", path, what, err)
			}
		}})
	}
	want := func(err error, ok bool, counts string) {
		t.Helper()
		if (err == nil) != ok || fmt.Sprint(said) != counts {
			t.Fatalf("%v, %v, want %s", said, err, counts)
		}
	}

	// It is interrupted after the second file, and goes on.
	ctx, cancel := context.WithCancel(t.Context())
	err := Reseal(ctx, dir, both, ResealOptions{Each: func(string, string, error) {
		if said[Resealed]++; said[Resealed] == 2 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || said[Resealed] != 2 {
		t.Fatalf("%v, %v", said, err)
	}
	for _, d := range doors() { // either way it can be read
		d.wantContent(t, dir, both, "interrupted", "content")
	}
	want(run(t.Context(), both, false), true, "map[current:2 resealed:3]")
	want(run(t.Context(), both, false), true, "map[current:5]")
	for _, d := range doors() {
		d.wantContent(t, dir, fresh, "without the old key", "content")
		if _, err := d.load(dir, old); !errors.Is(err, ErrKey) {
			t.Errorf("%s opens with the old key: %v", d.name, err)
		}
		info, err := os.Stat(filepath.Join(dir, d.path))
		if err != nil || !info.ModTime().Equal(stamp) || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, %v", d.name, info.ModTime(), info.Mode(), err)
		}
	}
	if b, err := os.ReadFile(aside); err != nil || string(b) != "theirs" {
		t.Errorf("%q, %v", b, err)
	}

	// A plain one, a damaged one and one of an unknown key.
	threats, snapshot, model := doors()[4], doors()[3], doors()[0]
	threats.mustSave(t, dir, nil, "plain")
	snapshot.mustSave(t, dir, old, "content")
	path := filepath.Join(dir, snapshot.path)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	unknown := t.TempDir()
	model.mustSave(t, unknown, keys(t, 3), "content")
	if err := os.Rename(filepath.Join(unknown, model.path), filepath.Join(dir, ModelsDir, typ, "v9.model")); err != nil {
		t.Fatal(err)
	}
	err = run(t.Context(), both, false)
	want(err, false, "map[current:3 left_plain:1 unread:2]")
	if !strings.Contains(err.Error(), "3 files are not sealed with the first key") {
		t.Error(err)
	}
	threats.wantContent(t, dir, nil, "plain", "plain")
	want(run(t.Context(), both, true), false, "map[current:3 resealed:1 unread:2]")
	threats.wantContent(t, dir, fresh, "no longer plain", "plain")
	if now, err := os.ReadFile(path); err != nil || string(now) != string(b) {
		t.Errorf("a damaged one was touched: %v", err)
	}
	if n := temporary(t, dir); n > 0 {
		t.Errorf("%d temporary files stay", n)
	}
}

// TestReseal_faults: whichever call to the disk fails, each file opens with one of the keys.
func TestReseal_faults(t *testing.T) {
	for n := 1; ; n++ {
		dir := t.TempDir()
		for _, d := range doors() {
			if d.name != "stages" {
				d.mustSave(t, dir, keys(t, 1), "content")
			}
		}
		disk := &faultyDisk{n: n, err: errShort}
		theDisk = disk
		err := Reseal(t.Context(), dir, keys(t, 2, 1), ResealOptions{Each: func(string, string, error) {}})
		theDisk = systemDisk{}
		for _, d := range doors() {
			d.wantContent(t, dir, keys(t, 2, 1), fmt.Sprint("after call ", n), "content")
		}
		if disk.n > 0 {
			if err != nil || n < 25 {
				t.Fatalf("%d calls: %v", n, err)
			}
			return
		}
		if err := Reseal(t.Context(), dir, keys(t, 2, 1), ResealOptions{Each: func(string, string, error) {}}); err != nil {
			t.Fatal(err)
		}
	}
}
