// Command benchthreat runs `upid threats` of a built upid on labelled counters, has the
// findings scored by an independent scorer, and shows every figure beside its goal
// and those of the rules people write today, computed on the same counters in the same
// run and scored the same way. It exits with 1 if a goal is missed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

type options struct {
	binary, data, python, scorer string
	peers                        bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var o options
	flag.StringVar(&o.binary, "binary", "./upid", "program to measure")
	flag.StringVar(&o.data, "data", "../shared/data/threat", "directory of the labelled counters")
	flag.StringVar(&o.python, "python", "python3", "Python 3")
	flag.StringVar(&o.scorer, "scorer", "../shared/score/threat_score.py", "independent scorer")
	flag.BoolVar(&o.peers, "peers", true, "run the usual rules on the same counters")
	flag.Parse()
	missed, err := run(ctx, o, os.Stdout)
	stop()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "benchthreat:", err)
		os.Exit(2)
	case missed > 0:
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, w io.Writer) (missed int, err error) {
	temp, err := os.MkdirTemp("", "benchthreat")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(temp) //nolint:errcheck // a temporary directory
	fmt.Fprintf(w, "%-17s %-30s %9s %9s %9s  %s\n", "data", "rule", "found", "false/w", "delay", "goals")
	for _, s := range sets {
		files, err := filepath.Glob(filepath.Join(o.data, s.files))
		if err != nil {
			return missed, err
		}
		if len(files) == 0 {
			fmt.Fprintf(w, "%-17s not in %s: left out\n", s.name, o.data)
			continue
		}
		in, err := load(files, s)
		if err != nil {
			return missed, err
		}
		findings := filepath.Join(temp, s.name+".csv")
		began := time.Now()
		if err := threats(ctx, o, s, files, findings); err != nil {
			return missed, err
		}
		took := time.Since(began)
		got, err := score(ctx, o, s, in, findings)
		if err != nil {
			return missed, err
		}
		n, text := judge(s, got)
		missed += n
		fmt.Fprintf(w, "%-17s %-30s %9s %9.3f %9s  %s (%.1f s)\n", s.name, s.title(), got.found(), got.rate, got.delay, text, took.Seconds())
		if !o.peers {
			continue
		}
		for _, p := range s.rules {
			path := filepath.Join(temp, "peer.csv")
			if err := writeFindings(path, in, p.fires); err != nil {
				return missed, err
			}
			r, err := score(ctx, o, s, in, path)
			if err != nil {
				return missed, err
			}
			fmt.Fprintf(w, "%-17s %-30s %9s %9.3f %9s\n", "", p.name, r.found(), r.rate, r.delay)
		}
	}
	return missed, nil
}

// threats runs the program to measure, on default settings but for a set that asks for
// another budget.
func threats(ctx context.Context, o options, s set, files []string, findings string) error {
	out, err := os.Create(findings)
	if err != nil {
		return err
	}
	args := []string{"threats", "-o", "csv"}
	if s.budget != "" {
		args = append(args, "--budget", s.budget)
	}
	for _, f := range files {
		args = append(args, "--input", f)
	}
	cmd := exec.CommandContext(ctx, o.binary, args...)
	cmd.Stdout = out
	text, err := cmd.StderrPipe()
	if err != nil {
		return errors.Join(err, out.Close())
	}
	if err := cmd.Start(); err != nil {
		return errors.Join(err, out.Close())
	}
	said, _ := io.ReadAll(text)
	if err := cmd.Wait(); err != nil {
		return errors.Join(fmt.Errorf("%s: %w: %s", o.binary, err, said), out.Close())
	}
	return out.Close()
}

// scored is what the scorer said.
type scored struct {
	hit, of int
	rate    float64 // false alerts an entity and week
	wrong   int     // false alerts
	weeks   float64 // entity-weeks that were scored
	probes  float64 // of them, those on attacks too small to be labelled as one
	setup   int     // alerts that opened while the attackers only set up
	delay   string  // seconds, median
}

func (s scored) found() string { return fmt.Sprintf("%d/%d", s.hit, s.of) }

var scoreLine = regexp.MustCompile(`recall (\d+)/(\d+)  false_per_entity_week (-?[\d.]+) \((\d+), of which on probes (\d+)\) .*median_delay_s (\S+)`)

