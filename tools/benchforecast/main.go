// Command benchforecast runs a built upid on files of real series whose future is
// known, scores what it prints, and shows every figure beside its goal and the best
// figure of others. It exits with 1 if a goal is missed.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"time"

	"github.com/upid/upid/forecast/accuracy"
)

type options struct {
	binary, data, model string
	peers, fine         bool
	verbose             bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var o options
	flag.StringVar(&o.binary, "binary", "./upid", "program to measure")
	flag.StringVar(&o.data, "data", "../shared/data/forecast", "directory of the task files")
	flag.StringVar(&o.model, "model", "auto", "model to measure")
	flag.BoolVar(&o.peers, "peers", false, "run other forecasters on the same tasks, where installed")
	flag.BoolVar(&o.fine, "fine", true, "measure 5-minute series too")
	flag.BoolVar(&o.verbose, "v", false, "show coverage by kind at every level")
	flag.Parse()
	missed, err := run(ctx, o, os.Stdout)
	stop()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "benchforecast:", err)
		os.Exit(2)
	case missed > 0:
		os.Exit(1)
	}
}

// measured is a set of tasks with its scores at one level.
type measured struct {
	tasks  []task
	scores map[float64][]scored
	cpu    time.Duration // a series at level 0.9, reading and writing included
}

func run(ctx context.Context, o options, w io.Writer) (missed int, err error) {
	m4, err := measure(ctx, o, "tasks_m4h.csv.gz", "48h")
	if err != nil {
		return 0, err
	}
	servers, err := measure(ctx, o, "tasks_server7d.csv.gz", "168h")
	if err != nil {
		return 0, err
	}
	t := &table{w: w}
	m4Rows(t, m4)
	serverRows(t, servers)
	t.row("CPU of the whole command, M4, 48 steps", m4.cpu.Seconds()*1e3, 2.0, atMost, "ms", "augurs 22")
	t.row("CPU of the whole command, 168 steps", servers.cpu.Seconds()*1e3, 2.0, atMost, "ms", "augurs 14, R mstl 37, Prophet 81 to 690")
	if o.fine {
		if err := fineRows(ctx, t, o); err != nil {
			return 0, err
		}
	}
	t.kinds("servers", servers, 0.9)
	if o.verbose {
		t.coverage(servers)
		t.coverage(m4)
	}
	if o.peers {
		if err := peers(ctx, w, servers.tasks, m4.tasks); err != nil {
			return 0, err
		}
	}
	fmt.Fprintln(w, "\nThe weights of auto were learned on series of these sets; docs/forecasting.md has the figures of weights learned from the other half.")
	return t.missed, nil
}

var levels = []float64{0.8, 0.9, 0.95}

func measure(ctx context.Context, o options, file, horizon string) (measured, error) {
	tasks, err := readTasks(filepath.Join(o.data, file))
	if err != nil {
		return measured{}, err
	}
	m := measured{tasks: tasks, scores: map[float64][]scored{}}
	var input bytes.Buffer
	if err := writeInput(&input, tasks); err != nil {
		return m, err
	}
	for _, level := range levels {
		got, cpu, err := upid(ctx, o, input.Bytes(), horizon, "1h", level)
		if err != nil {
			return m, err
		}
		if level == 0.9 {
			m.cpu = cpu / time.Duration(len(tasks))
		}
		for _, t := range tasks {
			f, ok := got[t.id]
			if !ok || len(f.point) != len(t.future) {
				return m, fmt.Errorf("%s: task %s has %d values, want %d", file, t.id, len(f.point), len(t.future))
			}
			m.scores[level] = append(m.scores[level], score(t, f, level))
		}
	}
	return m, nil
}

