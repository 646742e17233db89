package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"
)

func TestCLI_help(t *testing.T) {
	for _, args := range []string{"--help", "forecast --help", "detect --help", "backtest --help", "version --help", "predictions --help", "anomalies --help", "dashboard --help", "dashboard show --help", "ml-enhancement forecast -h"} {
		t.Run(args, func(t *testing.T) {
			o := upid(t, "", args)
			o.want(t, exitOK)
			if !strings.HasPrefix(o.stdout, "Usage: upid") {
				t.Errorf("stdout:\n%s", o.stdout)
			}
			for _, flag := range []string{"--log.level=LEVEL", "--log.format=FORMAT", "--timezone=ZONE"} {
				if !strings.Contains(o.stdout, flag) {
					t.Errorf("help lacks %s", flag)
				}
			}
			narrow(t, o.stdout)
			if args != "--help" && !strings.Contains(o.stdout, "Example") {
				t.Error("help has no example")
			}
		})
	}
}

// People type these before they read the help.
func TestCLI_helpAndVersionWords(t *testing.T) {
	f := func(words, same string) {
		t.Helper()
		got, want := upid(t, "", words), upid(t, "", same)
		got.want(t, exitOK)
		if got.stdout != want.stdout {
			t.Errorf("%q prints\n%s\nand %q\n%s", words, got.stdout, same, want.stdout)
		}
	}
	f("help", "--help")
	f("help forecast", "forecast --help")
	f("ml-enhancement help detect", "detect --help")
	f("--version", "version")
}

func TestCLI_helpListsCommands(t *testing.T) {
	o := upid(t, "", "--help")
	for _, cmd := range []string{"forecast", "detect", "backtest", "version", "predictions", "anomalies", "dashboard"} {
		if !strings.Contains(o.stdout, "\n  "+cmd) {
			t.Errorf("help lacks %s:\n%s", cmd, o.stdout)
		}
	}
}

// The word that may come first is not a secret.
func TestCLI_prefix(t *testing.T) {
	want := upid(t, "", "version")
	if got := upid(t, "", "ml-enhancement version"); got != want || got.code != exitOK {
		t.Errorf("with the prefix %+v, without %+v", got, want)
	}
	if o := upid(t, "", "--help"); !strings.Contains(strings.Join(strings.Fields(o.stdout), " "), `"upid ml-enhancement COMMAND" is the same as "upid COMMAND"`) {
		t.Errorf("help does not say so:\n%s", o.stdout)
	}
	b, err := os.ReadFile("../../README.md")
	if err != nil || !strings.Contains(string(b), "upid ml-enhancement COMMAND") {
		t.Errorf("README.md does not say so: %v", err)
	}
}

func TestCLI_noCommand(t *testing.T) {
	o := upid(t, "", "")
	o.want(t, exitUsage, "Usage: upid <command>")
	if o.stdout != "" {
		t.Errorf("stdout: %s", o.stdout)
	}
}

func TestCLI_badUsage(t *testing.T) {
	f := func(args string, stderr ...string) {
		t.Helper()
		o := upid(t, "", args)
		o.want(t, exitUsage, append(stderr, "--help")...)
		if o.stdout != "" {
			t.Errorf("%s: stdout: %s", args, o.stdout)
		}
	}
	f("forcast", `did you mean "forecast"?`)
	f("status", `unexpected argument status; "upid dashboard" shows how a running sidecar is doing`)
	f("forecast --horizn 1d", `did you mean "--horizon"?`, `Run "upid forecast --help"`)
	f("forecast", "no input: give --input FILE or --query PROMQL")
	f("forecast --input a --query b", "--input and --query can't be used together")
	f("forecast --input a --horizon 5x", "--horizon", `"5x" is not a duration`)
	f("performance", "MODEL_TYPE is missing, want one of resource_prediction, ", `Run "upid performance --help"`)
	f("dashboard push", "--grafana.url is missing, such as http://localhost:3000")
	f("dashboard push --grafana.url x", "--grafana.url: want an http or https URL such as http://host:port")
	f("forecast --input a --horizon 24", `"24" has no unit: 24m, 24h or 24d?`)
	f("forecast --input a --horizon -1h", `--horizon: no value, and "-1h" is taken for a flag; write --horizon=-1h`)
	f("predictions --limit -1", `--limit: no value, and "-1" is taken for a flag`)
	f("forecast --input a --horizon 0s", "--horizon is 0s")
	f("forecast --input a --step=-1h", "--step")
	f("forecast --input a --lookback=0s", "--lookback is 0s")
	f("forecast --input a --level 1", "--level is 1, want between 0 and 1")
	f("forecast --input a --model prophet", `--model "prophet" is unknown, want one of`, "seasonal_naive")
	f("forecast --input a -o xml", "--output must be one of")
	f("forecast --input a --timezone Mars/Olympus", "--timezone", "Mars/Olympus")
	f("forecast --input a --log.level loud", "--log.level must be one of")
	f("backtest --input a --folds 0", "--folds is 0")
	f("backtest --input a --model auto --model x", `"x" is unknown`)
	f("detect --input a --budget often", `budget "often"`)
	f("detect --input a --direction left", "--direction must be one of")
	f("detect --input a --min-relative=-1", "--min-relative is -1")
	f("detect --input a --min-deviation=NaN", "--min-deviation is NaN")
	f("detect --input a --step=-1h", "--step")
	// Several mistakes are reported at once.
	f("forecast --input a --level 2 --horizon 0s --model x", "--level", "--horizon", "--model")
}

