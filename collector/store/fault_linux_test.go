package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mounted mounts a tmpfs of a size and returns it with what mounts it anew.
func mounted(t *testing.T, size string) (dir string, remount func(flags uintptr, size string)) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+size); err != nil {
		t.Skipf("this needs root, to mount a file system: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir, func(flags uintptr, size string) {
		t.Helper()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, "size="+size); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFault_D4: on a full disk of 64 KiB the old content stays, nothing half-written does, and
// once there is room the next save succeeds.
func TestFault_D4(t *testing.T) {
	eachDoor(t, func(t *testing.T, d door) {
		dir, remount := mounted(t, "64k")
		d.mustSave(t, dir, nil, "old")
		for range 3 {
			if err := d.save(dir, nil, half("new")); !errors.Is(err, syscall.ENOSPC) || Reason(err) != "disk_full" {
				t.Fatalf("%v", err)
			}
			d.wantContent(t, dir, nil, "on a full disk", "old")
			if n := temporary(t, dir); n > 0 {
				t.Errorf("%d temporary files take what room there is", n)
			}
		}
		remount(0, "16m")
		d.mustSave(t, dir, nil, half("new"))
		d.wantContent(t, dir, nil, "with room", half("new"))
	})
}

// TestFault_D5: on a read-only disk everything is read, nothing is written, and it goes on
// once it may.
func TestFault_D5(t *testing.T) {
	eachDoor(t, func(t *testing.T, d door) {
		dir, remount := mounted(t, "16m")
		d.mustSave(t, dir, nil, "old")
		remount(syscall.MS_RDONLY, "16m")
		if err := d.save(dir, nil, "new"); !errors.Is(err, syscall.EROFS) || Reason(err) != "read_only" {
			t.Fatalf("%v", err)
		}
		d.wantContent(t, dir, nil, "read-only", "old")
		remount(0, "16m")
		d.mustSave(t, dir, nil, "new")
		d.wantContent(t, dir, nil, "writable again", "new")
	})
}

// TestFault_D13: a file system that goes away under us is as if there was nothing; what is
// saved then is there, and the lock is taken again.
func TestFault_D13(t *testing.T) {
	eachDoor(t, func(t *testing.T, d door) {
		dir, _ := mounted(t, "16m")
		l, err := Acquire(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Release() //nolint:errcheck // the test ends
		d.mustSave(t, dir, nil, "old")
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Fatal(err)
		}
		if got, err := d.load(dir, nil); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q, %v", got, err)
		}
		if again, err := l.Hold(); !again || err != nil {
			t.Errorf("held again: %v, %v", again, err)
		}
		d.mustSave(t, dir, nil, "new")
		d.wantContent(t, dir, nil, "after it", "new")
		if _, err := Acquire(dir); !errors.Is(err, ErrLocked) {
			t.Errorf("two hold it: %v", err)
		}
	})
}

// TestFault_D9_owner: a file of another user is refused and put into quarantine, also by
// root, unless the directory is that user's.
func TestFault_D9_owner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away: run this test as root")
	}
	eachDoor(t, func(t *testing.T, d door) {
		dir := t.TempDir()
		d.mustSave(t, dir, nil, "content")
		path := filepath.Join(dir, d.path)
		if err := os.Chown(path, 12345, -1); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(filepath.Dir(path), 12345, -1); err != nil {
			t.Fatal(err)
		}
		if d.name != "model" && d.name != "stages" && d.name != "failures" { // whose files lie in one directory
			d.wantContent(t, dir, nil, "root looks into the directory of another", "content")
		}
		if err := os.Chown(filepath.Dir(path), 0, -1); err != nil {
			t.Fatal(err)
		}
		d.refused(t, dir, nil, "another owner", ErrExposed, "exposed", false)
	})
}