// upid runs the program on one core and returns what it printed and its CPU time.
func upid(ctx context.Context, o options, input []byte, horizon, step string, level float64) (map[string]forecast, time.Duration, error) {
	cmd := exec.CommandContext(ctx, o.binary, "forecast", "--input", "-", "--horizon", horizon, "--step", step,
		"--level", strconv.FormatFloat(level, 'g', -1, 64), "--model", o.model, "-o", "csv")
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stdin = bytes.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, 0, errors.Join(fmt.Errorf("%s: %w", cmd, err), errors.New(errs.String()))
	}
	got, err := readOutput(&out)
	return got, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), err
}

func m4Rows(t *table, m measured) {
	s := summarize(m.scores[0.95])
	t.head(fmt.Sprintf("M4 hourly, 48 steps, %d series", s.n))
	t.row("OWA", s.owa, 0.370, atMost, "", "0.410 Doornik, 0.440 ES-RNN, 0.601 augurs, 0.89 Prophet")
	t.row("sMAPE", s.smape, 7.9, atMost, "%", "8.91 Doornik, 8.6 TimesFM-2.5")
	t.row("MASE", s.mase, 0.733, atMost, "", "0.801 Doornik, 0.734 TimesFM-2.5")
	t.row("MSIS at 0.95", s.msis, 5.70, atMost, "", "6.139 Doornik, 7.928 ES-RNN")
	coverageRows(t, m)
}

func naiveMASE(scores []scored) float64 {
	var m accuracy.Mean
	for _, s := range scores {
		m.Add(s.naive["seasonal naive 1 d"])
	}
	return m.Value()
}

func coverageRows(t *table, m measured) {
	for _, level := range levels {
		got := summarize(m.scores[level]).coverage
		peer := ""
		if level == 0.9 {
			peer = "0.77 Prophet, 0.81 to 0.91 augurs"
		}
		t.row(fmt.Sprintf("coverage at %g, off by", level), math.Abs(got-level), 0.01, atMost, "", fmt.Sprintf("(%.3f) %s", got, peer))
	}
}

func serverRows(t *table, m measured) {
	s := summarize(m.scores[0.9])
	t.head(fmt.Sprintf("server traces, 168 steps, %d windows", s.n))
	t.row("rel168", s.rel, 0.735, atMost, "", fmt.Sprintf("%.3f here, 0.945 elsewhere seasonal naive 1 d; 1.108 augurs, 1.095 Prophet", s.naive["seasonal naive 1 d"]))
	t.row("mean MASE", s.mase, 1.77, atMost, "", fmt.Sprintf("%.3f here, 2.056 elsewhere seasonal naive 1 d", naiveMASE(m.scores[0.9])))
	t.row("median MASE", s.median, 0.78, atMost, "", "1.039 augurs")
	t.row("MSIS at 0.9", s.msis, 26.5, atMost, "", "29.9 elsewhere seasonal naive 7 d, 30.2 here augurs")
	coverageRows(t, m)
	worst := 0.0
	name := ""
	for _, kind := range kindsOf(m.scores[0.9]) {
		for _, level := range levels {
			k := summarize(ofKind(m.scores[level], kind))
			if off := math.Abs(k.coverage - level); k.n >= 20 && off > worst {
				worst, name = off, fmt.Sprintf("(%s, %.3f at %g)", kind, k.coverage, level)
			}
		}
	}
	t.row("coverage of a kind with 20 windows, off by", worst, 0.04, atMost, "", name)
	t.row(fmt.Sprintf("coverage at 0.9 with less than 10 d (%d)", s.short), s.coverageShort, 0.82, atLeast, "", "")
}

