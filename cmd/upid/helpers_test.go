package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/upid/upid/cmd/upid/output"
)

// outcome is what one run of the program left.
type outcome struct {
	code           int
	stdout, stderr string
}

// upid runs the program with args, split at blanks, on stdin.
func upid(t *testing.T, stdin, args string) outcome {
	t.Helper()
	return upidArgs(t, strings.NewReader(stdin), strings.Fields(args)...)
}

func upidArgs(t *testing.T, stdin io.Reader, args ...string) outcome {
	t.Helper()
	var stdout, stderr strings.Builder
	code := run(args, stdin, &stdout, &stderr)
	return outcome{code: code, stdout: stdout.String(), stderr: stderr.String()}
}

// want checks the exit code and that stderr contains every text; without one it
// must be empty.
func (o outcome) want(t *testing.T, code int, stderr ...string) {
	t.Helper()
	if o.code != code {
		t.Errorf("exit %d, want %d; stderr:\n%s", o.code, code, o.stderr)
	}
	for _, text := range stderr {
		if !strings.Contains(o.stderr, text) {
			t.Errorf("stderr lacks %q:\n%s", text, o.stderr)
		}
	}
	if len(stderr) == 0 && o.stderr != "" {
		t.Errorf("stderr:\n%s", o.stderr)
	}
}

// golden compares got with testdata/golden/name; UPDATE=1 rewrites the file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (UPDATE=1 rewrites it); got\n%s\nwant\n%s", path, got, want)
	}
}

// narrow checks that no line of a table is wider than a terminal.
func narrow(t *testing.T, table string) {
	t.Helper()
	for line := range strings.Lines(table) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > output.Width {
			t.Errorf("%d columns in %q", n, line)
		}
	}
}

// monday is a Monday, 2023-11-13T00:00:00Z.
const monday = 1699833600

// daily is wide CSV of days whole days, hourly: a day's wave of hour 0 to 23 that
// repeats exactly, and twice it.
func daily(days int) string {
	var b strings.Builder
	b.WriteString("timestamp,load,double\n")
	for i := range 24 * days {
		v := wave(i)
		fmt.Fprintf(&b, "%d,%g,%g\n", monday+3600*i, v, 2*v)
	}
	return b.String()
}

// wave is 0 at midnight and 100 at noon.
func wave(hour int) float64 {
	return math.Round(50 - 50*math.Cos(2*math.Pi*float64(hour%24)/24))
}
