package forecast

import (
	"bytes"
	"fmt"
	"go/format"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/accuracy"
)

// TestTrainGate learns the gate of auto from the open series of the shared data and
// writes gate_weights.go; a few minutes, only where UPID_TRAIN is set. It first learns from one
// half of the series and scores the other, both ways round: those figures, not the
// fit, are what the gate is worth.
func TestTrainGate(t *testing.T) {
	if os.Getenv("UPID_TRAIN") == "" {
		t.Skip("set UPID_TRAIN=1 to learn the gate again")
	}
	lessons := learnable(t)
	crossed := make([]*gate, 2)
	for half := range crossed {
		crossed[half] = learnGate(lessons, func(l *lesson) bool { return l.half != half })
	}
	scoreGates(t, "inverse squared errors", lessons, func(*lesson) *gate { return plainGate() })
	scoreGates(t, "learned from the other half", lessons, func(l *lesson) *gate { return crossed[l.half] })
	all := learnGate(lessons, func(*lesson) bool { return true })
	scoreGates(t, "learned from all, which flatters", lessons, func(*lesson) *gate { return all })
	writeGate(t, all)
}

// lesson is a window: the inputs of the gate, the forecasts of the members in
// ascending order for every step, and what came.
type lesson struct {
	set     string // tasks that are scored, or other windows
	kind    string
	half    int
	weight  float64
	x       [][]float64
	values  [][]float64
	order   [][]int
	future  []float64 // in the unit of the seasonal difference, as values are
	base    float64   // MASE of the plain gate
	naive   float64   // MASE of a week ago
	n2, ns2 float64   // MASE and sMAPE of the seasonal naive forecast, for the sum
	block   int
	scale   float64
}

// learnable returns the lessons: the tasks, and other windows of the same open series.
func learnable(t *testing.T) []*lesson {
	var all []task
	var sets []string
	add := func(set string, ts []task) {
		for _, x := range ts {
			all, sets = append(all, x), append(sets, set)
		}
	}
	add("servers", tasks(t, "tasks_server7d.csv.gz", 1))
	add("m4", tasks(t, "tasks_m4h.csv.gz", 1))
	rng := rand.New(rand.NewPCG(1, 1))
	for _, f := range [...]struct {
		file, kind string
		windows    int
		apart      int
		keep       float64
	}{
		{"bitbrains_rnd_hourly.csv.gz", "bitbrains", 3, 400, 0.8},
		{"cloudcluster_hourly.csv.gz", "cloudcluster", 6, 100, 1},
		{"ett_hourly.csv.gz", "ett", 40, 400, 1},
		{"nab_hourly.csv.gz", "nab", 8, 200, 1},
		{"dc_aggregate_hourly.csv.gz", "dcagg", 6, 60, 1},
	} {
		add("other", windows(t, rng, f.file, f.kind, f.windows, f.apart, f.keep))
	}
	add("other", m4Windows(t))
	lessons := make([]*lesson, len(all))
	var wg sync.WaitGroup
	const workers = 2
	for w := range workers {
		wg.Go(func() {
			var s Scratch
			for i := w; i < len(all); i += workers {
				lessons[i] = newLesson(t, sets[i], all[i], &s)
			}
		})
	}
	wg.Wait()
	return slices.DeleteFunc(lessons, func(l *lesson) bool { return l == nil })
}

// windows cuts windows of up to 28 days and the 7 days after them out of a file of
// long series; some shorter, some with 2 days after them.
func windows(t *testing.T, rng *rand.Rand, file, kind string, count, apart int, keep float64) []task {
	var out []task
	eachLine(t, file, func(cells []string) {
		v := gappy(t, cells[3:])
		for w := range count {
			if rng.Float64() > keep {
				continue
			}
			end := len(v) - w*apart - rng.IntN(max(1, min(apart, len(v)/8)))
			n, h := 672, 168
			if rng.Float64() < 0.2 {
				n = 168 + rng.IntN(504)
			}
			if rng.Float64() < 0.15 {
				h = 48
			}
			from := max(0, end-h-n)
			if end-h-from < 168 {
				return
			}
			y, future := v[from:end-h], v[end-h:end]
			if usable(y, future) {
				out = append(out, task{kind: kind, id: cells[0], y: series.Series{Step: hour, Values: y}, future: future})
			}
		}
	})
	return out
}

// usable holds windows to what the tasks were held to.
func usable(y, future []float64) bool {
	seen := map[float64]bool{}
	sum, missing := 0.0, 0
	for _, v := range y {
		if math.IsNaN(v) {
			missing++
			continue
		}
		seen[v] = true
		sum += math.Abs(v)
	}
	for _, v := range future {
		if math.IsNaN(v) {
			missing++
		}
	}
	return missing*20 <= len(y)+len(future) && len(seen) >= 24 && accuracy.SeasonalScale(y, 24) >= 0.01*sum/float64(len(y)-missing)
}

// m4Windows cuts windows out of the training parts of the M4 series.
func m4Windows(t *testing.T) []task {
	var out []task
	eachLine(t, "m4_hourly_train.csv.gz", func(cells []string) {
		v := gappy(t, cells[3:])
		for len(v) > 0 && math.IsNaN(v[len(v)-1]) {
			v = v[:len(v)-1]
		}
		for _, back := range []int{0, 48, 120, 240, 330} {
			if n := len(v) - 48 - back; n >= 300 {
				out = append(out, task{kind: "m4h", id: cells[0], y: series.Series{Step: hour, Values: v[:n]}, future: v[n : n+48]})
			}
		}
	})
	return out
}