func score(ctx context.Context, o options, s set, in *input, findings string) (scored, error) {
	labels := filepath.Join(o.data, s.labels)
	if s.only != nil {
		var err error
		if labels, err = filterLabels(labels, findings+".labels", s.only); err != nil {
			return scored{}, err
		}
	}
	args := []string{
		o.scorer, findings, labels, "--entities", strconv.Itoa(len(in.entities)),
		"--from", strconv.FormatInt(in.first+s.learn, 10), "--to", strconv.FormatInt(in.last, 10),
	}
	out, err := exec.CommandContext(ctx, o.python, append(args, s.flags...)...).Output()
	if err != nil {
		return scored{}, fmt.Errorf("%s: %w", o.scorer, err)
	}
	m := scoreLine.FindStringSubmatch(string(out))
	if m == nil {
		return scored{}, fmt.Errorf("%s said %q", o.scorer, out)
	}
	var r scored
	var errs [3]error
	if s.setup > 0 {
		var err error
		if r.setup, err = setupAlerts(findings, filepath.Join(o.data, s.labels), s.step); err != nil {
			return scored{}, err
		}
	}
	r.hit, errs[0] = strconv.Atoi(m[1])
	r.of, errs[1] = strconv.Atoi(m[2])
	r.rate, errs[2] = strconv.ParseFloat(m[3], 64)
	r.delay = m[6]
	all, err1 := strconv.Atoi(m[4])
	on, err2 := strconv.Atoi(m[5])
	r.wrong, r.weeks = all, float64(len(in.entities))*float64(in.last-in.first-s.learn)/(7*day)
	if all > 0 {
		r.probes = r.rate * float64(on) / float64(all)
	}
	return r, errors.Join(append(errs[:], err1, err2)...)
}

// judge compares a result with the goals of its data.
func judge(s set, r scored) (missed int, text string) {
	check := func(ok bool, what string) {
		if !ok {
			missed++
			what += " MISSED"
		} else {
			what += " ok"
		}
		if text != "" {
			text += ", "
		}
		text += what
	}
	// Realised over configured; what is counted as false may be an attack too small to be labelled,
	// which is said.
	budget := 0.1
	if v, err := strconv.ParseFloat(s.budget, 64); err == nil {
		budget = v
	}
	check(float64(r.hit) >= s.recall*float64(r.of)-1e-9, fmt.Sprintf("≥ %.1f %%", 100*s.recall))
	if s.rate > 0 {
		check(r.rate <= s.rate+0.005, fmt.Sprintf("≤ %.2f", s.rate)) // as the scorer rounds
	}
	if s.delay > 0 {
		d, err := strconv.ParseFloat(r.delay, 64)
		check(err == nil && d <= s.delay, fmt.Sprintf("≤ %.0f s", s.delay))
	}
	if s.setup > 0 {
		check(r.setup <= s.setup, fmt.Sprintf("≤ %d in set-up (%d)", s.setup, r.setup))
	}
	if s.rate > 0 {
		text += fmt.Sprintf(", %.1f of the budget (%d for %.1f)", r.rate/budget, r.wrong, budget*r.weeks)
		if r.probes > 0 {
			text += fmt.Sprintf(", %.1f without attacks too small for a label", (r.rate-r.probes)/budget)
		}
		// The labels call those neither attacks nor false.
		check((r.rate-r.probes)/budget <= 2+0.05, "≤ 2 of it")
	}
	return missed, text
}

// filterLabels writes the rows of a label file that keep says yes to, and returns where.
func filterLabels(path, to string, keep func(row map[string]string) bool) (string, error) {
	header, rows, err := readCSV(path)
	if err != nil {
		return "", err
	}
	rows = slices.DeleteFunc(rows, func(r []string) bool {
		m := make(map[string]string, len(header))
		for i, h := range header {
			m[h] = r[i]
		}
		return !keep(m)
	})
	return to, writeCSV(to, append([][]string{header}, rows...))
}

// title names upid and its budget.
func (s set) title() string {
	if s.budget == "" {
		return "upid"
	}
	return "upid --budget " + s.budget
}