// TestFault_D9_doors: what others could read or write, links, pipes and directories are
// refused by every door.
func TestFault_D9_doors(t *testing.T) {
	eachDoor(t, func(t *testing.T, d door) {
		for what, spoil := range map[string]struct {
			do     func(path string) error
			is     error
			reason string
		}{
			"0644": {func(p string) error { return os.Chmod(p, 0o644) }, ErrExposed, "exposed"},
			"0660": {func(p string) error { return os.Chmod(p, 0o660) }, ErrExposed, "exposed"},
			"0602": {func(p string) error { return os.Chmod(p, 0o602) }, ErrExposed, "exposed"},
			"link": {func(p string) error {
				return errors.Join(os.Rename(p, p+".else"), os.Symlink(p+".else", p))
			}, ErrDamaged, "damaged"},
			"pipe":      {func(p string) error { return errors.Join(os.Remove(p), syscall.Mkfifo(p, 0o600)) }, ErrDamaged, "damaged"},
			"directory": {func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) }, ErrDamaged, "damaged"},
		} {
			dir := t.TempDir()
			d.mustSave(t, dir, nil, "content")
			if err := spoil.do(filepath.Join(dir, d.path)); err != nil {
				t.Fatal(err)
			}
			d.refused(t, dir, nil, what, spoil.is, spoil.reason, false)
			if d.name != "stages" { // whose next save promotes, which takes a whole version
				d.mustSave(t, dir, nil, "new")
				d.wantContent(t, dir, nil, what, "new")
			}
		}
	})
}

// TestFault_D11_doors: with another key, or none, a sealed file is refused, left alone and
// never written over; so is a plain one where there is a key.
func TestFault_D11_doors(t *testing.T) {
	eachDoor(t, func(t *testing.T, d door) {
		for what, c := range map[string]struct {
			wrote, have *Keys
			is          error
			reason      string
		}{
			"another key": {keys(t, 1), keys(t, 2), ErrKey, "no_key"},
			"no key":      {keys(t, 1), nil, ErrKey, "no_key"},
			"plain":       {nil, keys(t, 1), ErrPlain, "not_sealed"},
		} {
			dir := t.TempDir()
			d.mustSave(t, dir, c.wrote, "content")
			d.refused(t, dir, c.have, what, c.is, c.reason, true)
			d.wantContent(t, dir, c.wrote, what+", with the right one", "content")
		}
		rotated := t.TempDir()
		d.mustSave(t, rotated, keys(t, 1), "content")
		d.wantContent(t, rotated, keys(t, 2, 1), "an older key", "content")
	})
}

