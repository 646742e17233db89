package models

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/feedback"
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

// TestExtractExcluded: a window that is not learned from is a gap of the workloads it is
// about, in features and in targets, whole or in part of an hour.
func TestExtractExcluded(t *testing.T) {
	marked := labels.FromStrings("cluster", "", "namespace", "n", "workload", "w0")
	from, to := until.AddDate(0, 0, -10), until.AddDate(0, 0, -10).Add(6*time.Hour)
	x := Extraction{ModelType: features.ResourcePrediction, From: until.AddDate(0, 0, -30).UnixMilli(), To: until.UnixMilli(), Every: 6 * time.Hour, Location: time.UTC}
	incident := func() *fakeServer {
		f := cluster(2)
		for name, value := range f.bases {
			f.bases[name] = func(w, h int) float64 {
				if at := int64(h) * hour; at > from.UnixMilli() && at-hour < to.UnixMilli() {
					return 1000 * value(w, h)
				}
				return value(w, h)
			}
		}
		return f
	}
	rows := func(f *fakeServer, excluded func(string, labels.Labels) []feedback.Span) *Rows {
		t.Helper()
		x.Excluded = excluded
		r, err := Extract(t.Context(), f, x)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	of := func(r *Rows, workload int) (out []string) {
		for i := range r.N {
			if !strings.HasSuffix(r.workloads[i], fmt.Sprint("w", workload)) {
				continue
			}
			for _, cs := range [][][]float64{r.Columns, r.Values} {
				for _, c := range cs {
					out = append(out, fmt.Sprintf("%.6g", c[i]))
				}
			}
		}
		return out
	}
	excluded := rows(incident(), func(signal string, ls labels.Labels) []feedback.Span {
		if signal != "" || ls.Get("workload") != marked.Get("workload") {
			return nil
		}
		return []feedback.Span{{From: from.UnixMilli(), To: to.UnixMilli()}}
	})
	gap := cluster(2)
	for name, value := range gap.bases {
		gap.bases[name] = func(w, h int) float64 {
			if at := int64(h) * hour; at > from.UnixMilli() && at-hour < to.UnixMilli() {
				return math.NaN()
			}
			return value(w, h)
		}
	}
	if got, want := of(excluded, 0), of(rows(gap, nil), 0); len(got) == 0 || !slices.Equal(got, want) {
		t.Error("the workload that is marked has other rows than with a gap")
	}
	with := rows(incident(), nil)
	if slices.Equal(of(with, 0), of(excluded, 0)) || !slices.Equal(of(with, 1), of(excluded, 1)) {
		t.Error("the incident does not show where it is learned from, or the other workload is left out too")
	}
}

// TestLeaveOut: rows of files whose time, or whose target's time, is marked are left out; a window of
// series counts for rows with labels.
func TestLeaveOut(t *testing.T) {
	rows := asked(t, `[{"timestamp": 1000, "a": 1}, {"timestamp": 2000, "labels": {"namespace": "shop"}, "a": 2}, {"timestamp": 2000, "labels": {"namespace": "bank", "n": 3}, "a": 3},
		{"timestamp": 5000, "a": 4}, {"timestamp": 9000, "a": 5}]`)
	excluded := func(signal string, ls labels.Labels) []feedback.Span {
		if ls.Get("namespace") == "shop" {
			return []feedback.Span{{From: 2_000_000, To: 2_000_001}}
		}
		return []feedback.Span{{From: 900_000, To: 1_500_000}, {From: 8_500_000, To: 8_700_000}}
	}
	got := rows.LeaveOut(excluded, time.Hour) // the target of the row at 5000 is of 8600
	if got.N != 2 || got.LeftOut != 3 || !slices.Equal(got.Columns[0], []float64{3, 5}) || got.labels[0].Get("namespace") != "bank" || len(got.labels) != 1 {
		t.Errorf("%+v", got)
	}
	timeless := asked(t, `[{"a": 1}]`)
	if timeless.LeaveOut(excluded, 0) != timeless || rows.LeaveOut(nil, 0) != rows {
		t.Error("rows without times are not all kept")
	}
}
