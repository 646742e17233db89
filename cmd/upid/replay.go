package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/rules/recommend"
	"github.com/upid/upid/rules/recommend/replay"
)

type replayCmd struct {
	Data     string   `required:"" placeholder:"DIR" help:"Directory of traces, one WORKLOAD.csv or WORKLOAD.csv.gz each, with the columns ts (or timestamp),cpu_mcores,mem_mib."`
	Policy   []string `enum:"cost,balanced,safe" default:"cost,balanced,safe" placeholder:"NAME" help:"Our policies, may be repeated: ${enum}. (default all)"`
	Strategy []string `placeholder:"NAME" help:"Strategies instead of these policies and all others, may be repeated: ${strategies}."`
	Warmup   duration `default:"28d" placeholder:"DURATION" help:"History before the first decision, whole days, at least 7d. (default ${default})"`
	Every    string   `enum:",1d,7d" default:"" placeholder:"DURATION" help:"All strategies decide this often, 1d or 7d, and nothing between; by default ours decide daily and raise memory under pressure, the others weekly."`
	Output   string   `short:"o" default:"table" enum:"table,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}; csv has every decision, the others what came of them. (default ${default})"`
}

// Help is shown by --help.
func (replayCmd) Help() string {
	return `Lets ways of sizing containers decide over past usage, each seeing only what was known at the time, and counts what would have come of it: how much they reserve, how often CPU is above its request, how often memory is exceeded. Ours run through the code of the sidecar; krr-simple, vpa and crane are the formulas of those tools.

Examples:

    upid replay --data traces/
    upid replay --data traces/ --policy balanced --every 7d
    upid replay --data traces/ -o csv > decisions.csv

CSV columns: ` + strings.Join(replayColumns, ",") + `. A decision holds from its time to the next of the same workload and strategy. Dollars are those of a month at the default prices of OpenCost.
`
}

// Validate is called by kong.
func (c *replayCmd) Validate() error {
	var errs []error
	if w := time.Duration(c.Warmup); w < 7*24*time.Hour || w%(24*time.Hour) != 0 {
		errs = append(errs, fmt.Errorf("--warmup is %s, want whole days, at least 7d", c.Warmup))
	}
	for _, s := range c.Strategy {
		if !slices.Contains(replay.Names, s) {
			errs = append(errs, fmt.Errorf("--strategy: %q is unknown, want one of %s", s, strings.Join(replay.Names, ", ")))
		}
	}
	return errors.Join(errs...)
}

// strategies returns which to run, in the order of replay.Names.
func (c *replayCmd) strategies() []string {
	var out []string
	for _, name := range replay.Names {
		policy, ours := strings.CutPrefix(name, "upid-")
		switch {
		case len(c.Strategy) > 0:
			if slices.Contains(c.Strategy, name) {
				out = append(out, name)
			}
		case !ours || slices.Contains(c.Policy, policy):
			out = append(out, name)
		}
	}
	return out
}

// cadence is how often strategies decide, in words and seconds.
type cadence struct {
	name        string
	ours, peers int64
	pressure    bool
}

const aDay = 24 * 60 * 60

var (
	inService = cadence{"as they are run: ours daily and under memory pressure, the others weekly", aDay, 7 * aDay, true}
	allWeekly = cadence{"all weekly", 7 * aDay, 7 * aDay, false}
	allDaily  = cadence{"all daily", aDay, aDay, false}
)

// cadences returns what is shown, what is printed as CSV first. Where none of ours is among the
// strategies, those in service are all weekly, which is not shown twice.
func (c *replayCmd) cadences() []cadence {
	used, other := inService, allWeekly
	if !slices.ContainsFunc(c.strategies(), func(name string) bool { return strings.HasPrefix(name, "upid-") }) {
		used = allWeekly
	}
	switch c.Every {
	case "1d":
		other, used = used, allDaily
	case "7d":
		other, used = used, allWeekly
	}
	if other == used {
		return []cadence{used}
	}
	return []cadence{used, other}
}

// replayed is what came of one cadence.
type replayed struct {
	cadence cadence
	scores  []replay.Score
}

