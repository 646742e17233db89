package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// door is a kind of file that upid keeps, with what is in it: a text.
type door struct {
	name       string
	path       string // in the data directory
	quarantine string
	magic      string
	save       func(dir string, k *Keys, content string) error
	load       func(dir string, k *Keys) (string, error)
}

const checkpointKey = "key"

// doors are all of them but history and the audit trail, which are tested where they are.
func doors() []door {
	model := door{
		"model", "models/" + typ + "/v1.model", "models/quarantine/" + typ + "-v1.model", versionMagic,
		func(dir string, k *Keys, content string) error {
			v := NewVersions(dir, k)
			name, err := v.Save(typ, func(string) ([][]byte, error) { return [][]byte{[]byte("{}"), []byte(content)}, nil })
			if err == nil {
				_, _, err = v.Change(typ, func(s Stages) (Stages, error) { return s.Promote(name, "active", 0) })
			}
			return err
		},
		func(dir string, k *Keys) (string, error) {
			v := NewVersions(dir, k)
			s, err := v.Stages(typ)
			if err != nil {
				return "", err
			}
			if s.Active == "" {
				return "", fs.ErrNotExist
			}
			parts, err := v.Load(typ, s.Active)
			if err != nil {
				return "", err
			}
			return string(parts[1]), nil
		},
	}
	stages := model
	stages.name, stages.path, stages.quarantine, stages.magic = "stages", "models/"+typ+"/stages", "models/quarantine/"+typ+"-stages", stagesMagic
	return []door{
		model, stages,
		{
			"failures", "models/" + typ + "/failures", "models/quarantine/" + typ + "-failures", failuresMagic,
			func(dir string, k *Keys, content string) error {
				return NewVersions(dir, k).ChangeFailures(typ, "v1", func(Failures) Failures { return Failures{Until: 1, Detail: content} })
			},
			func(dir string, k *Keys) (string, error) {
				all, err := NewVersions(dir, k).Failures(typ)
				if err == nil && all == nil {
					err = fs.ErrNotExist
				}
				return all["v1"].Detail, err
			},
		},
		{
			"snapshot", "checkpoints/cpu.checkpoint", "checkpoints/quarantine/cpu.checkpoint", checkpointMagic,
			func(dir string, k *Keys, content string) error {
				return NewCheckpoints(dir, k).Save("cpu", checkpointKey, func(w io.Writer) error { _, err := io.WriteString(w, content); return err })
			},
			func(dir string, k *Keys) (string, error) {
				var got []byte
				err := NewCheckpoints(dir, k).Load("cpu", checkpointKey, func(r io.Reader) (err error) { got, err = io.ReadAll(r); return err })
				return string(got), err
			},
		},
		{
			"threats", "threats/threats.records", "threats/quarantine/threats.records", recordsMagic("threats"),
			func(dir string, k *Keys, content string) error {
				return NewRecords(dir, "threats", k).Save([][]byte{[]byte("first"), []byte(content)})
			},
			func(dir string, k *Keys) (string, error) {
				records, err := NewRecords(dir, "threats", k).Load()
				switch {
				case err != nil:
					return "", err
				case len(records) == 0:
					return "", fs.ErrNotExist
				case len(records) != 2:
					return "", fmt.Errorf("%d records", len(records))
				}
				return string(records[1]), nil
			},
		},
	}
}

// eachDoor runs f for every door.
func eachDoor(t *testing.T, f func(t *testing.T, d door)) {
	t.Helper()
	for _, d := range doors() {
		t.Run(d.name, func(t *testing.T) { f(t, d) })
	}
}

// mustSave saves, which must succeed.
func (d door) mustSave(t *testing.T, dir string, k *Keys, content string) {
	t.Helper()
	if err := d.save(dir, k, content); err != nil {
		t.Fatal(err)
	}
}

// wantContent loads one of some contents.
func (d door) wantContent(t *testing.T, dir string, k *Keys, what string, contents ...string) string {
	t.Helper()
	got, err := d.load(dir, k)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if !slices.Contains(contents, got) {
		t.Fatalf("%s: %.20q of %d bytes", what, got, len(got))
	}
	return got
}

// refused makes sure that a spoiled file is refused, with its reason, and put where it
// should be; left says that it stays where it is.
func (d door) refused(t *testing.T, dir string, k *Keys, what string, is error, reason string, left bool) {
	t.Helper()
	got, err := d.load(dir, k)
	d.wasRefused(t, dir, got, err, what, is, reason, left)
}

// wasRefused is refused after a load.
func (d door) wasRefused(t *testing.T, dir, got string, err error, what string, is error, reason string, left bool) {
	t.Helper()
	if d.name == "failures" && !left { // it is of no use to anybody but the guard: it begins anew
		if got != "" || !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%s: %q, %v", what, got, err)
		}
	} else if !errors.Is(err, is) || Reason(err) != reason {
		t.Fatalf("%s: %q, %v, want %s", what, got, err, reason)
	}
	_, stays := os.Lstat(filepath.Join(dir, d.path))
	_, away := os.Lstat(filepath.Join(dir, d.quarantine))
	if (stays == nil) != left || (away == nil) == left {
		t.Fatalf("%s: there %v, in quarantine %v", what, stays, away)
	}
}

// half is content that takes some writes.
func half(word string) string { return strings.Repeat(word+" ", 100_000) }