// halfOf splits series by a hash; those of one machine or cluster stay together.
func halfOf(id string) int {
	if p := strings.Split(id, "_"); p[0] == "bitbrains" || p[0] == "cloudcluster" {
		id = p[1]
	}
	h := fnv.New32a()
	h.Write([]byte("x" + id))
	return int(h.Sum32()>>5) & 1
}

func newLesson(t *testing.T, set string, x task, s *Scratch) *lesson {
	s.reset()
	h := &s.history
	if err := h.clean(x.y, 1, s); err != nil {
		t.Error(err)
		return nil
	}
	c := newCombination("auto", autoPool(), 7)
	r := roll(c.members(h), h, len(x.future), c.folds, s)
	g := plainGate()
	l := &lesson{
		set: set, kind: x.kind, half: halfOf(x.id), weight: 1, future: slices.Clone(x.future), block: h.grid.block(),
		scale: accuracy.SeasonalScale(x.y.Values, 24),
	}
	if set == "servers" {
		l.weight = 2
	}
	if len(r.ends) < 2 || !(l.scale > 0) {
		return nil
	}
	for _, row := range g.inputs(&r, s) {
		l.x = append(l.x, slices.Clone(row))
	}
	last := len(r.ends) - 1
	for k := range x.future {
		order := make([]int, len(r.members))
		values := make([]float64, len(r.members))
		for j := range order {
			order[j] = j
		}
		at := func(j int) float64 {
			v := h.unscale(r.members[j][last][k])
			if h.positive {
				v = max(v, 0)
			}
			return v / l.scale
		}
		slices.SortStableFunc(order, func(a, b int) int {
			switch va, vb := at(a), at(b); {
			case va < vb:
				return -1
			case va > vb:
				return 1
			}
			return 0
		})
		for i, j := range order {
			values[i] = at(j)
		}
		l.values, l.order = append(l.values, values), append(l.order, order)
		l.future[k] /= l.scale
	}
	l.base = accuracy.MAE(l.future, l.forecast(g))
	naive := make([]float64, len(x.future))
	repeatSeason(naive, h.y, min(168, len(h.y)))
	for k := range naive {
		naive[k] = h.unscale(naive[k]) / l.scale
	}
	l.naive = accuracy.MAE(l.future, naive)
	repeatSeason(naive, h.y, 24)
	for k := range naive {
		naive[k] = h.unscale(naive[k]) / l.scale
	}
	l.n2, l.ns2 = accuracy.MAE(l.future, naive), accuracy.SMAPE(l.future, naive)
	return l
}

func plainGate() *gate {
	g := &gate{}
	for _, m := range autoPool() {
		g.pool = append(g.pool, m.name)
		var c [gateWidth]float64
		c[gateError] = -2
		g.c = append(g.c, c)
	}
	return g
}

// forecast returns the trimmed mean under g.
func (l *lesson) forecast(g *gate) []float64 {
	out := make([]float64, len(l.future))
	w := make([]float64, len(g.pool))
	for k := range out {
		if k%l.block == 0 {
			g.softmax(w, l.x[min(k/l.block, len(l.x)-1)])
		}
		out[k] = centre(l.values[k], l.order[k], w, gateTrim)
	}
	return out
}

func scoreGates(t *testing.T, what string, lessons []*lesson, pick func(*lesson) *gate) {
	var kinds []string
	sums := map[string]*[6]float64{}
	for _, l := range lessons {
		p := l.forecast(pick(l))
		mase, smape := accuracy.MAE(l.future, p), accuracy.SMAPE(l.future, p)
		for _, key := range []string{l.set, l.set + " " + l.kind} {
			if sums[key] == nil {
				sums[key] = new([6]float64)
				kinds = append(kinds, key)
			}
			s := sums[key]
			s[0] += math.Log((mase + 0.05) / (l.naive + 0.05))
			s[1] += mase
			s[2] += smape
			s[3] += l.n2
			s[4] += l.ns2
			s[5]++
		}
	}
	slices.Sort(kinds)
	for _, key := range kinds {
		s := sums[key]
		t.Logf("%-34s %-26s n %4.0f  rel168 %.4f  MASE %.4f  sMAPE %.3f", what, key, s[5], math.Exp(s[0]/s[5]), s[1]/s[5], s[2]/s[5])
	}
}

func writeGate(t *testing.T, g *gate) {
	var b bytes.Buffer
	b.WriteString("package forecast\n\n// autoGate weighs the members of Auto: one row for each, with the inputs of the gate as columns.\n// Written by TestTrainGate; do not edit.\nvar autoGate = gate{\n\tpool: []string{\n")
	for _, name := range g.pool {
		fmt.Fprintf(&b, "%q,\n", name)
	}
	b.WriteString("},\nc: [][gateWidth]float64{\n")
	for _, row := range g.c {
		cells := make([]string, len(row))
		for i, v := range row {
			cells[i] = fmt.Sprintf("%.3f", v)
		}
		b.WriteString("{" + strings.Join(cells, ", ") + "},\n")
	}
	b.WriteString("},\n}\n")
	text, err := format.Source(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("gate_weights.go", text, 0o644); err != nil {
		t.Fatal(err)
	}
}
