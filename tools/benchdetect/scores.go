package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
)

// number is a number of Python's JSON, in which NaN is one.
type number float64

// UnmarshalJSON reads null as NaN, see parseScores.
func (n *number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = number(math.NaN())
		return nil
	}
	var v float64
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	*n = number(v)
	return nil
}

// theirScore is what detect_score.py says of a corpus.
type theirScore struct {
	F1, Precision, Recall, Wrong, Delay, VUS, AUC float64
}

func parseScores(b []byte) (map[string]theirScore, error) {
	b = bytes.ReplaceAll(b, []byte(": NaN"), []byte(": null"))
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, err
	}
	all := map[string]theirScore{}
	for name, r := range raw {
		if name == "_inject_kinds" {
			continue
		}
		var s struct {
			F1        number `json:"f1"`
			Precision number `json:"precision"`
			Recall    number `json:"recall"`
			Wrong     number `json:"fa_per_series_week"`
			Delay     number `json:"median_delay_min"`
			VUS       number `json:"vus_pr"`
			AUC       number `json:"auc_pr"`
		}
		if err := json.Unmarshal(r, &s); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all[name] = theirScore{float64(s.F1), float64(s.Precision), float64(s.Recall), float64(s.Wrong), float64(s.Delay), float64(s.VUS), float64(s.AUC)}
	}
	return all, nil
}
