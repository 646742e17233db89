package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

//go:embed augurs.mjs
var augursScript []byte

//go:embed forecast.R
var mstlScript []byte

//go:embed prophet.R
var prophetScript []byte

// peer is another forecaster: a script that reads tasks and prints forecasts.
type peer struct {
	name    string
	script  []byte
	suffix  string
	command func(script, level string) []string
	input   func(w io.Writer, t task) error
	every   int // tasks left out between two, because of its time
}

// peers runs the others on the same tasks and shows their figures. One that is not
// installed is named and left out. node_modules with @bsull/augurs is looked for in .tools/peers.
func peers(ctx context.Context, w io.Writer, servers, m4 []task) error {
	all := []peer{
		{"augurs MSTL+ETS", augursScript, ".mjs", func(s, l string) []string { return []string{"node", s, ".tools/peers", l} }, jsonTask, 1},
		{"R forecast stlf", mstlScript, ".R", func(s, l string) []string { return []string{"Rscript", s, l} }, lineTask, 1},
		{"R prophet", prophetScript, ".R", func(s, l string) []string { return []string{"Rscript", s, l} }, lineTask, 10},
	}
	fmt.Fprintf(w, "\n%-46s\n", "others, on the same tasks")
	for _, p := range all {
		for _, set := range []struct {
			what  string
			tasks []task
			level float64
		}{{"servers", servers, 0.9}, {"M4 hourly", m4, 0.95}} {
			line, err := p.run(ctx, set.tasks, set.level)
			if err != nil {
				line = "not run: " + err.Error()
			}
			fmt.Fprintf(w, "%-18s %-10s %s\n", p.name, set.what, line)
		}
	}
	return nil
}

func (p peer) run(ctx context.Context, tasks []task, level float64) (string, error) {
	var some []task
	var input bytes.Buffer
	for i, t := range tasks {
		if i%p.every != 0 {
			continue
		}
		t.y = filled(t.y)
		some = append(some, t)
		if err := p.input(&input, t); err != nil {
			return "", err
		}
	}
	script, err := os.CreateTemp("", "peer*"+p.suffix)
	if err != nil {
		return "", err
	}
	defer os.Remove(script.Name()) //nolint:errcheck // a temporary file
	if _, err := script.Write(p.script); err != nil {
		return "", err
	}
	if err := script.Close(); err != nil {
		return "", err
	}
	args := p.command(script.Name(), strconv.FormatFloat(level, 'g', -1, 64))
	if _, err := exec.LookPath(args[0]); err != nil {
		return "", fmt.Errorf("%s is not installed", args[0])
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &input, &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", args[0], err, lastLine(errs.String()))
	}
	got, err := readOutput(&out)
	if err != nil {
		return "", err
	}
	var scores []scored
	for _, t := range some {
		f := got[t.id]
		if len(f.point) != len(t.future) {
			return "", fmt.Errorf("task %s has %d values, want %d", t.id, len(f.point), len(t.future))
		}
		scores = append(scores, score(t, f, level))
	}
	s := summarize(scores)
	var cpu float64
	if _, err := fmt.Sscanf(lastLine(errs.String()), "cpu %f", &cpu); err != nil {
		return "", fmt.Errorf("no CPU time in the peer's last line: %w", err)
	}
	return fmt.Sprintf("n %d  rel168 %.4f  OWA %.4f  sMAPE %.3f  MASE %.4f  median %.4f  coverage at %g %.3f  MSIS %.2f  CPU %.1f ms",
		s.n, s.rel, s.owa, s.smape, s.mase, s.median, level, s.coverage, s.msis, 1e3*cpu/float64(s.n)), nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

func jsonTask(w io.Writer, t task) error {
	return json.NewEncoder(w).Encode(map[string]any{"id": t.id, "start": t.start, "step": t.step, "horizon": len(t.future), "y": t.y})
}

func lineTask(w io.Writer, t task) error {
	b := fmt.Appendf(nil, "%s,%d,%d,%d", t.id, t.start, t.step, len(t.future))
	for _, v := range t.y {
		b = strconv.AppendFloat(append(b, ','), v, 'g', -1, 64)
	}
	_, err := w.Write(append(b, '\n'))
	return err
}
