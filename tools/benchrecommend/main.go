// Benchrecommend measures right-sizing on real traces beside its goals and the formulas of other
// tools, in the same run, and what 5,000 containers cost. It exits with 1 if a goal is
// missed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/upid/upid/forecast"
	"github.com/upid/upid/rules/recommend/sizing"
)

type score struct {
	Strategy  string  `json:"strategy"`
	Cores     float64 `json:"cpu_cores"`
	Memory    float64 `json:"memory_bytes"`
	Violation float64 `json:"cpu_violation_ratio"`
	Kills     float64 `json:"oom_per_100_weeks"`
	Dollars   float64 `json:"usd_monthly"`
	Change    float64 `json:"cpu_change_weekly_ratio"`
	Kept      float64 `json:"kept_ratio"`
	Risk      []struct {
		Level     string  `json:"confidence_level"`
		Decisions int     `json:"decisions"`
		Declared  float64 `json:"declared"`
		Realised  float64 `json:"realised"`
	} `json:"risk"`
}

func main() {
	data := flag.String("data", "../shared/data/rightsizing", "directory of traces with a manifest.json of what was provisioned")
	upid := flag.String("upid", "./upid", "the program")
	containers := flag.Int("containers", 5000, "containers of the scale test, 0: none")
	held := flag.Bool("heldout", true, "choose parameters on half of the traces and judge them on the other too; takes minutes")
	flag.Parse()
	missed, err := run(*data, *upid, *containers, *held)
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchrecommend:", err)
		os.Exit(1)
	}
	if missed > 0 {
		fmt.Printf("\n%d goals missed\n", missed)
		os.Exit(1)
	}
}

// enoughDecisions are five weeks of all workloads: fewer say nothing about a risk.
const enoughDecisions = 200

// goals counts what is missed while it prints.
type goals struct{ missed int }

func (g *goals) add(name, goal string, met bool, format string, args ...any) {
	verdict := "met"
	if !met {
		verdict = "MISSED"
		g.missed++
	}
	fmt.Printf("%-46s %-24s %-22s %s\n", name, goal, fmt.Sprintf(format, args...), verdict)
}

func run(data, upid string, containers int, held bool) (missed int, err error) {
	out, err := exec.CommandContext(context.Background(), upid, "replay", "--data", data, "-o", "json").Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return 0, fmt.Errorf("replay: %w", err)
	}
	var tables []struct {
		Cadence string  `json:"cadence"`
		Scores  []score `json:"scores"`
	}
	if err := json.Unmarshal(out, &tables); err != nil {
		return 0, fmt.Errorf("replay: %w", err)
	}
	for _, t := range tables {
		fmt.Printf("%s\n%-16s %7s %8s %7s %10s %8s %8s %6s\n", t.Cadence, "", "cores", "CPU>req", "GiB", "OOM/100wk", "$/month", "change", "kept")
		for _, s := range t.Scores {
			fmt.Printf("%-16s %7.3f %7.2f%% %7.2f %10.1f %8.2f %7.1f%% %5.0f%%\n", s.Strategy, s.Cores, 100*s.Violation, s.Memory/(1<<30), s.Kills, s.Dollars, 100*s.Change, 100*s.Kept)
		}
		fmt.Println()
	}
	by := map[string]score{}
	for _, s := range tables[0].Scores {
		by[s.Strategy] = s
	}
	provisioned, err := provisionedDollars(data)
	if err != nil {
		return 0, err
	}
	var g goals
	cost, balanced, krr := by["upid-cost"], by["upid-balanced"], by["krr-simple"]
	g.add("CPU above request, cost", "≤ 6 %", cost.Violation <= 0.06, "%.2f %%", 100*cost.Violation)
	g.add("  at the cores of KRR", "± 2 %", math.Abs(cost.Cores/krr.Cores-1) <= 0.02, "%+.1f %%", 100*(cost.Cores/krr.Cores-1))
	g.add("CPU above request, balanced", "≤ 1.2 %", balanced.Violation <= 0.012, "%.2f %%", 100*balanced.Violation)
	g.add("  at cores", "≤ 1.35", balanced.Cores <= 1.35, "%.3f", balanced.Cores)
	for _, s := range []score{cost, balanced} {
		name := strings.TrimPrefix(s.Strategy, "upid-")
		g.add("memory kills in 100 weeks, "+name, "≤ 25", s.Kills <= 25, "%.1f", s.Kills)
		g.add("  at the memory of KRR", "≤ +5 %", s.Memory <= 1.05*krr.Memory, "%+.1f %%", 100*(s.Memory/krr.Memory-1))
		g.add("CPU change from week to week, "+name, "≤ 15 %", s.Change <= 0.15, "%.1f %%", 100*s.Change)
		g.add("weeks in which nothing changed, "+name, "≥ 60 %", s.Kept >= 0.6, "%.0f %%", 100*s.Kept)
	}
	g.add("cost below as provisioned, balanced", "≥ 50 %", balanced.Dollars <= 0.5*provisioned, "%.0f %% of $%.2f", 100*(1-balanced.Dollars/provisioned), provisioned)
	for _, name := range []string{"upid-cost", "upid-balanced", "upid-safe"} {
		for _, b := range by[name].Risk {
			if b.Decisions < enoughDecisions {
				continue
			}
			g.add("declared risk, "+strings.TrimPrefix(name, "upid-")+", confidence "+b.Level, "within 5 points", math.Abs(b.Declared-b.Realised) <= 0.05, "%.1f, came %.1f", 100*b.Declared, 100*b.Realised)
		}
	}
	if held {
		if err := heldOut(data, &g); err != nil {
			return 0, fmt.Errorf("held out: %w", err)
		}
		fmt.Println()
	}
	if containers > 0 {
		before := cpuSeconds()
		seconds, mib, err := scale(containers)
		if err != nil {
			return 0, err
		}
		g.add(fmt.Sprintf("%d containers × 28 d at 5 min, time", containers), "≤ 60 s", seconds <= 60, "%.0f s, %.0f s of CPU", seconds, cpuSeconds()-before)
		g.add("  memory from the system, at most", "≤ 150 MiB", mib <= 150, "%.0f MiB", mib)
	}
	return g.missed, nil
}

