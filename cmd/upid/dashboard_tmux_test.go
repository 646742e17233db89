//go:build unix

package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tmux is a real terminal: a server of its own, with one shell in it.
type tmux struct {
	t      *testing.T
	socket string
}

// newTmux starts a shell in a terminal of that size. The test is skipped where
// there is no tmux; tools/test.sh installs it if it can.
func newTmux(t *testing.T, width, height int) *tmux {
	t.Helper()
	if testing.Short() {
		t.Skip("a real terminal takes seconds")
	}
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not installed: the dashboard is not seen in a real terminal")
	}
	x := &tmux{t, filepath.Join(t.TempDir(), "tmux")}
	x.run("-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(width), "-y", fmt.Sprint(height), "env PS1='ready> ' LC_ALL=C.UTF-8 sh")
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", x.socket, "kill-server").Run() })
	x.see("the prompt", "ready>")
	return x
}

func (x *tmux) run(args ...string) string {
	x.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-S", x.socket}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TERM=xterm-256color")
	out, err := cmd.CombinedOutput()
	if err != nil {
		x.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (x *tmux) typed(keys ...string) { x.t.Helper(); x.run(append([]string{"send-keys"}, keys...)...) }

// screen returns what is on it.
func (x *tmux) screen() string { x.t.Helper(); return x.run("capture-pane", "-p") }

// state returns whether the cursor shows and a program has its own screen.
func (x *tmux) state() string {
	x.t.Helper()
	return strings.TrimSpace(x.run("display-message", "-p", "cursor #{cursor_flag} own screen #{alternate_on} wrap #{wrap_flag}"))
}

// see waits until all texts are on the screen, and returns it.
func (x *tmux) see(what string, texts ...string) string {
	x.t.Helper()
	var s string
	eventually(x.t, 20*time.Second, what, func() error {
		s = x.screen()
		for _, text := range texts {
			if !strings.Contains(s, text) {
				return fmt.Errorf("no %q in\n%s", text, s)
			}
		}
		return nil
	})
	return s
}

// whole checks that every line begins at the left and none is wider than the
// terminal.
func whole(t *testing.T, screen string, width int) {
	t.Helper()
	for l := range strings.Lines(screen) {
		if n := len([]rune(strings.TrimRight(l, "\n"))); n > width {
			t.Errorf("%d columns in %q", n, l)
		}
		if strings.HasPrefix(l, " ") && strings.TrimSpace(l) != "" {
			t.Errorf("a line that does not begin at the left: %q in\n%s", l, screen)
		}
	}
}

const (
	shown    = "cursor 0 own screen 1 wrap 0"
	restored = "cursor 1 own screen 0 wrap 1"
)

// TestDashboardInTerminal starts the program in a real terminal, resizes it,
// takes its sidecar away and gives it back, and quits.
func TestDashboardInTerminal(t *testing.T) {
	x := newTmux(t, 80, 24)
	f := newFakeSidecar(t)
	bin := upidBinary(t)
	x.typed(bin+" dashboard --refresh-interval 1 --address "+f.URL, "Enter")
	s := x.see("the dashboard", "upid 1.2.3", "5 SIGNALS", "ANOMALIES", "● critical", "PREDICTIONS", "q quits")
	whole(t, s, 80)
	if got := x.state(); got != shown {
		t.Errorf("while it runs: %s, want %s", got, shown)
	}
	t.Logf("80x24\n%s", x.run("capture-pane", "-p", "-e"))

	x.run("resize-window", "-x", "160", "-y", "50")
	s = x.see("the wider picture", "pod=checkout-6d5f7c9b8-abcde", "EXPECTED", "BUDGET")
	whole(t, s, 160)
	if strings.Contains(s, "ready>") {
		t.Errorf("the shell shows through:\n%s", s)
	}
	t.Logf("160x50\n%s", x.run("capture-pane", "-p", "-e"))
	x.run("resize-window", "-x", "40", "-y", "10")
	s = x.see("the small picture", "5 SIGNALS")
	whole(t, s, 40)
	x.run("resize-window", "-x", "100", "-y", "30")

	f.CloseClientConnections()
	f.Listener.Close()
	x.see("the loss", "sidecar not reachable since")
	time.Sleep(2500 * time.Millisecond) // it keeps trying, and keeps what it knew
	x.see("what was known", "sidecar not reachable since", "checkout_cpu")
	l, err := net.Listen("tcp", f.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	again := &httptest.Server{Listener: l, Config: &http.Server{Handler: f.Config.Handler}}
	again.Start()
	defer again.Close()
	eventually(t, 10*time.Second, "it is back", func() error {
		if s := x.screen(); strings.Contains(s, "not reachable") {
			return fmt.Errorf("still lost:\n%s", s)
		}
		return nil
	})

	x.typed("q")
	x.see("the prompt", "ready>")
	eventually(t, 5*time.Second, "restored", func() error {
		if got := x.state(); got != restored {
			return fmt.Errorf("%s, want %s", got, restored)
		}
		return nil
	})
	x.typed("echo status $?; stty -a | grep -o ' echo '", "Enter") // the shell echoes again
	x.see("the exit code", "status 0")
	if s := x.screen(); strings.Contains(s, "SIGNALS") || strings.Count(s, "status") < 2 {
		t.Errorf("after q:\n%s", s)
	}
}

// TestDashboardEnds by Ctrl-C and by SIGTERM with everything restored.
func TestDashboardEnds(t *testing.T) {
	x := newTmux(t, 80, 24)
	f := newFakeSidecar(t)
	bin := upidBinary(t)
	pidFile := filepath.Join(t.TempDir(), "pid")
	for _, end := range []func(){
		func() { x.typed("C-c") },
		func() {
			b, err := os.ReadFile(pidFile)
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
			if err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		},
	} {
		x.typed("sh -c 'echo $$ >"+pidFile+"; exec "+bin+" dashboard --refresh-interval 1 --address "+f.URL+"'", "Enter")
		x.see("the dashboard", "upid 1.2.3", "PREDICTIONS")
		end()
		eventually(t, 10*time.Second, "restored", func() error {
			if got := x.state(); got != restored {
				return fmt.Errorf("%s, want %s", got, restored)
			}
			return nil
		})
		x.typed("clear", "Enter")
		x.see("the prompt", "ready>")
	}
}

// TestDashboardWithoutColour: NO_COLOR is live but plain, and a terminal that
// knows no cursor gets the picture once.
func TestDashboardWithoutColour(t *testing.T) {
	x := newTmux(t, 80, 24)
	f := newFakeSidecar(t)
	bin := upidBinary(t)
	x.typed("NO_COLOR=1 "+bin+" dashboard --refresh-interval 1 --address "+f.URL, "Enter")
	x.see("the dashboard", "upid 1.2.3", "PREDICTIONS")
	if s := x.run("capture-pane", "-p", "-e"); strings.Contains(s, "\x1b[") {
		t.Errorf("colours in %q", s)
	}
	x.typed("q")
	x.see("the prompt", "ready>")

	x.run("resize-window", "-x", "80", "-y", "60")
	x.typed("clear; TERM=dumb "+bin+" dashboard --address "+f.URL+"; echo status $?", "Enter")
	s := x.see("the picture and the prompt", "5 SIGNALS", "team=shop", "status 0")
	if got := x.state(); got != restored {
		t.Errorf("%s, want %s", got, restored)
	}
	if strings.Contains(s, "q quits") {
		t.Errorf("there is nothing to quit:\n%s", s)
	}
}
