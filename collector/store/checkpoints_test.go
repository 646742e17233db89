package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const goldenCheckpoint = "testdata/golden.checkpoint"

func content(w io.Writer) error {
	for i := range 40 {
		if _, err := fmt.Fprintf(w, "series %d\n", i); err != nil {
			return err
		}
	}
	return nil
}

func load1(c *Checkpoints, task string) (string, error) {
	var got []byte
	err := c.Load(task, "key", func(r io.Reader) (err error) {
		got, err = io.ReadAll(r)
		return err
	})
	return string(got), err
}

func TestCheckpoint(t *testing.T) {
	dir := t.TempDir()
	c := NewCheckpoints(dir, nil)
	if err := c.Prune(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := load1(c, "a"); !errors.Is(err, os.ErrNotExist) || reasonOf(err) != "missing" {
		t.Fatalf("before the first: %v", err)
	}
	var want bytes.Buffer
	if err := content(&want); err != nil {
		t.Fatal(err)
	}
	if err := c.Save("a", "key", content); err != nil {
		t.Fatal(err)
	}
	if got, err := load1(c, "a"); err != nil || got != want.String() {
		t.Fatalf("%q, %v", got, err)
	}
	if info, err := os.Stat(c.path("a")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(c.dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := c.Load("a", "other", func(io.Reader) error { return errors.New("read") }); !errors.Is(err, ErrOtherKey) || reasonOf(err) != "other_configuration" {
		t.Errorf("of another key: %v", err)
	}
	// A large one, in several frames.
	big := bytes.Repeat([]byte("0123456789"), frameSize/4)
	if err := c.Save("b", "key", func(w io.Writer) error { _, err := w.Write(big); return err }); err != nil {
		t.Fatal(err)
	}
	if got, err := load1(c, "b"); err != nil || got != string(big) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	// A failure leaves the old one and nothing else.
	if err := c.Save("a", "key", func(w io.Writer) error { _, _ = w.Write(big); return syscall.ENOSPC }); reasonOf(err) != "disk_full" {
		t.Errorf("no space: %v", err)
	}
	if got, err := load1(c, "a"); err != nil || got != want.String() {
		t.Errorf("after a failure %d bytes, %v", len(got), err)
	}
	if entries, err := os.ReadDir(c.dir); err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
}

func reasonOf(err error) string {
	var r interface{ FailureReason() string }
	if errors.As(err, &r) {
		return r.FailureReason()
	}
	return ""
}

func TestPrune(t *testing.T) {
	c := NewCheckpoints(t.TempDir(), nil)
	for _, task := range []string{"old", "kept", "new"} {
		if err := c.Save(task, "key", content); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-2 * keepUnused)
	for _, task := range []string{"old", "kept"} {
		if err := os.Chtimes(c.path(task), long, long); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Prune([]string{"kept"}); err != nil {
		t.Fatal(err)
	}
	if _, err := load1(c, "old"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("old: %v", err)
	}
	for _, task := range []string{"kept", "new"} {
		if _, err := load1(c, task); err != nil {
			t.Errorf("%s: %v", task, err)
		}
	}
}

// TestCheckpointDamage flips every bit of a checkpoint written by the first
// version, and cuts it at every length. UPDATE=1 writes it.
func TestCheckpointDamage(t *testing.T) {
	dir := t.TempDir()
	c := NewCheckpoints(dir, nil)
	if os.Getenv("UPDATE") != "" {
		if err := c.Save("golden", "key", content); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(c.path("golden"))
		if err = errors.Join(err, os.MkdirAll("testdata", 0o755), os.WriteFile(goldenCheckpoint, b, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(goldenCheckpoint)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	put := func(b []byte) error {
		if err := os.WriteFile(c.path("a"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := load1(c, "a")
		return err
	}
	if err := put(whole); err != nil {
		t.Fatal(err)
	}
	version := len(checkpointMagic) - 1
	inMemory := func(b []byte) error {
		return load(bytes.NewReader(b), "key", func(r io.Reader) error { _, err := io.ReadAll(r); return err })
	}
	for i := range whole {
		for bit := range 8 {
			b := bytes.Clone(whole)
			b[i] ^= 1 << bit
			err := inMemory(b)
			if i == version && errors.Is(err, ErrSchema) {
				continue // looks like another version, and is left alone
			}
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("bit %d of byte %d: %v", bit, i, err)
			}
		}
		if err := inMemory(whole[:i]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
	}
	flipped := bytes.Clone(whole)
	flipped[len(whole)/2] ^= 1
	for _, b := range [][]byte{flipped, whole[:len(whole)-1], nil} {
		if err := put(b); !errors.Is(err, ErrDamaged) || reasonOf(err) != "damaged" {
			t.Errorf("%d bytes: %v", len(b), err)
		}
		if _, err := os.Stat(c.path("a")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%d bytes: it is still there", len(b))
		}
	}
	if _, err := os.Stat(filepath.Join(c.dir, quarantine, "a"+checkpointSuffix)); err != nil {
		t.Error(err)
	}
	newer := bytes.Replace(whole, []byte("checkpoint.1"), []byte("checkpoint.2"), 1)
	if err := put(newer); !errors.Is(err, ErrSchema) || reasonOf(err) != "other_version" {
		t.Errorf("a newer version: %v", err)
	}
	if b, err := os.ReadFile(c.path("a")); err != nil || !bytes.Equal(b, newer) {
		t.Errorf("a newer version was touched: %v", err)
	}
	// What read refuses, or leaves over, is damage too.
	for _, read := range []func(io.Reader) error{
		func(io.Reader) error { return errors.New("nonsense") },
		func(io.Reader) error { return nil },
	} {
		if err := errors.Join(os.WriteFile(c.path("a"), whole, 0o600)); err != nil {
			t.Fatal(err)
		}
		if err := c.Load("a", "key", read); !errors.Is(err, ErrDamaged) {
			t.Errorf("refused by its reader: %v", err)
		}
	}
}

// TestOnlyRegularFiles meets what an attacker, or an accident, put in the place of
// a checkpoint.
func TestOnlyRegularFiles(t *testing.T) {
	dir := t.TempDir()
	c := NewCheckpoints(dir, nil)
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(dir, "target")
	if err := os.WriteFile(target, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, put := range map[string]func(path string) error{
		"pipe":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"link":      func(path string) error { return os.Symlink(target, path) },
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		if err := put(c.path(name)); err != nil {
			t.Fatal(err)
		}
		read := func(r io.Reader) error { _, err := io.ReadAll(r); return err }
		if err := c.Load(name, "key", read); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.Save(name, "key", func(w io.Writer) error { _, err := w.Write([]byte("state")); return err }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.Load(name, "key", read); err != nil {
			t.Errorf("%s, written over: %v", name, err)
		}
	}
	if b, err := os.ReadFile(target); err != nil || string(b) != "theirs" {
		t.Errorf("what the link points to: %q, %v", b, err)
	}
}

func TestFrameLimits(t *testing.T) {
	w, err := NewFrameWriter(io.Discard, "x.1")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(nil); err == nil {
		t.Error("an empty frame was written: it means the end")
	}
	// A length that lies takes no more memory than there is file.
	lie := append([]byte("x.1\n"), 0xff, 0xff, 0xff, 0x03, 0, 0, 0, 0, 'a')
	r, err := NewFrameReader(bytes.NewReader(lie), "x.1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); !errors.Is(err, ErrDamaged) || cap(r.buf) > 4<<20 {
		t.Errorf("%v, %d bytes of memory", err, cap(r.buf))
	}
}

func TestQuarantineIsBounded(t *testing.T) {
	dir := t.TempDir()
	for i := range maxQuarantine + 5 {
		path := filepath.Join(dir, "x")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(time.Duration(i-100) * time.Minute)
		if err := errors.Join(os.Chtimes(path, at, at), Quarantine(dir, path, fmt.Sprintf("%02d", i))); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(filepath.Join(dir, quarantine))
	if err != nil || len(entries) != maxQuarantine || entries[0].Name() != "05" {
		t.Errorf("%d files, the oldest %s, %v", len(entries), entries[0].Name(), err)
	}
	if err := Quarantine(dir, filepath.Join(dir, "none"), "none"); err == nil {
		t.Error("a file that is not there was moved")
	}
}

func TestRemoveTemporaryAndUsage(t *testing.T) {
	dir := t.TempDir()
	if err := RemoveTemporary(filepath.Join(dir, "none")); err != nil {
		t.Error(err)
	}
	sub := filepath.Join(dir, "sub")
	if err := errors.Join(os.Mkdir(sub, 0o700), os.WriteFile(filepath.Join(sub, "a.seg.123"+tmpSuffix), []byte("half"), 0o600),
		os.WriteFile(filepath.Join(sub, "a.seg"), make([]byte, 1000), 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := RemoveTemporary(dir); err != nil {
		t.Fatal(err)
	}
	used, free := Usage(dir)
	if used != 1000 || free <= 0 {
		t.Errorf("%d used, %d free", used, free)
	}
	if used, free := Usage(filepath.Join(dir, "none")); used != 0 || free != 0 {
		t.Errorf("of nothing: %d used, %d free", used, free)
	}
}

func TestReason(t *testing.T) {
	for want, err := range map[string]error{
		"disk_full": syscall.ENOSPC, "read_only": syscall.EROFS, "permission": syscall.EACCES, "missing": syscall.ENOENT,
		"io": syscall.EIO, "damaged": ErrDamaged, "other_version": ErrSchema, "other_configuration": ErrOtherKey,
	} {
		if got := Reason(fmt.Errorf("write: %w", err)); got != want {
			t.Errorf("%v is %s, want %s", err, got, want)
		}
	}
}

func TestHold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	l, err := Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := l.Hold(); again || err != nil {
		t.Errorf("nothing happened: %v, %v", again, err)
	}
	if err := errors.Join(l.Announce([]string{"127.0.0.1:1"}), os.RemoveAll(dir)); err != nil {
		t.Fatal(err)
	}
	if again, err := l.Hold(); !again || err != nil {
		t.Fatalf("the directory was removed: %v, %v", again, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, said, _ := hold(t, dir); !strings.Contains(said, "in use") {
		t.Errorf("a second process: %s", said)
	}
	if o, err := Find(dir); err != nil || len(o.Addresses) != 1 {
		t.Errorf("found %+v, %v", o, err)
	}
	// Another process was faster.
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, said, _ := hold(t, dir); said != "held\n" {
		t.Fatal(said)
	}
	if _, err := l.Hold(); !errors.Is(err, ErrLocked) {
		t.Errorf("with two: %v", err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
}