// cpuSeconds returns the processor time of this process so far: on a machine that does other
// work too, the clock says little.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return math.NaN()
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// provisionedDollars returns the mean price of a month of what the traces' machines had.
func provisionedDollars(data string) (float64, error) {
	b, err := os.ReadFile(filepath.Join(data, "manifest.json"))
	if err != nil {
		return 0, err
	}
	var machines []struct {
		VM    int     `json:"vm"`
		Cores float64 `json:"cores"`
		MiB   float64 `json:"mem_mib"`
	}
	if err := json.Unmarshal(b, &machines); err != nil {
		return 0, fmt.Errorf("manifest.json: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(data, "*.csv.gz"))
	if err != nil {
		return 0, err
	}
	sum, n := 0.0, 0
	for _, m := range machines {
		if slices.ContainsFunc(files, func(f string) bool { return strings.HasSuffix(f, fmt.Sprintf("_%03d.csv.gz", m.VM)) }) {
			sum += 730 * (0.031611*m.Cores + 0.004237*m.MiB/1024)
			n++
		}
	}
	if n == 0 {
		return 0, errors.New("manifest.json: none of the traces is in it")
	}
	return sum / float64(n), nil
}

// scale lets Sizers learn four weeks of every container and decide each day, and returns the
// seconds it took and the most memory, in MiB. Samples come from a generator, as from
// files: they are not kept.
func scale(containers int) (seconds, mib float64, err error) {
	policy, err := sizing.PolicyNamed("balanced")
	if err != nil {
		return 0, 0, err
	}
	model, err := forecast.New(sizing.Model, nil)
	if err != nil {
		return 0, 0, err
	}
	runtime.GC()
	start := time.Now()
	sizers := make([]*sizing.Sizer, containers)
	workers := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			c := sizing.NewScratch(model)
			for i := w; i < containers; i += workers {
				rng := rand.New(rand.NewPCG(uint64(i), 1))
				s := sizing.New(policy, 300)
				level := math.Exp(rng.NormFloat64() - 1)
				for d := range 28 {
					for k := range 288 {
						day := 1 + 0.5*math.Sin(2*math.Pi*float64(k)/288)
						s.Observe(sizing.Sample{Time: int64(d*86400 + k*300), CPU: level * day * (0.5 + rng.Float64()), Memory: level * (1 << 30) * (1 + 0.1*rng.Float64())})
					}
					s.EndDay(c)
					s.Decide(int64(d+1)*86400, sizing.Scale{CPU: 1, Memory: 1 << 30}, c)
				}
				sizers[i] = s
			}
		})
	}
	wg.Wait()
	seconds = time.Since(start).Seconds()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	runtime.KeepAlive(sizers)
	return seconds, float64(m.Sys) / (1 << 20), nil
}
