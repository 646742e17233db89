package learn_test

import (
	"bufio"
	"compress/gzip"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/features"
	"github.com/upid/upid/forecast/learn"
)

// TestReliability measures what intervals hold on rows that were not learned from, on other data than the
// example's: hourly series of the shared data (UPID_SHARED), each cut at three ends, features of cpu over
// 24h, 7d and 30d, the target a day's mean 7 days ahead. It runs with UPID_RELIABILITY=1;
// docs/models.md has what it printed. It fails if the intervals are off by more than they were
// found to be.
func TestReliability(t *testing.T) {
	if os.Getenv("UPID_RELIABILITY") == "" {
		t.Skip("minutes; set UPID_RELIABILITY=1")
	}
	off := map[float64]series.Mean{}
	for _, set := range []struct {
		name, file, part string
		every            int // hours between the rows of a series
	}{
		{"machines, CPU", "bitbrains_rnd_hourly.csv.gz", "_cpu", 72},
		{"machines, memory", "bitbrains_rnd_hourly.csv.gz", "_mem", 72},
		{"machines, network", "bitbrains_rnd_hourly.csv.gz", "_net", 120},
		{"transformers", "ett_hourly.csv.gz", "", 24},
		{"clouds, sites, prices", "nab_hourly.csv.gz", "", 12},
	} {
		all := hourlySeries(t, set.file, set.part)
		for _, end := range []float64{0.7, 0.85, 1} {
			m, err := learn.Train(learn.Number, reliabilityRows(all, end, set.every), learn.Config{Epochs: 100, Algorithm: learn.Auto, Level: 0.9, Seed: 1})
			if err != nil {
				t.Logf("%s, to %.2f: %v", set.name, end, err)
				continue
			}
			var curve []string
			for _, c := range m.Report.Calibration {
				curve = append(curve, strconv.FormatFloat(c.Said, 'g', 3, 64)+" "+strconv.FormatFloat(c.Was, 'f', 3, 64))
				o := off[c.Said]
				o.Add(c.Was - c.Said)
				off[c.Said] = o
			}
			t.Logf("%s, to %.2f: %s, %d rows held out, %s", set.name, end, m.Algorithm, m.Report.Test, strings.Join(curve, ", "))
		}
	}
	worst := 0.0
	for said, o := range off {
		t.Logf("said %g: off by %+.3f on average", said, o.Value())
		worst = max(worst, math.Abs(o.Value()))
	}
	if len(off) == 0 || worst > 0.07 {
		t.Errorf("off by %.3f on average at one level", worst)
	}
}

// hourlySeries reads the series of a file whose name holds part, with their first times.
func hourlySeries(t *testing.T, file, part string) (out []series.Series) {
	t.Helper()
	shared := os.Getenv("UPID_SHARED")
	if shared == "" {
		shared = "../../../shared"
	}
	f, err := os.Open(filepath.Join(shared, "data", "forecast", file))
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		cells := strings.Split(lines.Text(), ",")
		if strings.HasPrefix(cells[0], "#") || !strings.Contains(cells[0], part) {
			continue
		}
		start, err := strconv.ParseInt(cells[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		y := series.Series{Start: start * 1000, Step: 3_600_000}
		for _, c := range cells[3:] {
			v, err := strconv.ParseFloat(c, 64)
			if err != nil {
				v = math.NaN()
			}
			y.Values = append(y.Values, v)
		}
		out = append(out, y)
	}
	if len(out) == 0 {
		t.Fatalf("%s holds no series of %q", file, part)
	}
	return out
}

// reliabilityRows are rows of the first share of each series.
func reliabilityRows(all []series.Series, share float64, every int) learn.Data {
	table := features.Of(features.ResourcePrediction)
	fs := slices.DeleteFunc(table.All(), func(f features.Feature) bool { return f.Base != "cpu" || f.Of != "" })
	target := table.Targets[0]
	d := learn.Data{Columns: make([][]float64, len(fs)), Gap: (7 * 24 * time.Hour).Milliseconds()}
	for _, f := range fs {
		d.Features = append(d.Features, f.Name)
	}
	for k, y := range all {
		y.Values = y.Values[:int(share*float64(len(y.Values)))]
		h := features.History{"cpu": y}
		for i := 24 + k%24; i+7*24 < len(y.Values); i += every {
			at := y.At(i)
			v := target.Compute(h, at).Value
			if math.IsNaN(v) {
				continue
			}
			for j, f := range features.Compute(fs, h, at, time.UTC) {
				d.Columns[j] = append(d.Columns[j], f.Value)
			}
			d.Target, d.Times = append(d.Target, v), append(d.Times, at)
		}
	}
	return d
}
