package models

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/collector/audit"
	"github.com/upid/upid/forecast/features"
)

// driven is a cluster whose CPU follows the requests of a week before, which a model can
// learn and no naive prediction knows.
func driven(workloads int) *fakeServer {
	f := cluster(workloads)
	requests := func(w, h int) float64 {
		return rand.New(rand.NewPCG(uint64(w*1000+77), uint64(h/24))).Float64()
	}
	f.bases["requests"] = func(w, h int) float64 { return 1 + requests(w, h) }
	f.bases["cpu"] = func(w, h int) float64 { return math.Exp(float64(w%5)) * (0.5 + requests(w, h-7*24)) }
	return f
}

// lived is a service whose active version was trained on the rows until a time, with what
// the server knows and the clock some days later.
func lived(t *testing.T, server *fakeServer, days int) (s *Service, trail string) {
	t.Helper()
	rows, err := Extract(t.Context(), driven(12), Extraction{
		ModelType: features.ResourcePrediction, From: until.AddDate(0, 0, -60).UnixMilli(), To: until.UnixMilli(), Every: 12 * time.Hour, Location: time.UTC,
	})
	if err != nil {
		t.Fatal(err)
	}
	at := until
	v, err := Train(t.Context(), Training{
		ModelType: features.ResourcePrediction, Rows: rows, Every: 12 * time.Hour, Epochs: 60, Horizon: -1, Now: func() time.Time { return at },
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	trail = filepath.Join(dir, audit.FileName)
	s = NewService(ServiceOptions{
		Registry: NewRegistry(dir, nil), Trail: audit.New(trail), Querier: server, Progress: ProgressFile(dir, nil),
		Now: func() time.Time { return until.AddDate(0, 0, days) }, Location: time.UTC,
	})
	if _, err := s.o.Registry.Keep(t.Context(), Journal{Trail: s.o.Trail, Actor: "test", Source: "test"}, v, rows); err != nil {
		t.Fatal(err)
	}
	return s, trail
}

// judged looks at the models of resource_prediction once and returns what was measured of
// the active version, by target.
func judged(t *testing.T, s *Service) (*Judged, map[string]Live) {
	t.Helper()
	s.life.look(t.Context(), features.ResourcePrediction)
	p := s.life.of(features.ResourcePrediction)
	if p.Live == nil || p.Live.Error != "" {
		t.Fatalf("%+v", p.Live)
	}
	by := map[string]Live{}
	for _, l := range p.Live.Live {
		by[l.Target] = l
	}
	return p.Live, by
}

// TestVersionJudgedLive: beside skill and coverage there are MASE, sMAPE, bias, residual drift
// and how far the features moved.
func TestVersionJudgedLive(t *testing.T) {
	s, _ := lived(t, driven(12), 30)
	j, by := judged(t, s)
	if len(by) != 4 || len(j.Features) == 0 {
		t.Fatalf("%+v", j)
	}
	for _, g := range by {
		// Twice a day since the newest row learned from, a week before the training, less the
		// last week, whose targets are not known.
		if g.Times < 50 || g.Times > 61 || g.Rows != 12*g.Times {
			t.Errorf("%s: %d rows of %d times", g.Target, g.Rows, g.Times)
		}
		if g.Skill == nil || g.MASE == nil || g.SMAPE == nil || g.Bias == nil || g.Residual == nil || *g.Coverage < 0.75 || *g.Residual > 1.5 || g.Verdict == Worse || g.Demoted != "" {
			t.Errorf("%+v", g)
		}
	}
	// By chance about 11·(1/612 + 1/700), and the levels of twelve workloads wander.
	if d := j.Features[0]; d.PSI > 3 {
		t.Errorf("%+v", d)
	}
}

// TestTargetDemotedLive: once the world turns against what was learned, the naive prediction
// answers for that target, in the API, the record, the state and the trail; when it turns back
// the version does.
func TestTargetDemotedLive(t *testing.T) {
	server := driven(12)
	was := server.bases["cpu"]
	turned := int(until.UnixMilli() / hour)
	server.bases["cpu"] = func(w, h int) float64 {
		if h < turned {
			return was(w, h)
		}
		return math.Exp(float64(w%5)) * (1 + 0.02*math.Sin(float64(h)/7))
	}
	s, trail := lived(t, server, 40)
	ask := func() []Prediction {
		t.Helper()
		rows, err := ReadRows(strings.NewReader(`{"cpu_usage_24h_avg":2,"cpu_usage_7d_avg":1.2,"cpu_usage_30d_avg":1.2,"memory_usage_24h_avg":1,"request_count_24h":160000}`))
		if err != nil {
			t.Fatal(err)
		}
		ps, _, err := s.o.Registry.Answer(t.Context(), features.ResourcePrediction, rows)
		if err != nil {
			t.Fatal(err)
		}
		return ps
	}
	before := ask()
	j, by := judged(t, s)
	if !strings.Contains(by["cpu"].Demoted, "worse than the naive prediction on what came") || by["memory"].Demoted != "" {
		t.Fatalf("%+v", by)
	}
	if d := j.Features[0]; !strings.HasPrefix(d.Feature, "cpu_usage") || d.PSI < 1 {
		t.Errorf("drift %+v", j.Features[:3])
	}
	after := ask()
	if p := after[0]; p.Target != "cpu" || p.Model != "naive" || *p.Value == *before[0].Value || p.Lower == nil || !(*p.Lower <= *p.Value && *p.Value <= *p.Upper) || !(*p.Confidence > 0 && *p.Confidence < 1) {
		t.Errorf("%+v, before %+v", p, before[0])
	}
	if after[1].Model != before[1].Model || *after[1].Value != *before[1].Value {
		t.Errorf("memory changed: %+v", after[1])
	}
	records, err := s.o.Registry.Records(features.ResourcePrediction)
	if err != nil || records[0].Targets[0].Demoted == "" || records[0].State != Active {
		t.Errorf("%v, %+v", err, records[0].Targets[0].Demoted)
	}
	p := s.life.of(features.ResourcePrediction)
	if states, err := s.o.Registry.States(features.ResourcePrediction, &p); err != nil || states[0].State != Degraded {
		t.Errorf("%v, %+v", err, states)
	}
	events, err := readTrail(trail)
	if err != nil {
		t.Fatal(err)
	}
	if last := events[len(events)-1]; last.Action != audit.Demote || last.Object != "resource_prediction/v1" || !strings.Contains(last.Detail, "target cpu") || last.Actor != "upid" {
		t.Errorf("%+v", last)
	}
	// A slot later it is judged by what came since, which is too little for anything.
	s.o.Now = func() time.Time { return until.AddDate(0, 0, 41) }
	if _, by = judged(t, s); by["cpu"].Demoted == "" {
		t.Errorf("%+v", by["cpu"])
	}
	if more, err := readTrail(trail); err != nil || len(more) != len(events) {
		t.Errorf("%d events, %v", len(more), err)
	}
	// Months later the world is as it was.
	server.bases["cpu"] = was
	s.o.Now = func() time.Time { return until.AddDate(0, 0, 120) }
	if _, by = judged(t, s); by["cpu"].Demoted != "" || !(*by["cpu"].Skill > 0.5) {
		t.Errorf("%+v", by["cpu"])
	}
	if p := ask()[0]; p.Model != before[0].Model || *p.Value != *before[0].Value {
		t.Errorf("%+v, before %+v", p, before[0])
	}
}

// readTrail returns the events of an audit trail, whose chain must be whole.
func readTrail(path string) (out []audit.Event, err error) {
	_, err = audit.Verify(path, func(_ audit.Head, e audit.Event) error { out = append(out, e); return nil })
	return out, err
}
