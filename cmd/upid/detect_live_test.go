package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/series"
)

// rowSink writes the rows that `upid detect -o csv` would.
type rowSink struct {
	schema *output.Schema
	rows   map[string]*strings.Builder // by task
}

func (s *rowSink) Write(_ context.Context, task string, _ int64, rs []series.Result) error {
	for _, r := range rs {
		var open *series.Finding
		for i := range r.Findings {
			if r.Findings[i].Open() {
				open = &r.Findings[i]
			}
		}
		rows := s.schema.Rows(nil)
		appendScore(rows, task, r.Time, r.Observed, *r.Score, open)
		s.rows[task].Write(rows.Bytes())
	}
	return nil
}

func (*rowSink) Expire(string) {}
func (*rowSink) Drop(string)   {}

// TestDetectIsLiveScoring feeds the same samples to `upid detect` and, through a
// Prometheus API, to the pipeline that `upid start` runs, and compares the rows
// byte by byte: after a fit on three days, slot by slot over seven.
func TestDetectIsLiveScoring(t *testing.T) {
	const (
		step   = 300
		points = 10 * 288
		fitAt  = 3 * 288
	)
	rng := rand.New(rand.NewPCG(7, 8))
	value := map[string]func(i int) float64{
		"spiky": func(i int) float64 {
			v := 200 + wave(i/12) + 3*rng.NormFloat64()
			if i > 2000 && i < 2030 {
				v *= 2
			}
			return v
		},
		"gappy": func(i int) float64 {
			if i > 1500 && i < 1560 || i%397 == 0 {
				return math.NaN()
			}
			return 1e9 + 1e7*rng.NormFloat64()
		},
		"shifted": func(i int) float64 {
			v := rng.ExpFloat64()
			if i > 2200 {
				v += 8
			}
			return v
		},
	}
	names := []string{"gappy", "shifted", "spiky"}
	var csv strings.Builder
	csv.WriteString("series,timestamp,value\n")
	samples := map[string][]float64{}
	for _, name := range names {
		samples[name] = make([]float64, points)
		for i := range points {
			v := value[name](i)
			samples[name][i] = v
			if !math.IsNaN(v) {
				fmt.Fprintf(&csv, "%s,%d,%v\n", name, monday+step*i, v)
			}
		}
	}
	o := upid(t, csv.String(), "detect --input - --budget 2/week --direction both --min-relative 0.01 -o csv")
	o.want(t, exitOK)

	yaml := "signals:\n"
	for _, name := range names {
		yaml += fmt.Sprintf("  - {name: %s, query: %s, step: 5m, forecast: {enabled: false}, detect: {budget: 2/week, min_relative: 0.01}}\n", name, name)
	}
	sink := &rowSink{schema: output.NewSchema(output.CSV, detectColumns...), rows: map[string]*strings.Builder{}}
	for _, name := range names {
		sink.rows[name] = new(strings.Builder)
	}
	live(t, yaml, samples, fitAt, sink)

	want := map[string]*strings.Builder{}
	kinds := map[string]bool{}
	for line := range strings.Lines(o.stdout) {
		cell := strings.Split(strings.TrimSpace(line), ",")
		if cell[0] == "series" || cell[1] <= fmt.Sprint(monday+step*fitAt) { // ten digits each
			continue
		}
		if want[cell[0]] == nil {
			want[cell[0]] = new(strings.Builder)
		}
		want[cell[0]].WriteString(line)
		kinds[cell[8]] = true
	}
	for _, name := range names {
		got, want := strings.Split(sink.rows[name].String(), "\n"), strings.Split(want[name].String(), "\n")
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Errorf("%s: %d rows live, %d of the command; row %d differs:\nlive    %s\ncommand %s", name, len(got), len(want), i, got[min(i, len(got)-1)], want[min(i, len(want)-1)])
				break
			}
		}
	}
	for _, kind := range []string{series.TypeSpike, series.TypeMissing} {
		if !kinds[kind] {
			t.Errorf("no %s among the rows: the test shows little (%v)", kind, kinds)
		}
	}
}