func TestVersion(t *testing.T) {
	o := upid(t, "", "version")
	o.want(t, exitOK)
	if !strings.HasPrefix(o.stdout, "upid ") || !strings.Contains(o.stdout, "go1.") {
		t.Errorf("stdout: %s", o.stdout)
	}
	o = upid(t, "", "ml-enhancement version -o json")
	o.want(t, exitOK)
	var b buildInfo
	if err := json.Unmarshal([]byte(o.stdout), &b); err != nil {
		t.Fatal(err)
	}
	if b != build() {
		t.Errorf("version -o json says %+v, want %+v", b, build())
	}
	o = upid(t, "", "version -o yaml")
	if !strings.Contains(o.stdout, "go_version: \""+b.GoVersion+"\"\n") {
		t.Errorf("yaml:\n%s", o.stdout)
	}
	o = upid(t, "", "version -o csv")
	if !strings.HasPrefix(o.stdout, "version,revision,branch,go_version,os,arch\n"+b.Version+",") {
		t.Errorf("csv:\n%s", o.stdout)
	}
}

func TestDuration(t *testing.T) {
	f := func(text string, want time.Duration) {
		t.Helper()
		var d duration
		if err := d.UnmarshalText([]byte(text)); err != nil || time.Duration(d) != want {
			t.Errorf("%q is %s, %v, want %s", text, time.Duration(d), err, want)
		}
	}
	f("7d", 7*24*time.Hour)
	f("1w", 7*24*time.Hour)
	f("1h30m", 90*time.Minute)
	f("1.5h", 90*time.Minute)
	f("250ms", 250*time.Millisecond)
	f("1d12h", 36*time.Hour)
	var d duration
	if err := d.UnmarshalText([]byte("soon")); err == nil {
		t.Error(`"soon" is a duration`)
	}
}

func TestExitCode(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	f := func(ctx context.Context, err error, code int, stderr string) {
		t.Helper()
		var b strings.Builder
		if got := exitCode(ctx, err, &b); got != code || b.String() != stderr {
			t.Errorf("exitCode(%v) = %d, %q, want %d, %q", err, got, b.String(), code, stderr)
		}
	}
	f(t.Context(), nil, exitOK, "")
	f(t.Context(), errors.New("disk full"), exitFailure, "upid: disk full\n")
	f(t.Context(), usageErrorf("bad %s", "flag"), exitUsage, "upid: bad flag\n")
	f(t.Context(), &exitError{code: exitFinding, err: nil}, exitFinding, "")
	f(cancelled, context.Canceled, exitFailure, "upid: interrupted\n")
	if got := (&exitError{code: exitFinding, err: nil}).Error(); got != "exit 3" {
		t.Errorf("an exitError without a cause says %q", got)
	}
}

func TestLogger(t *testing.T) {
	f := func(flags logFlags, want string) {
		t.Helper()
		var b strings.Builder
		log := flags.logger(&b)
		log.Debug("slot planned")
		log.Warn("slot missed", "missed", 3)
		if !strings.Contains(b.String(), want) {
			t.Errorf("%+v: %s", flags, b.String())
		}
		if debug := flags.Level == "debug"; debug != strings.Contains(b.String(), "slot planned") {
			t.Errorf("%+v: %s", flags, b.String())
		}
	}
	f(logFlags{Level: "info", Format: "logfmt"}, `level=WARN msg="slot missed" missed=3`)
	f(logFlags{Level: "debug", Format: "json"}, `"level":"WARN","msg":"slot missed","missed":3`)
	if (logFlags{Level: "error", Format: "json"}).logger(io.Discard).Enabled(t.Context(), slog.LevelWarn) {
		t.Error("level error logs warnings")
	}
}

// A file is a terminal only if it is one.
func TestTerminal(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, ok := terminal(f); ok {
		t.Error("a file is a terminal")
	}
	e := &env{stdout: f, stderr: f}
	if e.style().Colour || e.progress("work", 1) != nil {
		t.Error("colours or a bar in a file")
	}
}
