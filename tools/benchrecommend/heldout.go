package main

import (
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast"
	"github.com/upid/upid/rules/recommend/replay"
	"github.com/upid/upid/rules/recommend/sizing"
)

const day = 86400

// service is how ours decide in service, the others as they are run.
var service = replay.Options{Warmup: 28 * day, Ours: day, Peers: 7 * day, Pressure: true}

// wanted are the goals of a policy, in units of what KRR does on the same traces where it has to be.
type wanted struct {
	policy        string
	least, most   float64 // cores, of KRR's
	violation     float64
	kills, memory float64 // in 100 weeks; bytes, of KRR's
	change, kept  float64
}

var wants = []wanted{
	{"cost", 0.98, 1.02, 0.06, 25, 1.05, 0.15, 0.6},
	{"balanced", 0, 1.35 / 1.087, 0.012, 25, 1.05, 0.15, 0.6},
}

// penalty is how far s is from the goals with a twentieth to spare, ten for each that is missed by all of it, and a little for what
// could be better.
func (w wanted) penalty(s, krr replay.Score) float64 {
	p := 0.0
	most := func(v, goal float64) { p += 10 * math.Max(0, v/goal/0.95-1) }
	cores, middle := s.Cores/krr.Cores, (w.least+w.most)/2
	if w.least > 0 { // at the cores of KRR
		p += 10 * math.Max(0, math.Abs(cores-middle)-0.01)
	} else {
		p += 10 * math.Max(0, cores/w.most-0.99)
	}
	most(s.Violation, w.violation)
	most(s.Kills, w.kills)
	most(s.Memory/krr.Memory, w.memory/0.97)
	most(s.Change, w.change)
	p += 10 * math.Max(0, w.kept/0.97-s.Kept)
	return p + 0.2*s.Violation/w.violation + 0.1*s.Kills/w.kills + 0.1*s.Change/w.change
}

// knob is one parameter with the values that are tried.
type knob struct {
	of     func(*sizing.Policy) *float64
	values []float64
}

var knobs = []knob{
	{func(p *sizing.Policy) *float64 { return &p.Violation }, []float64{1.5, 2, 2.5, 3, 4, 6, 8, 10, 12, 15, 20}},
	{func(p *sizing.Policy) *float64 { return &p.Ceiling }, []float64{0.02, 0.05, 0.1, 0.15}},
	{func(p *sizing.Policy) *float64 { return &p.Moves.MoveCPU }, []float64{0.1, 0.15, 0.2}},
	{func(p *sizing.Policy) *float64 { return &p.Moves.WorthCPU }, []float64{0.05, 0.1, 0.2, 0.3}},
	{func(p *sizing.Policy) *float64 { return &p.Moves.ShrinkCPU }, []float64{0.7, 0.8, 0.9}},
	{func(p *sizing.Policy) *float64 { return &p.Moves.RiseCPU }, []float64{2, 3, 4}},
	{func(p *sizing.Policy) *float64 { return &p.Moves.Recall }, []float64{0.8, 0.85, 0.9, 0.95}},
	{func(p *sizing.Policy) *float64 { return &p.Kill }, []float64{0.1, 0.2, 0.3, 0.5, 1}},
	{func(p *sizing.Policy) *float64 { return &p.Headroom }, []float64{0.02, 0.03, 0.05, 0.1}},
	{func(p *sizing.Policy) *float64 { return &p.Moves.LowerMemory }, []float64{0.2, 0.3, 0.4, 0.5}},
	{func(p *sizing.Policy) *float64 { return &p.Moves.RaiseMemory }, []float64{0.1, 0.15, 0.25, 0.35}},
	{func(p *sizing.Policy) *float64 { return &p.Moves.HalveMemory }, []float64{0.3, 0.4, 0.5, 0.6}},
	{func(p *sizing.Policy) *float64 { return &p.Moves.Relief }, []float64{1.1, 1.15, 1.2}},
}

// neutral is where every search begins: what peers do, or the middle of what is tried, and not what is shipped.
func neutral(name string) sizing.Policy {
	p := sizing.Policy{
		Name: name, Violation: 4, Ceiling: 0.05, Kill: 0.3, Headroom: 0.05, HeadroomDays: 7,
		Moves: sizing.Moves{ShrinkCPU: 0.7, RiseCPU: 2, MoveCPU: 0.1, WorthCPU: 0.1, Recall: 0.9, HalveMemory: 0.5, LowerMemory: 0.2, RaiseMemory: 0.15, Relief: 1.2},
	}
	if name == "balanced" {
		p.Violation = 10
	}
	return p
}

