package store

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain runs this binary as the process that holds a lock when it is asked to.
func TestMain(m *testing.M) {
	if dir := os.Getenv(saver); dir != "" {
		saveForEver(dir)
	}
	if dir := os.Getenv("UPID_TEST_HOLD"); dir != "" {
		l, err := Acquire(dir)
		if err != nil {
			os.Stdout.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Stdout.WriteString("held\n")
		_, _ = os.Stdin.Read(make([]byte, 1)) // until the test closes our input
		_ = l.Release()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// hold starts a process that holds dir and returns it with what it said.
func hold(t *testing.T, dir string) (cmd *exec.Cmd, said string, release func()) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "UPID_TEST_HOLD="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, _ := out.Read(buf)
	release = func() { _ = in.Close(); _ = cmd.Wait() }
	t.Cleanup(release)
	return cmd, string(buf[:n]), release
}

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if _, err := Find(dir); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("no directory: %v", err)
	}
	cmd, said, release := hold(t, dir)
	if said != "held\n" {
		t.Fatal(said)
	}
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v; want 0700", fi.Mode(), err)
	}
	owner, err := Find(dir)
	if err != nil || owner.PID != cmd.Process.Pid {
		t.Fatalf("owner %+v, %v; want pid %d", owner, err, cmd.Process.Pid)
	}
	if _, err := Acquire(dir); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "upid stop") {
		t.Errorf("second Acquire: %v", err)
	}
	release()
	if _, err := Find(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after the end: %v", err)
	}
	l, err := Acquire(dir) // the file left over is no obstacle
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
}

func TestLockIsReleasedByKill(t *testing.T) {
	dir := t.TempDir()
	cmd, _, release := hold(t, dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	release()
	if _, err := Find(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after kill -9: %v", err)
	}
}

func TestFindRefuses(t *testing.T) {
	f := func(content, want string) {
		t.Helper()
		dir := t.TempDir()
		_, said, _ := hold(t, dir)
		if said != "held\n" {
			t.Fatal(said)
		}
		if err := os.WriteFile(filepath.Join(dir, lockName), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Find(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", content, err, want)
		}
	}
	f("garbage", "does not name its process")
	sleep := exec.Command("sleep", "60")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sleep.Process.Kill(); _ = sleep.Wait() })
	f(fmt.Sprintf(`{"pid":%d,"program":"upid"}`, sleep.Process.Pid), "left alone")
	f(`{"pid":2147483647,"program":"upid"}`, "not visible from here")
}

func TestAcquireRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Acquire(file); err == nil {
		t.Error("a file was taken for a directory")
	}
	dir := t.TempDir()
	if err := os.Symlink(file, filepath.Join(dir, lockName)); err != nil {
		t.Fatal(err)
	}
	if _, err := Acquire(dir); err == nil {
		t.Error("a symbolic link was followed")
	}
	if _, err := Find(dir); err == nil || errors.Is(err, ErrNotRunning) {
		t.Errorf("a symbolic link was followed: %v", err)
	}
}

// TestAnnounce: where the process listens can be read while it holds the lock,
// also after a longer list.
func TestAnnounce(t *testing.T) {
	dir := t.TempDir()
	l, err := Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	f := func(addresses ...string) {
		t.Helper()
		if err := l.Announce(addresses); err != nil {
			t.Fatal(err)
		}
		owner, err := Find(dir)
		if err != nil || strings.Join(owner.Addresses, " ") != strings.Join(addresses, " ") || owner.PID != os.Getpid() {
			t.Errorf("%+v, %v; want %v", owner, err, addresses)
		}
	}
	f()
	f("127.0.0.1:9877", "[::]:9878")
	f("127.0.0.1:1")
	f()
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	if err := l.Announce(nil); err == nil {
		t.Error("announced in a directory that was let go")
	}
}

// TestFindIsInNobodysWay starts while a command looks for a process that is not
// there, as Find does, only slower.
func TestFindIsInNobodysWay(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, lockName))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(10*time.Millisecond, func() { f.Close() })
	l, err := Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
}

// TestAcquireWhereNoDirectoryCanBe says what to do about it.
func TestAcquireWhereNoDirectoryCanBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(file, "x")
	if _, err := Acquire(dir); err == nil || !strings.Contains(err.Error(), "data directory "+dir+" cannot be made, choose another with --storage.path") {
		t.Errorf("%v", err)
	}
}