// fineRows measures series at 5 minutes: 28 days of them, 7 days ahead.
func fineRows(ctx context.Context, t *table, o options) error {
	var tasks []task
	for _, f := range [...]struct{ file, kind string }{
		{"bitbrains_rnd_5min_cpu.csv.gz", "bitbrains"},
		{"cloudcluster_5min.csv.gz", "cloudcluster"},
		{"nab_5min.csv.gz", "nab"},
		{"dc_aggregate_5min.csv.gz", "dcagg"},
	} {
		some, err := readFine(filepath.Join(o.data, f.file), f.kind, 3)
		if err != nil {
			return err
		}
		tasks = append(tasks, some...)
	}
	var input bytes.Buffer
	if err := writeInput(&input, tasks); err != nil {
		return err
	}
	fine, cpu, err := upid(ctx, o, input.Bytes(), "168h", "5m", 0.9)
	if err != nil {
		return err
	}
	hourly, _, err := upid(ctx, o, input.Bytes(), "168h", "1h", 0.9)
	if err != nil {
		return err
	}
	var means, direct, own []scored
	for _, task := range tasks {
		per := int(3600 / task.step)
		coarse := task
		coarse.y, coarse.future, coarse.step = hourMeans(task.y, per), hourMeans(task.future, per), 3600
		f := fine[task.id]
		own = append(own, scored{coverage: accuracyCoverage(task.future, f)})
		means = append(means, score(coarse, forecast{hourMeans(f.point, per), hourMeans(f.lower, per), hourMeans(f.upper, per)}, 0.9))
		direct = append(direct, score(coarse, hourly[task.id], 0.9))
	}
	a, b := summarize(means), summarize(direct)
	inside := 0.0
	for _, s := range own {
		inside += s.coverage / float64(len(own))
	}
	t.head(fmt.Sprintf("5 minutes, 8,064 points, 2,016 steps, %d windows", len(tasks)))
	t.row("rel168 of hourly means", a.rel, b.rel*1.005, atMost, "", fmt.Sprintf("%.3f from hourly means", b.rel))
	t.row("coverage at 0.9, off by", math.Abs(inside-0.9), 0.04, atMost, "", fmt.Sprintf("(%.3f)", inside))
	t.row("CPU of the whole command", cpu.Seconds()*1e3/float64(len(tasks)), 6, atMost, "ms", "")
	short, cpu, err := upid(ctx, o, input.Bytes(), "1h", "5m", 0.9)
	if err != nil {
		return err
	}
	shortRows(t, tasks, short, fine)
	t.row("CPU of the whole command, 1 h ahead", cpu.Seconds()*1e3/float64(len(tasks)), 6, atMost, "ms", "")
	return nil
}

// shortRows compares the next hour with repeating the last value: both that asked for
// alone and that at the head of a forecast of 7 days.
func shortRows(t *table, tasks []task, alone, head map[string]forecast) {
	relative := func(got map[string]forecast, steps int) (rel, coverage float64) {
		var logs, inside accuracy.Mean
		for _, task := range tasks {
			y := filled(task.y)
			scale := accuracy.SeasonalScale(task.y, 1)
			future, f := task.future[:steps], got[task.id]
			mase := accuracy.MASE(future, f.point[:steps], scale)
			naive := accuracy.MASE(future, repeated(y, steps, 1), scale)
			logs.Add(math.Log((mase + 0.05) / (naive + 0.05)))
			inside.Add(accuracy.Coverage(future, f.lower[:steps], f.upper[:steps]))
		}
		return math.Exp(logs.Value()), inside.Value()
	}
	for _, steps := range []int{1, 3, 12} {
		rel, inside := relative(alone, steps)
		t.row(fmt.Sprintf("%d min ahead, error to that of the last value", 5*steps), rel, 1, atMost, "", fmt.Sprintf("coverage at 0.9 %.3f", inside))
	}
	rel, inside := relative(head, 12)
	t.row("the same, 1 h, head of 7 days", rel, 1, atMost, "", fmt.Sprintf("coverage at 0.9 %.3f", inside))
}

func hourMeans(v []float64, per int) []float64 {
	out := make([]float64, len(v)/per)
	for i := range out {
		sum, n := 0.0, 0.0
		for _, x := range v[i*per : (i+1)*per] {
			if !math.IsNaN(x) {
				sum += x
				n++
			}
		}
		out[i] = sum / n
	}
	return out
}