// choose searches the parameters of a policy on traces: one after the other, twice.
func choose(traces []replay.Trace, krr replay.Score, w wanted, service replay.Options) (sizing.Policy, error) {
	best := neutral(w.policy)
	judge := func(p sizing.Policy) (float64, error) {
		ds, err := replay.RunPolicy(context.Background(), traces, p.Name, p, service)
		if err != nil {
			return 0, err
		}
		return w.penalty(replay.Judge(traces, ds, service.Warmup), krr), nil
	}
	least, err := judge(best)
	if err != nil {
		return best, err
	}
	for range 2 {
		for _, k := range knobs {
			at := best
			for _, v := range k.values {
				p := at
				if *k.of(&p) = v; p == best {
					continue
				}
				got, err := judge(p)
				if err != nil {
					return best, err
				}
				if got < least {
					best, least = p, got
				}
			}
		}
	}
	return best, nil
}

// heldOut chooses parameters and risk on one half of the traces and judges them on the other, both ways, and
// adds the goals of the two together to g.
func heldOut(data string, g *goals) error {
	traces, err := readTraces(data)
	if err != nil {
		return err
	}
	model, err := forecast.New(sizing.Model, nil)
	if err != nil {
		return err
	}
	service := service // forecasts are the same whatever the parameters
	service.Model = &remembered{model: model, points: map[uint64][]float64{}}
	var halves [2][]replay.Trace
	for i, t := range traces {
		halves[i%2] = append(halves[i%2], t)
	}
	krr := func(traces []replay.Trace) (replay.Score, error) {
		o := service
		o.Strategies = []string{"krr-simple"}
		ds, err := replay.Run(context.Background(), traces, o)
		if err != nil {
			return replay.Score{}, err
		}
		return replay.Judge(traces, ds, o.Warmup), nil
	}
	var peer [2]replay.Score
	for i := range halves {
		if peer[i], err = krr(halves[i]); err != nil {
			return err
		}
	}
	whole, err := krr(traces)
	if err != nil {
		return err
	}
	chosen := make([][2]sizing.Policy, len(wants))
	errs := make([]error, 2*len(wants))
	var wg sync.WaitGroup
	for k, w := range wants {
		for half := range 2 {
			wg.Go(func() { chosen[k][half], errs[2*k+half] = choose(halves[half], peer[half], w, service) })
		}
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	fmt.Println("\nheld out: parameters and risk chosen on one half of the machines, judged on the other, both ways together")
	for k, w := range wants {
		var learned, judged [2][]replay.Decision
		for half := range 2 {
			p := chosen[k][half]
			fmt.Printf("  %s, half %d: %+v\n", w.policy, half+1, p)
			if learned[half], err = replay.RunPolicy(context.Background(), halves[half], p.Name, p, service); err != nil {
				return err
			}
			if judged[1-half], err = replay.RunPolicy(context.Background(), halves[1-half], p.Name, p, service); err != nil {
				return err
			}
		}
		for half := range 2 {
			s := replay.Judge(halves[half], judged[half], service.Warmup)
			fmt.Printf("  %s judged on half %d: %.3f cores (%+.1f %% of KRR), CPU above request %.2f %%, %.2f GiB (%+.1f %%), %.1f kills, change %.1f %%, kept %.0f %%\n",
				w.policy, half+1, s.Cores, 100*(s.Cores/peer[half].Cores-1), 100*s.Violation, s.Memory/(1<<30), 100*(s.Memory/peer[half].Memory-1), s.Kills, 100*s.Change, 100*s.Kept)
			fit, err := fitRisk(halves[1-half], learned[1-half])
			if err != nil {
				return err
			}
			for i := range judged[half] {
				d := &judged[half][i]
				d.Risk = logistic(fit, d.Factors)
			}
		}
		s := replay.Judge(traces, slices.Concat(judged[0], judged[1]), service.Warmup)
		name := "held out, " + w.policy
		g.add(name+", CPU above request", fmt.Sprintf("≤ %.1f %%", 100*w.violation), s.Violation <= w.violation, "%.2f %%", 100*s.Violation)
		cores := s.Cores / whole.Cores
		if w.least > 0 {
			g.add("  at the cores of KRR", "± 2 %", cores >= w.least && cores <= w.most, "%+.1f %%", 100*(cores-1))
		} else {
			g.add("  at cores", "≤ 1.35", s.Cores <= 1.35, "%.3f", s.Cores)
		}
		g.add("  memory kills in 100 weeks", "≤ 25", s.Kills <= w.kills, "%.1f", s.Kills)
		g.add("  at the memory of KRR", "≤ +5 %", s.Memory <= w.memory*whole.Memory, "%+.1f %%", 100*(s.Memory/whole.Memory-1))
		g.add("  CPU change from week to week", "≤ 15 %", s.Change <= w.change, "%.1f %%", 100*s.Change)
		g.add("  weeks in which nothing changed", "≥ 60 %", s.Kept >= w.kept, "%.0f %%", 100*s.Kept)
		for _, b := range s.Calibrated {
			if b.Decisions >= enoughDecisions {
				g.add("  declared risk, confidence "+b.Level, "within 5 points", math.Abs(b.Declared-b.Realised) <= 0.05, "%.1f, came %.1f", 100*b.Declared, 100*b.Realised)
			}
		}
	}
	return nil
}

// remembered forecasts what it has not forecast before.
type remembered struct {
	model  forecast.Forecaster
	mu     sync.Mutex
	points map[uint64][]float64 // by the series; nil: an error
}

// Forecast implements forecast.Forecaster, as far as package sizing reads it: the points.
func (r *remembered) Forecast(dst *series.Forecast, y series.Series, c forecast.Calendar, s *forecast.Scratch) error {
	h := fnv.New64a()
	b := binary.LittleEndian.AppendUint64(nil, uint64(y.Start))
	for _, v := range y.Values {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	h.Write(b)
	r.mu.Lock()
	points, known := r.points[h.Sum64()]
	r.mu.Unlock()
	if !known {
		if err := r.model.Forecast(dst, y, c, s); err == nil {
			points = slices.Clone(dst.Point)
		}
		r.mu.Lock()
		r.points[h.Sum64()] = points
		r.mu.Unlock()
	}
	if points == nil {
		return errors.New("no forecast")
	}
	copy(dst.Point, points)
	return nil
}

// fitRisk fits a logistic regression of whether memory was too small within seven days on the factors of
// decisions, by Newton's method: the intercept, then the coefficients.
func fitRisk(traces []replay.Trace, decisions []replay.Decision) ([5]float64, error) {
	came := replay.Exceeded(traces, decisions)
	var w [5]float64
	for range 30 {
		var gradient [5]float64
		var hessian [5][5]float64
		for i, d := range decisions {
			if d.Pressure || came[i] < 0 || d.Factors[0] != d.Factors[0] {
				continue
			}
			x := [5]float64{1, d.Factors[0], d.Factors[1], d.Factors[2], d.Factors[3]}
			p := logistic(w, d.Factors)
			for a := range x {
				gradient[a] += (float64(came[i]) - p) * x[a]
				for b := range x {
					hessian[a][b] += p * (1 - p) * x[a] * x[b]
				}
			}
		}
		for a := range w { // a little ridge: a factor may never have varied
			hessian[a][a] += 1e-3
			gradient[a] -= 1e-3 * w[a]
		}
		step, ok := solve(hessian, gradient)
		if !ok {
			return w, errors.New("risk: the normal equations have no solution")
		}
		moved := 0.0
		for a := range w {
			w[a] += step[a]
			moved = max(moved, math.Abs(step[a]))
		}
		if moved < 1e-8 {
			break
		}
	}
	return w, nil
}

func logistic(w [5]float64, f [4]float64) float64 {
	z := w[0]
	for i, v := range f {
		z += w[i+1] * v
	}
	return 1 / (1 + math.Exp(-z))
}

// solve returns x with a·x = b, by elimination with pivots.
func solve(a [5][5]float64, b [5]float64) (x [5]float64, ok bool) {
	for i := range a {
		p := i
		for r := i + 1; r < len(a); r++ {
			if math.Abs(a[r][i]) > math.Abs(a[p][i]) {
				p = r
			}
		}
		if math.Abs(a[p][i]) < 1e-12 {
			return x, false
		}
		a[i], a[p], b[i], b[p] = a[p], a[i], b[p], b[i]
		for r := i + 1; r < len(a); r++ {
			f := a[r][i] / a[i][i]
			for c := i; c < len(a); c++ {
				a[r][c] -= f * a[i][c]
			}
			b[r] -= f * b[i]
		}
	}
	for i := len(a) - 1; i >= 0; i-- {
		x[i] = b[i]
		for c := i + 1; c < len(a); c++ {
			x[i] -= a[i][c] * x[c]
		}
		x[i] /= a[i][i]
	}
	return x, true
}

// readTraces reads WORKLOAD.csv.gz with ts,cpu_mcores,mem_mib and more, in the order of their names.
func readTraces(dir string) ([]replay.Trace, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.csv.gz"))
	if err != nil {
		return nil, err
	}
	out := make([]replay.Trace, len(files))
	for i, path := range files {
		if out[i], err = readTrace(path); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return out, nil
}

func readTrace(path string) (t replay.Trace, err error) {
	f, err := os.Open(path)
	if err != nil {
		return t, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return t, err
	}
	r := csv.NewReader(z)
	head, err := r.Read()
	if err != nil {
		return t, err
	}
	if !strings.HasPrefix(strings.Join(head, ",")+",", "ts,cpu_mcores,mem_mib,") {
		return t, fmt.Errorf("columns %v, want ts,cpu_mcores,mem_mib first", head)
	}
	number := func(cell string) (float64, error) {
		if cell == "" {
			return math.NaN(), nil
		}
		return strconv.ParseFloat(cell, 64)
	}
	t.Name = strings.TrimSuffix(filepath.Base(path), ".csv.gz")
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return t, err
		}
		ts, e1 := strconv.ParseInt(row[0], 10, 64)
		cpu, e2 := number(row[1])
		memory, e3 := number(row[2])
		if err := errors.Join(e1, e2, e3); err != nil {
			return t, err
		}
		t.Times = append(t.Times, ts)
		t.CPU, t.Memory = append(t.CPU, float32(cpu/1000)), append(t.Memory, float32(memory*(1<<20)))
	}
}