// Run replays the traces.
func (c *replayCmd) Run(ctx context.Context, e *env) error {
	traces, err := c.load(ctx, e)
	if err != nil {
		return err
	}
	var out []replayed
	for _, cad := range c.cadences() {
		o := replay.Options{Warmup: int64(time.Duration(c.Warmup) / time.Second), Ours: cad.ours, Peers: cad.peers, Pressure: cad.pressure}
		names := c.strategies()
		bar := e.progress("replay", len(names))
		all := make([][]replay.Decision, len(names))
		err := inOrder(ctx, len(names), func(ctx context.Context, _, i int) ([]replay.Decision, error) {
			each := o
			each.Strategies = names[i : i+1]
			return replay.Run(ctx, traces, each)
		}, func(i int, ds []replay.Decision) error {
			all[i] = ds
			bar.Set(i + 1)
			return nil
		})
		bar.Done()
		if errors.Is(err, replay.ErrShort) {
			return fmt.Errorf("%w: take a shorter --warmup, or longer traces", err)
		}
		if err != nil {
			return err
		}
		if output.Format(c.Output) == output.CSV {
			return writeDecisions(e, all)
		}
		r := replayed{cadence: cad}
		for _, ds := range all {
			r.scores = append(r.scores, replay.Judge(traces, ds, o.Warmup))
		}
		out = append(out, r)
	}
	if output.Format(c.Output) == output.Table {
		return replayTables(e, out, len(traces))
	}
	return output.Objects(e.stdout, output.Format(c.Output), replayObjects(out))
}

// load reads all traces and says which are too short.
func (c *replayCmd) load(ctx context.Context, e *env) ([]replay.Trace, error) {
	paths, err := traceFiles(c.Data)
	if err != nil {
		return nil, err
	}
	var traces []replay.Trace
	var said notes
	type read struct {
		trace replay.Trace
		twice int
	}
	err = inOrder(ctx, len(paths), func(_ context.Context, _, i int) (read, error) {
		t, twice, err := readTrace(paths[i])
		return read{t, twice}, err
	}, func(_ int, r read) error {
		if r.twice > 0 {
			said.add(r.trace.Name, fmt.Sprintf("%d rows have the time of another: the last counts", r.twice))
		}
		if n := len(r.trace.Times); n == 0 || r.trace.Times[n-1]-r.trace.Times[0] < int64(time.Duration(c.Warmup)/time.Second)+7*aDay-3600 {
			said.add(r.trace.Name, fmt.Sprintf("left out: shorter than --warmup %s and a week", c.Warmup))
		}
		traces = append(traces, r.trace)
		return nil
	})
	said.print(e)
	runtime.GC()
	return traces, err
}

var replayColumns = []string{"workload", "timestamp", "strategy", "cpu_cores", "memory_bytes"}

// writeDecisions prints every decision as CSV.
func writeDecisions(e *env, all [][]replay.Decision) error {
	schema := output.NewSchema(output.CSV, replayColumns...)
	w := output.NewWriter(e.stdout, schema)
	out := schema.Rows(nil)
	for _, ds := range all {
		for _, d := range ds {
			if math.IsNaN(d.CPU) || math.IsNaN(d.Memory) {
				continue // it says nothing
			}
			out.Text(d.Workload)
			out.Time(d.Time * 1000)
			out.Text(d.Strategy)
			out.Number(d.CPU)
			out.Number(d.Memory)
		}
	}
	if err := w.Write(out.Bytes()); err != nil {
		return err
	}
	return w.Close()
}

