package models

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/features"
)

// fakeServer answers with hourly series of some workloads; of a base that is not among
// them it knows nothing.
type fakeServer struct {
	workloads int
	bases     map[string]func(workload, hour int) float64
	partial   bool
	asked     []string
}

func (f *fakeServer) Query(_ context.Context, expr string, from, to, step int64) (series.Data, error) {
	f.asked = append(f.asked, expr)
	d := series.Data{Partial: f.partial, Warnings: []string{"a store is down"}}
	for name, b := range features.Bases {
		value := f.bases[name]
		if b.PromQL != expr || value == nil {
			continue
		}
		for w := range f.workloads {
			y := series.Series{Labels: labels.FromStrings("namespace", "n", "workload", "w"+strconv.Itoa(w)), Start: from, Step: step}
			for t := from; t <= to; t += step {
				y.Values = append(y.Values, value(w, int(t/hour)))
			}
			d.Series = append(d.Series, y)
		}
	}
	return d, nil
}

// cluster wanders: each workload has a level that moves, and goes back to its mean.
func cluster(workloads int) *fakeServer {
	level := func(salt int) func(w, h int) float64 {
		return func(w, h int) float64 {
			r := rand.New(rand.NewPCG(uint64(w*1000+salt), uint64(h/24)))
			return math.Exp(float64(w%5)) * (1 + 0.5*r.Float64() + 0.1*math.Sin(float64(h)/24*2*math.Pi))
		}
	}
	return &fakeServer{workloads: workloads, bases: map[string]func(int, int) float64{
		"cpu": level(1), "memory": level(2), "network": level(3), "cost": level(4), "requests": level(5), "errors": func(w, h int) float64 { return 0.01 * level(5)(w, h) },
	}}
}

var until = time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)

// TestExtract: what a server knows becomes rows that a version is trained from and asked
// with, under the names of the table.
func TestExtract(t *testing.T) {
	server := cluster(20)
	rows, err := Extract(t.Context(), server, Extraction{
		ModelType: features.ResourcePrediction, From: until.AddDate(0, 0, -60).UnixMilli(), To: until.UnixMilli(), Every: 12 * time.Hour, Location: time.UTC,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(server.asked) != len(features.Of(features.ResourcePrediction).BaseNames()) {
		t.Errorf("%d queries", len(server.asked))
	}
	have := map[string]bool{}
	for _, f := range rows.Features {
		have[f] = true
	}
	for _, f := range features.Of(features.ResourcePrediction).Contract {
		if !have[f.Name] {
			t.Errorf("no %s", f.Name)
		}
	}
	if have["replicas_24h_avg"] || !have["hour_of_day"] {
		t.Errorf("features %v", rows.Features)
	}
	if strings.Join(rows.Targets, " ") != "cpu memory network cost" {
		t.Errorf("targets %v", rows.Targets)
	}
	// The newest seven days have no target yet.
	newest := rows.Times[rows.N-1]
	if age := until.UnixMilli() - newest; age < 6*24*hour || age > 7*24*hour {
		t.Errorf("the newest row is %v old", time.Duration(age)*time.Millisecond)
	}
	v, err := Train(t.Context(), Training{ModelType: features.ResourcePrediction, Rows: rows, Source: "test", Epochs: 30, Horizon: -1, Now: func() time.Time { return until }})
	if err != nil {
		t.Fatal(err)
	}
	if !v.Passed() || v.Horizon != "7d" || len(v.Models) != 4 {
		t.Errorf("%+v", v.Record)
	}
}

func TestExtractRefuses(t *testing.T) {
	x := Extraction{ModelType: features.AnomalyDetection, From: until.AddDate(0, 0, -3).UnixMilli(), To: until.UnixMilli(), Every: time.Hour, Location: time.UTC}
	if _, err := Extract(t.Context(), &fakeServer{}, x); !errors.Is(err, ErrNoRows) || !strings.Contains(err.Error(), "cAdvisor") {
		t.Errorf("nothing known: %v", err)
	}
	partial := cluster(1)
	partial.partial = true
	if _, err := Extract(t.Context(), partial, x); err == nil || !strings.Contains(err.Error(), "a store is down") {
		t.Errorf("an incomplete answer: %v", err)
	}
	rows, err := Extract(t.Context(), cluster(2), x)
	if err != nil || rows.N != 2*73 || len(rows.Targets) != 0 {
		t.Errorf("%d rows, %v", rows.N, err)
	}
	x.ModelType = features.SecurityThreat
	if _, err := Extract(t.Context(), cluster(2), x); !errors.Is(err, ErrNoRows) || !strings.Contains(err.Error(), "labelled") {
		t.Errorf("threats: %v", err)
	}
}
