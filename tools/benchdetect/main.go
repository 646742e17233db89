// Command benchdetect runs a built upid on labelled series, real ones and those of
// simulated clusters, scores what it prints, and shows every figure beside its goal
// and those of other detectors run on the same series. It exits with 1 if a goal is
// missed. -write only writes the simulated clusters.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

type options struct {
	binary, data    string
	python, scorer  string
	write           string
	seed, judge     uint64
	peers, budgets  bool
	clusters, reals bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var o options
	flag.StringVar(&o.binary, "binary", "./upid", "program to measure")
	flag.StringVar(&o.data, "data", "../shared/data/anomaly", "directory of the labelled corpora")
	flag.StringVar(&o.python, "python", "python3", "Python with numpy and pandas, for a second opinion")
	flag.StringVar(&o.scorer, "scorer", "../shared/score/detect_score.py", "independent scorer")
	flag.StringVar(&o.write, "write", "", "write the simulated clusters of -seed into this directory and stop")
	flag.Uint64Var(&o.seed, "seed", 1, "of the open simulated cluster")
	flag.Uint64Var(&o.judge, "judge", 20261128, "of the simulated cluster that judges")
	flag.BoolVar(&o.peers, "peers", true, "run other detectors on the same series")
	flag.BoolVar(&o.budgets, "budgets", true, "replay everything at three budgets")
	flag.BoolVar(&o.clusters, "clusters", true, "measure on simulated clusters")
	flag.BoolVar(&o.reals, "real", true, "measure on real series")
	flag.Parse()
	missed, err := run(ctx, o, os.Stdout)
	stop()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "benchdetect:", err)
		os.Exit(2)
	case missed > 0:
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, w io.Writer) (missed int, err error) {
	if o.write != "" {
		return 0, writeClusters(o.write, o.seed)
	}
	temp, err := os.MkdirTemp("", "benchdetect")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(temp) //nolint:errcheck // a temporary directory
	t := &table{w: w}
	var all []*outcome
	if o.reals {
		reals, err := realSeries(ctx, t, o, filepath.Join(temp, "real"))
		if err != nil {
			return 0, err
		}
		all = append(all, reals...)
	}
	if o.clusters {
		for _, c := range []struct {
			title string
			seed  uint64
		}{{"open", o.seed}, {"judging", o.judge}} {
			some, err := simulated(ctx, t, o, filepath.Join(temp, c.title), c.title, c.seed)
			if err != nil {
				return 0, err
			}
			all = append(all, some...)
		}
	}
	if o.budgets && len(all) > 0 {
		if err := budgetRows(ctx, t, o, all); err != nil {
			return 0, err
		}
	}
	var cpu time.Duration
	points := 0
	for _, r := range all {
		cpu, points = cpu+r.cpu, points+r.points
	}
	if points > 0 {
		if err := costRows(t, cpu, points); err != nil {
			return 0, err
		}
	}
	return t.missed, nil
}

func writeClusters(dir string, seed uint64) error {
	for _, step := range []time.Duration{time.Minute, 5 * time.Minute} {
		if err := writeCluster(filepath.Join(dir, fmt.Sprintf("cluster%dm", int(step.Minutes()))), clusterOptions(seed, step)); err != nil {
			return err
		}
	}
	return nil
}

func measureAll(ctx context.Context, o options, dir, outputs string, ranked bool) ([]*outcome, error) {
	corpora, err := readCorpora(dir, "")
	if err != nil {
		return nil, err
	}
	var all []*outcome
	for _, c := range corpora {
		r, err := measure(ctx, o, c, o.peers, ranked, "", outputs)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func realSeries(ctx context.Context, t *table, o options, outputs string) ([]*outcome, error) {
	all, err := measureAll(ctx, o, o.data, outputs, true)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		fmt.Fprintf(t.w, "no labelled series in %s: real series are left out; -data names another directory\n", o.data)
		return nil, nil
	}
	realRows(t, all)
	for _, r := range all {
		switch r.corpus.name {
		case "inject":
			kindRows(t, r)
		case "nab":
			nabRows(t, r)
		}
	}
	if o.peers {
		peerTable(t.w, "real series", all)
	}
	return all, secondOpinion(ctx, t.w, o, o.data, outputs, true, all)
}

func simulated(ctx context.Context, t *table, o options, dir, title string, seed uint64) ([]*outcome, error) {
	data, outputs := filepath.Join(dir, "data"), filepath.Join(dir, "out")
	if err := writeClusters(data, seed); err != nil {
		return nil, err
	}
	all, err := measureAll(ctx, o, data, outputs, false)
	if err != nil {
		return nil, err
	}
	clusterRows(t, fmt.Sprintf("simulated cluster, %s (seed %d)", title, seed), all)
	if o.peers {
		peerTable(t.w, title+" cluster", all)
	}
	return all, secondOpinion(ctx, t.w, o, data, outputs, false, all)
}