// replayTables shows what came of each cadence, and what the declared risk was worth.
func replayTables(e *env, out []replayed, traces int) error {
	for i, r := range out {
		if i > 0 {
			fmt.Fprintln(e.stdout)
		}
		first := r.scores[0]
		fmt.Fprintf(e.stdout, "%s of %d workloads, %.0f workload-weeks;\n%s\n\n", output.Count(first.Workloads), traces, first.Weeks, r.cadence.name)
		g := output.Grid{
			Head:  []string{"STRATEGY", "CORES", "CPU>REQ", "WORST", "GiB", "OOM/100WK", "$/MONTH", "CHANGE", "KEPT"},
			Right: []bool{false, true, true, true, true, true, true, true, true},
		}
		for _, s := range r.scores {
			g.Add(s.Strategy, known(s.Cores, "%.3f"), percent(100*s.Violation, "%.2f"), percent(100*s.Worst, "%.1f"), known(s.Memory/(1<<30), "%.2f"),
				known(s.Kills, "%.1f"), known(s.Dollars, "%.2f"), percent(100*s.Change, "%.1f"), percent(100*s.Kept, "%.0f"))
		}
		if err := g.Write(e.stdout, e.style()); err != nil {
			return err
		}
	}
	fmt.Fprint(e.stdout, "\nCORES and GiB are means a workload; CHANGE is of CPU from week to week; KEPT is the\nshare of weeks after which neither CPU nor memory is another.\n")
	g := output.Grid{
		Head:  []string{"STRATEGY", "CONFIDENCE", "DECISIONS", "RISK DECLARED", "CAME TRUE"},
		Right: []bool{false, false, true, true, true},
	}
	for _, s := range out[0].scores {
		for _, b := range s.Calibrated {
			g.Add(s.Strategy, b.Level, output.Count(b.Decisions), percent(100*b.Declared, "%.1f"), percent(100*b.Realised, "%.1f"))
		}
	}
	if g.Len() == 0 {
		return nil
	}
	fmt.Fprint(e.stdout, "\nThat memory is exceeded within seven days of a decision, were it the last:\n\n")
	return g.Write(e.stdout, e.style())
}

// known writes x, "-" if it is not known.
func known(x float64, format string) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "-"
	}
	return fmt.Sprintf(format, x)
}

// replayScore is a score as JSON and YAML have it; what is not known is null.
type replayScore struct {
	Strategy      string       `json:"strategy"`
	Workloads     int          `json:"workloads"`
	Weeks         float64      `json:"workload_weeks"`
	Cores         *float64     `json:"cpu_cores"`
	MemoryBytes   *float64     `json:"memory_bytes"`
	Violation     *float64     `json:"cpu_violation_ratio"`
	Worst         *float64     `json:"cpu_violation_worst_ratio"`
	Kills         *float64     `json:"oom_per_100_weeks"`
	Dollars       *float64     `json:"usd_monthly"`
	Change        *float64     `json:"cpu_change_weekly_ratio"`
	MemoryChange  *float64     `json:"memory_change_weekly_ratio"`
	Kept          *float64     `json:"kept_ratio"`
	ChangesWeekly *float64     `json:"changes_weekly"`
	Risk          []replayRisk `json:"risk"`
}

type replayRisk struct {
	Level     string  `json:"confidence_level"`
	Decisions int     `json:"decisions"`
	Declared  float64 `json:"declared"`
	Realised  float64 `json:"realised"`
}

type replayTable struct {
	Cadence string        `json:"cadence"`
	Scores  []replayScore `json:"scores"`
}

func replayObjects(out []replayed) []replayTable {
	tables := make([]replayTable, len(out))
	for i, r := range out {
		tables[i].Cadence = r.cadence.name
		for _, s := range r.scores {
			o := replayScore{
				Strategy: s.Strategy, Workloads: s.Workloads, Weeks: s.Weeks, Cores: recommend.Number(s.Cores), MemoryBytes: recommend.Number(s.Memory), Violation: recommend.Number(s.Violation), Worst: recommend.Number(s.Worst),
				Kills: recommend.Number(s.Kills), Dollars: recommend.Number(s.Dollars), Change: recommend.Number(s.Change), MemoryChange: recommend.Number(s.ChangeMem), Kept: recommend.Number(s.Kept), ChangesWeekly: recommend.Number(s.Decisions), Risk: []replayRisk{},
			}
			for _, b := range s.Calibrated {
				o.Risk = append(o.Risk, replayRisk{b.Level, b.Decisions, b.Declared, b.Realised})
			}
			tables[i].Scores = append(tables[i].Scores, o)
		}
	}
	return tables
}
