package models

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/upid/upid/forecast/features"
)

// Performance is the answer of /api/v1/performance.
type Performance struct {
	ModelType string   `json:"model_type"`
	Versions  []Record `json:"versions"`
	Live      *Judged  `json:"live"` // null: nothing was judged live
	// Signals are the published forecasts of signals, judged when their time came; null: no
	// sidecar was asked.
	Signals []SignalLive `json:"signals"`
}

// Question is the body of POST /api/v1/predict.
type Question struct {
	ModelType string          `json:"model_type"`
	Version   string          `json:"version,omitempty"` // empty: the active one
	Policy    string          `json:"policy,omitempty"`  // by which sizes are advised; empty: the configured one
	Features  json.RawMessage `json:"features"`          // an object, or an array of them
}

// models answers with the records of the versions; damaged ones are left out.
func (s *Service) models(r *http.Request) (any, error) {
	ts, err := types(r)
	if err != nil {
		return nil, err
	}
	out := []Record{}
	for _, typ := range ts {
		records, err := s.o.Registry.Records(typ)
		if err != nil && len(records) == 0 {
			return nil, err
		}
		out = append(out, records...)
	}
	return out, nil
}

// TypeState is how the models of a type are doing.
type TypeState struct {
	ModelType string       `json:"model_type"`
	States    []ModelState `json:"states"`
	Automatic bool         `json:"automatic"` // it is trained by itself
	RunID     string       `json:"run_id"`    // of the training that runs, "" if none does
	NotLive   string       `json:"not_live"`  // why its versions are not compared live, "" if they are
	Progress  Progress     `json:"pipeline"`
}

func (s *Service) states(r *http.Request) (any, error) {
	ts, err := types(r)
	if err != nil {
		return nil, err
	}
	out := []TypeState{}
	for _, typ := range ts {
		t := TypeState{ModelType: typ, NotLive: NotLive(typ), Progress: s.life.of(typ)}
		s.life.mu.Lock()
		_, t.Automatic = s.life.plans[typ]
		s.life.mu.Unlock()
		if run, ok := s.runs.running(); ok && run.ModelType == typ {
			t.RunID = run.ID
		}
		t.States, _ = s.o.Registry.States(typ, &t.Progress) // the error is in the reason
		out = append(out, t)
	}
	return out, nil
}

func (s *Service) performance(r *http.Request) (any, error) {
	ts, err := types(r)
	if err != nil {
		return nil, err
	}
	out := []Performance{}
	for _, typ := range ts {
		records, err := s.o.Registry.Records(typ)
		if err != nil && len(records) == 0 {
			return nil, err
		}
		p := Performance{ModelType: typ, Versions: append([]Record{}, records...)}
		p.Live, p.Signals = s.life.of(typ).Live, []SignalLive{}
		if s.o.Signals != nil {
			p.Signals = append(p.Signals, s.o.Signals(typ)...)
		}
		out = append(out, p)
	}
	return out, nil
}

func (s *Service) predict(r *http.Request) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	var q Question
	if err := dec.Decode(&q); err != nil {
		return nil, bad("the body: %w; want {\"model_type\": …, \"features\": {…}}", err)
	}
	if !slices.Contains(features.Types, q.ModelType) {
		return nil, bad("model_type: %q, want one of %s", q.ModelType, strings.Join(features.Types, ", "))
	}
	rows, err := ReadRowsWithin(bytes.NewReader(q.Features), askedLimits)
	if err != nil {
		return nil, err
	}
	known, configured := s.o.Known, *s.policy.Load()
	if q.Policy = cmp.Or(q.Policy, configured); q.Policy != configured {
		known = nil // what is known was sized by another policy
	}
	ps, _, err := s.o.Registry.Ask(r.Context(), Query{ModelType: q.ModelType, Version: q.Version, Rows: rows, Policy: q.Policy, Known: known})
	return ps, err
}
