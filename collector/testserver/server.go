//go:build unix

// Package testserver starts real Prometheus and Alertmanager processes for
// tests, on free ports of the loopback interface and in temporary directories.
// A server ends with its test.
//
// Binaries are found by environment variable or on the PATH. Where one is
// absent the test is skipped, or fails when UPID_REQUIRE_SERVERS=1 is set, as
// it is in continuous integration: there a skipped test would be a gap nobody
// sees.
package testserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	readyTimeout = 60 * time.Second // a back-filled server replays its blocks first
	stopTimeout  = 30 * time.Second
)

// Server is one running process. Its methods are for the goroutine of the test
// and fail the test when they cannot do what they say.
type Server struct {
	URL  string // without a trailing slash
	Addr string // host:port of URL
	Dir  string // data directory, removed after the test

	tb     testing.TB
	name   string
	binary string
	args   []string
	log    *logBuffer
	proc   *process
}

// process is one incarnation of a Server.
type process struct {
	pid    int
	exited chan struct{} // closed once err is set
	err    error
}

// run prepares a server, starts it and waits until it is ready.
func run(tb testing.TB, s *Server) *Server {
	tb.Helper()
	s.tb, s.log = tb, &logBuffer{}
	tb.Cleanup(func() {
		s.end(syscall.SIGKILL)
		if tb.Failed() {
			tb.Logf("log of %s (%s):\n%s", s.name, s.URL, s.log)
		}
	})
	s.Start()
	return s
}

// Start starts a stopped server again, on the same port and data, and waits
// until it is ready.
func (s *Server) Start() {
	s.tb.Helper()
	if s.Running() {
		s.tb.Fatalf("start %s: it is running", s.name)
	}
	if err := s.spawn(); err != nil {
		s.tb.Fatalf("start %s: %v", s.name, err)
	}
	s.waitReady()
}

// Stop ends the server in good order and waits until it has gone. It does
// nothing if the server is not running.
func (s *Server) Stop() {
	s.tb.Helper()
	s.end(syscall.SIGTERM)
}

// Kill ends the server at once, as a crash would, and waits until it has gone.
// It does nothing if the server is not running.
func (s *Server) Kill() {
	s.tb.Helper()
	s.end(syscall.SIGKILL)
}

// Pause stops the server from running without closing its connections: it
// still accepts requests and never answers. Resume ends that.
func (s *Server) Pause() {
	s.tb.Helper()
	s.signal(syscall.SIGSTOP)
	// The signal takes effect a moment after it was sent.
	client := newClient()
	for s.Running() {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		err := ready(ctx, client, s.URL+"/-/ready")
		cancel()
		if err != nil {
			return
		}
	}
}

// Resume lets a paused server run again.
func (s *Server) Resume() { s.tb.Helper(); s.signal(syscall.SIGCONT) }

// Running reports whether the process is alive.
func (s *Server) Running() bool {
	if s.proc == nil {
		return false
	}
	select {
	case <-s.proc.exited:
		return false
	default:
		return true
	}
}

// Log returns what the server has written so far, over all its incarnations.
func (s *Server) Log() string { return s.log.String() }

// spawn starts the process and a goroutine that waits for it.
func (s *Server) spawn() error {
	p := &process{exited: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The parent-death signal is tied to the thread that started the child,
		// so this goroutine keeps its thread as long as the child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.exited)
		cmd := exec.Command(s.binary, s.args...)
		cmd.Stdout, cmd.Stderr = s.log, s.log
		cmd.SysProcAttr = procAttr()
		if err := cmd.Start(); err != nil {
			p.err = err
			started <- err
			return
		}
		p.pid = cmd.Process.Pid
		started <- nil
		p.err = cmd.Wait()
	}()
	if err := <-started; err != nil {
		return err
	}
	s.proc = p
	return nil
}

// end signals the process group and waits; a server that ignores the signal is
// killed and fails the test.
func (s *Server) end(sig syscall.Signal) {
	s.tb.Helper()
	if !s.Running() {
		return
	}
	s.signal(sig)
	select {
	case <-s.proc.exited:
		return
	case <-time.After(stopTimeout):
	}
	s.signal(syscall.SIGKILL)
	<-s.proc.exited
	s.tb.Errorf("%s did not end within %s of %s", s.name, stopTimeout, sig)
}

func (s *Server) signal(sig syscall.Signal) {
	s.tb.Helper()
	if !s.Running() {
		s.tb.Errorf("signal %s to %s: not running", sig, s.name)
		return
	}
	// Negative: the whole group. It may have gone in the meantime.
	if err := syscall.Kill(-s.proc.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		s.tb.Errorf("signal %s to %s: %v", sig, s.name, err)
	}
}

// waitReady polls /-/ready until it answers 200.
func (s *Server) waitReady() {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	client := newClient()
	for {
		err := ready(ctx, client, s.URL+"/-/ready")
		if err == nil {
			return
		}
		select {
		case <-s.proc.exited:
			s.tb.Fatalf("%s ended while starting: %v\n%s", s.name, s.proc.err, s.log)
		case <-ctx.Done():
			s.tb.Fatalf("%s is not ready after %s: %v", s.name, readyTimeout, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// newClient returns a client with connections of its own: an idle one left in a
// shared pool would look like a goroutine leak to the caller.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

func ready(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	return nil
}

// find returns the path of a binary: the file named by the environment variable
// env, else the first of names on the PATH. Without one it skips or fails the
// test.
func find(tb testing.TB, env, hint string, names ...string) string {
	tb.Helper()
	if path := os.Getenv(env); path != "" {
		if _, err := exec.LookPath(path); err != nil {
			tb.Fatalf("%s: %v", env, err)
		}
		return path
	}
	for _, n := range names {
		if path, err := exec.LookPath(n); err == nil {
			return path
		}
	}
	msg := fmt.Sprintf("no %s found: %s, or set %s to the binary", strings.Join(names, " or "), hint, env)
	if os.Getenv("UPID_REQUIRE_SERVERS") == "1" {
		tb.Fatal(msg)
	}
	tb.Skip(msg)
	return ""
}

// freeAddr returns a loopback address on which nothing listens. Another process
// may take it before the server does; the server then ends and the test says so.
func freeAddr(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("find a free port: %v", err)
	}
	defer l.Close()
	return l.Addr().String()
}

// writeFile writes a file of a server's directory.
func writeFile(tb testing.TB, path, content string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// logBuffer collects a process's output.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
