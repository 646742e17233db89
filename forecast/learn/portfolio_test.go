package learn_test

import (
	"bufio"
	"compress/gzip"
	"hash/fnv"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast"
	"github.com/upid/upid/forecast/learn"
)

// TestPortfolio measures what a model learned over all series would add to the forecast
// auto: trained on one half of the machines, judged on the other, and the reverse. It
// runs with UPID_PORTFOLIO=1 where the shared data are (UPID_SHARED); docs/models.md has what
// it printed. It fails if the learned model wins and should be a member after all.
func TestPortfolio(t *testing.T) {
	if os.Getenv("UPID_PORTFOLIO") == "" {
		t.Skip("minutes; set UPID_PORTFOLIO=1")
	}
	tasks := serverTasks(t)
	auto, err := forecast.New("auto", nil)
	if err != nil {
		t.Fatal(err)
	}
	var scratch forecast.Scratch
	for i := range tasks {
		tasks[i].prepare(t, auto, &scratch)
	}
	for _, algorithm := range learn.Algorithms() {
		for _, over := range []bool{true, false} {
			portfolio(t, tasks, algorithm, over)
		}
	}
}

// portfolio trains and judges one algorithm, over the forecast auto or over the simple
// ones alone.
func portfolio(t *testing.T, tasks []serverTask, algorithm string, over bool) {
	t.Helper()
	what := algorithm + " over simple forecasts"
	if over {
		what = algorithm + " over auto"
	}
	var logs [3]float64 // learned alone, a quarter of it, a half
	n := 0.0
	for half := range uint32(2) {
		m, err := learn.Train(learn.Number, rowsOf(tasks, half, over), learn.Config{Epochs: 100, Algorithm: algorithm, Level: 0.9, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s, half %d: %s, skill against the nearest forecast %.3f", what, half, m.Algorithm, m.Report.Metric("skill"))
		for _, k := range tasks {
			if k.half == half {
				continue
			}
			base := k.mase(func(h int) float64 { return k.auto[h] })
			learned := make([]float64, len(k.future))
			for h := range learned {
				o, err := m.At(k.row(h, over), false)
				if err != nil {
					t.Fatal(err)
				}
				learned[h] = o.Value * k.scale
			}
			for i, share := range []float64{1, 0.25, 0.5} {
				e := k.mase(func(h int) float64 { return share*learned[h] + (1-share)*k.auto[h] })
				logs[i] += math.Log((e + 0.05) / (base + 0.05))
			}
			n++
		}
	}
	alone, quarter, half := math.Exp(logs[0]/n), math.Exp(logs[1]/n), math.Exp(logs[2]/n)
	t.Logf("%s: error to that of auto on machines not learned from, %d tasks: alone %.3f, a quarter %.3f, a half %.3f", what, int(n), alone, quarter, half)
	if min(alone, quarter, half) < 0.98 {
		t.Errorf("%s wins 2 %%: make it a member", what)
	}
}

// serverTask is a history of a machine and the week that followed, with forecasts.
type serverTask struct {
	half         uint32
	y            series.Series
	future, auto []float64
	members      [][]float64 // forecasts of simple models
	levels       []float64
	scale, diff  float64
}

var simple = []string{"hour_of_day_median", "hour_of_week_median", "seasonal_naive", "ar_ridge", "median"}

func (k *serverTask) prepare(t *testing.T, auto forecast.Forecaster, s *forecast.Scratch) {
	t.Helper()
	point := func(f forecast.Forecaster) []float64 {
		n := len(k.future)
		dst := &series.Forecast{Band: series.Band{Point: make([]float64, n), Lower: make([]float64, n), Upper: make([]float64, n), Level: 0.9}}
		if err := f.Forecast(dst, k.y, forecast.Calendar{}, s); err != nil {
			t.Fatal(err)
		}
		return dst.Point
	}
	k.auto = point(auto)
	for _, name := range simple {
		f, err := forecast.New(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		k.members = append(k.members, point(f))
	}
	y := k.y.Values
	for _, n := range []int{6, 24, 168} {
		k.levels = append(k.levels, mean(y[max(0, len(y)-n):]))
	}
	k.scale = max(math.Abs(mean(y)), 1e-9)
	sum, n := 0.0, 0.0
	for i := 24; i < len(y); i++ {
		if d := math.Abs(y[i] - y[i-24]); !math.IsNaN(d) {
			sum += d
			n++
		}
	}
	k.diff = max(sum/n, 1e-9)
}

func mean(v []float64) float64 {
	var m series.Mean
	for _, x := range v {
		m.Add(x)
	}
	return m.Value()
}

// row is what is known of hour h ahead, in units of the mean of the machine.
func (k *serverTask) row(h int, over bool) []float64 {
	x := []float64{k.auto[h] / k.scale, float64(h), k.diff / k.scale, float64(len(k.y.Values))}
	for _, m := range k.members {
		x = append(x, m[h]/k.scale)
	}
	for _, l := range k.levels {
		x = append(x, l/k.scale)
	}
	if !over {
		x[0] = math.NaN()
	}
	return x
}

func (k *serverTask) mase(at func(h int) float64) float64 {
	var m series.Mean
	for h, v := range k.future {
		m.Add(math.Abs(v - max(0, at(h))))
	}
	return m.Value() / k.diff
}

// rowsOf are rows of one half of the machines, every sixth hour, machine by machine.
func rowsOf(tasks []serverTask, half uint32, over bool) learn.Data {
	d := learn.Data{Features: slices.Concat([]string{"auto", "ahead", "differences", "history"}, simple, []string{"level_6h", "level_1d", "level_7d"})}
	d.Columns = make([][]float64, len(d.Features))
	for _, k := range tasks {
		if k.half != half {
			continue
		}
		for h := 0; h < len(k.future); h += 6 {
			if math.IsNaN(k.future[h]) {
				continue
			}
			for j, v := range k.row(h, over) {
				d.Columns[j] = append(d.Columns[j], v)
			}
			d.Target = append(d.Target, k.future[h]/k.scale)
		}
	}
	return d
}

func serverTasks(t *testing.T) []serverTask {
	t.Helper()
	shared := os.Getenv("UPID_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	f, err := os.Open(filepath.Join(shared, "data", "forecast", "tasks_server7d.csv.gz"))
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []serverTask
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<24)
	number := func(s string) float64 {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return math.NaN()
		}
		return v
	}
	for lines.Scan() {
		cells := strings.Split(lines.Text(), ",")
		if strings.HasPrefix(cells[0], "#") || math.IsNaN(number(cells[8])) {
			continue
		}
		n := int(number(cells[8]))
		var v []float64
		for _, c := range cells[9:] {
			v = append(v, number(c))
		}
		h := fnv.New32a()
		machine := cells[2][:max(0, strings.LastIndexByte(cells[2], '_'))] // all metrics of a machine are on one side
		_, _ = h.Write([]byte(machine))
		out = append(out, serverTask{
			half: h.Sum32() >> 7 % 2, y: series.Series{Start: 1000 * int64(number(cells[3])), Step: 1000 * int64(number(cells[4])), Values: v[:n]}, future: v[n:],
		})
	}
	// Machines in an order that has nothing to do with their kind: the newest fifth judges.
	slices.SortStableFunc(out, func(a, b serverTask) int { return len(a.y.Values)*31%97 - len(b.y.Values)*31%97 })
	return out
}
