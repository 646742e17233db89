package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// corpus is a set of labelled series in a directory.
type corpus struct {
	name, dir string
	names     []string // sorted
	meta      map[string]meta
	labels    map[string][]span
	faults    map[string][]fault // what broke, of a simulated one
}

func readCorpus(name, dir string) (*corpus, error) {
	c := &corpus{name: name, dir: dir}
	if err := errors.Join(readJSON(filepath.Join(dir, "meta.json"), &c.meta), readJSON(filepath.Join(dir, "labels.json"), &c.labels)); err != nil {
		return nil, err
	}
	if err := readJSON(filepath.Join(dir, "faults.json"), &c.faults); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for n := range c.meta {
		c.names = append(c.names, n)
	}
	slices.Sort(c.names)
	return c, nil
}

// readCorpora reads every corpus in a directory of them.
func readCorpora(dir, prefix string) ([]*corpus, error) {
	found, err := filepath.Glob(filepath.Join(dir, "*", "meta.json"))
	if err != nil {
		return nil, err
	}
	var all []*corpus
	for _, f := range found {
		at := filepath.Dir(f)
		c, err := readCorpus(prefix+filepath.Base(at), at)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// outcome is what every detector made of one corpus.
type outcome struct {
	corpus *corpus
	by     map[string][]judged          // detector → in the order of corpus.names
	kinds  map[string]map[string][2]int // detector → kind → found, of
	nab    map[string]*[len(nabProfiles)]nabSum
	cpu    time.Duration // of upid
	points int
}

type nabSum struct {
	raw     float64
	windows int
}

const ours = "upid"

// measure runs upid and the peers over a corpus. Where outputs is a directory, what
// upid said is written there for another scorer.
func measure(ctx context.Context, o options, c *corpus, withPeers, ranked bool, budget, outputs string) (*outcome, error) {
	r := &outcome{corpus: c, by: map[string][]judged{}, kinds: map[string]map[string][2]int{}, nab: map[string]*[len(nabProfiles)]nabSum{}}
	detectors := []string{ours}
	if withPeers {
		for _, p := range peers {
			detectors = append(detectors, p.name)
		}
	}
	for _, d := range detectors {
		r.by[d], r.kinds[d], r.nab[d] = make([]judged, len(c.names)), map[string][2]int{}, &[len(nabProfiles)]nabSum{}
	}
	var mu sync.Mutex
	return r, parallel(ctx, len(c.names), func(i int) error {
		name := c.names[i]
		m := c.meta[name]
		file := filepath.Join(c.dir, name+".csv.gz")
		out, cpu, err := runUpid(ctx, o, file, budget)
		if err != nil {
			return err
		}
		if outputs != "" {
			if err := writeOutput(filepath.Join(outputs, c.name, name+".csv.gz"), out); err != nil {
				return err
			}
		}
		times, values, err := readSeries(file)
		if err != nil {
			return err
		}
		all := map[string]output{ours: out}
		if withPeers {
			for _, p := range peers {
				all[p.name] = watch(p.new(m.Step), p.held, times, values, m.Step)
			}
		}
		for d, out := range all {
			j := judge(out, c.labels[name], m)
			if ranked {
				j.vus, j.auc = rank(out, c.labels[name], m)
			}
			mu.Lock()
			r.by[d][i] = j
			r.count(d, name, j)
			if c.name == "nab" {
				r.addNAB(d, times, j, c.labels[name])
			}
			mu.Unlock()
		}
		mu.Lock()
		r.cpu += cpu
		r.points += len(out.times)
		mu.Unlock()
		return nil
	})
}

// count adds what was found of each kind: that of the fault, or of the whole series
// where a corpus has one kind a series.
func (r *outcome) count(detector, name string, j judged) {
	m := r.corpus.meta[name]
	kinds := r.kinds[detector]
	if r.corpus.faults == nil {
		k := kinds[m.Kind]
		kinds[m.Kind] = [2]int{k[0] + j.hits, k[1] + j.events}
		return
	}
	tol := tolerance(m.Step)
	for _, f := range r.corpus.faults[name] {
		if float64(f.End) < m.Warm {
			continue
		}
		k := kinds[f.Kind]
		k[1]++
		if slices.ContainsFunc(j.starts, func(t float64) bool { return t >= float64(f.Start)-tol && t <= float64(f.End)+tol }) {
			k[0]++
		}
		kinds[f.Kind] = k
	}
}

// addNAB scores one file as NAB does, with one detected row an alert.
func (r *outcome) addNAB(detector string, times []float64, j judged, windows []span) {
	found := make([]bool, len(times))
	for _, s := range j.starts {
		if i, ok := slices.BinarySearch(times, s); ok || i < len(times) {
			found[i] = true
		}
	}
	for k, p := range nabProfiles {
		raw, n := nabRaw(times, found, windows, p)
		r.nab[detector][k].raw += raw
		r.nab[detector][k].windows += n
	}
}

// parallel calls f for 0 … n−1 on every core.
func parallel(ctx context.Context, n int, f func(i int) error) error {
	work := make(chan int)
	errs := make(chan error, runtime.GOMAXPROCS(0))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	for range cap(errs) {
		wg.Go(func() {
			for i := range work {
				if err := f(i); err != nil {
					errs <- err
					stop()
					return
				}
			}
		})
	}
	for i := range n {
		select {
		case work <- i:
		case <-ctx.Done():
		}
	}
	close(work)
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return ctx.Err()
	}
}

// runUpid scores one file on one core.
func runUpid(ctx context.Context, o options, file, budget string) (output, time.Duration, error) {
	args := []string{"detect", "--input", file, "-o", "csv"}
	if budget != "" {
		args = append(args, "--budget", budget)
	}
	cmd := exec.CommandContext(ctx, o.binary, args...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if ctx.Err() == nil && strings.Contains(errs.String(), "not scored") {
			return output{}, 0, fmt.Errorf("%s: %s", file, lastLine(errs.String()))
		}
		return output{}, 0, errors.Join(fmt.Errorf("%s: %w", cmd, err), errors.New(errs.String()))
	}
	got, err := readRows(&out)
	if err != nil {
		return output{}, 0, fmt.Errorf("%s: %w", file, err)
	}
	return got, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// readRows reads the CSV of upid detect. The files here have one series, whose name
// has no comma.
func readRows(r io.Reader) (output, error) {
	var o output
	sc := bufio.NewScanner(r)
	if !sc.Scan() {
		return o, errors.New("no output")
	}
	head := strings.Split(sc.Text(), ",")
	at, score, flag := slices.Index(head, "timestamp"), slices.Index(head, "score"), slices.Index(head, "is_anomaly")
	if min(at, score, flag) < 0 {
		return o, fmt.Errorf("columns %q", sc.Text())
	}
	for sc.Scan() {
		row := strings.Split(sc.Text(), ",")
		if len(row) != len(head) {
			return o, fmt.Errorf("row %q", sc.Text())
		}
		t, err := strconv.ParseFloat(row[at], 64)
		if err != nil {
			return o, fmt.Errorf("timestamp %q", row[at])
		}
		v := math.NaN()
		if row[score] != "" {
			if v, err = strconv.ParseFloat(row[score], 64); err != nil {
				return o, fmt.Errorf("score %q", row[score])
			}
		}
		o.times, o.score, o.flag = append(o.times, t), append(o.score, v), append(o.flag, row[flag] == "1")
	}
	if len(o.times) == 0 {
		return o, errors.New("no rows")
	}
	return o, sc.Err()
}

// writeOutput writes what detect_score.py reads.
func writeOutput(path string, o output) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	z, err := gzip.NewWriterLevel(file, gzip.BestSpeed)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(z)
	fmt.Fprintln(w, "timestamp,score,is_anomaly")
	var row []byte
	for i, t := range o.times {
		row = strconv.AppendFloat(row[:0], t, 'f', -1, 64)
		row = append(row, ',')
		if !math.IsNaN(o.score[i]) {
			row = strconv.AppendFloat(row, o.score[i], 'g', -1, 64)
		}
		if o.flag[i] {
			row = append(row, ",1\n"...)
		} else {
			row = append(row, ",0\n"...)
		}
		if _, err := w.Write(row); err != nil {
			return err
		}
	}
	return errors.Join(w.Flush(), z.Close())
}