// TestFault_D7: a file of a newer schema is refused and left alone, plain and sealed; what is
// saved then stands beside it.
func TestFault_D7(t *testing.T) {
	eachDoor(t, func(t *testing.T, d door) {
		dir := t.TempDir()
		d.mustSave(t, dir, nil, "content")
		path := filepath.Join(dir, d.path)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		next := strings.TrimSuffix(d.magic, "1") + "2"
		newer := strings.Replace(string(b), d.magic+"\n", next+"\n", 1)
		if newer == string(b) {
			t.Fatalf("it does not begin with %s", d.magic)
		}
		if err := os.WriteFile(path, []byte(newer), 0o600); err != nil {
			t.Fatal(err)
		}
		d.refused(t, dir, nil, "a newer schema", ErrSchema, "other_version", true)
		if _, err := d.load(dir, nil); !strings.Contains(err.Error(), next) {
			t.Errorf("it does not say which: %v", err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != newer {
			t.Errorf("it was touched: %v", err)
		}
	})
}

// TestFault_D7_beside: after a downgrade, threats and snapshots are written beside what the
// newer version left, which is whole; a model gets the next number.
func TestFault_D7_beside(t *testing.T) {
	newer := func(path, magic string) string {
		b, err := os.ReadFile(path)
		text := strings.Replace(string(b), magic+"\n", strings.TrimSuffix(magic, "1")+"2\n", 1)
		if err = errors.Join(err, os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		return text
	}
	dir := t.TempDir()
	r := NewRecords(dir, "threats", nil)
	for n := range 3 {
		if err := r.Save([][]byte{[]byte("found")}); err != nil {
			t.Fatal(err)
		}
		kept := newer(r.Path(), recordsMagic("threats"))
		if _, err := r.Load(); !errors.Is(err, ErrSchema) {
			t.Fatal(err)
		}
		if err := r.Save([][]byte{[]byte("found since")}); err != nil {
			t.Fatal(err)
		}
		name := r.Path() + ".other_version" + []string{"", "-2", "-3"}[n]
		if b, err := os.ReadFile(name); err != nil || string(b) != kept {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := r.Load(); err != nil || string(got[0]) != "found since" {
			t.Errorf("%q, %v", got, err)
		}
	}
	c := NewCheckpoints(dir, nil)
	if err := c.Save("a", "key", content); err != nil {
		t.Fatal(err)
	}
	kept := newer(c.path("a"), checkpointMagic)
	if _, err := load1(c, "a"); !errors.Is(err, ErrSchema) {
		t.Fatal(err)
	}
	if err := c.Save("a", "key", content); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(c.path("a") + ".other_version"); err != nil || string(b) != kept {
		t.Error(err)
	}
	v := NewVersions(dir, nil)
	save(t, v, "model")
	newer(filepath.Join(dir, ModelsDir, typ, "v1.model"), versionMagic)
	if name := save(t, v, "model"); name != "v2" {
		t.Errorf("saved as %s", name)
	}
}

// TestFault_D8: the stages of before there were schemas, plain JSON, are read, and written
// anew by the next change. Of every other file there was only ever one schema, of which the
// files in testdata are.
func TestFault_D8(t *testing.T) {
	dir := t.TempDir()
	v := NewVersions(dir, nil)
	for range 3 {
		save(t, v, "model")
	}
	b, err := os.ReadFile("testdata/stages.0")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, ModelsDir, typ, stagesName)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	want := Stages{Active: "v2", Canary: "v3", Share: 0.25, Before: []string{"v1"}, Newest: 3}
	if s := stagesOf(t, v); !same(s, want) {
		t.Errorf("%+v, want %+v", s, want)
	}
	promote(t, v, "v1", "shadow", 0)
	want.Shadow = "v1"
	if b, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(b), stagesMagic+"\n") {
		t.Errorf("%q, %v", b, err)
	}
	if s := stagesOf(t, v); !same(s, want) {
		t.Errorf("%+v, want %+v", s, want)
	}
	for _, d := range doors() {
		b, err := os.ReadFile("testdata/golden." + d.name)
		if os.Getenv("UPDATE") != "" {
			made := t.TempDir()
			d.mustSave(t, made, nil, "content of the first schema")
			if b, err = os.ReadFile(filepath.Join(made, d.path)); err == nil {
				err = os.WriteFile("testdata/golden."+d.name, b, 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		d.mustSave(t, dir, nil, "another")
		if err := os.WriteFile(filepath.Join(dir, d.path), b, 0o600); err != nil {
			t.Fatal(err)
		}
		content := "content of the first schema"
		if d.name == "stages" {
			content = "another" // of the version that is active
		}
		d.wantContent(t, dir, nil, d.name, content)
	}
}

// TestFault_D10: the second process on a data directory is told who holds it, and ends with
// an error; the first goes on.
func TestFault_D10(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	l, err := Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, said, release := hold(t, dir)
	release()
	if second.ProcessState.ExitCode() != 1 || !strings.Contains(said, "in use") || !strings.Contains(said, "by process ") || !strings.Contains(said, "upid stop") {
		t.Errorf("exit %d: %s", second.ProcessState.ExitCode(), said)
	}
	if again, err := l.Hold(); again || err != nil {
		t.Errorf("%v, %v", again, err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	if _, said, _ := hold(t, dir); said != "held\n" {
		t.Errorf("after it: %s", said)
	}
}
