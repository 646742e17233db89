package config

import (
	"reflect"
	"slices"
	"strings"
)

// raws are all raw structs.
var raws = []any{
	rawConfig{},
	rawPrometheus{},
	rawAlertmanager{},
	rawSignal{},
	rawForecast{},
	rawDetect{},
	rawAlert{},
	rawRollouts{},
	rawCosts{},
	rawPrices{},
	rawRecommendations{},
	rawLimit{},
	rawPrivacy{},
	rawMaintenance{},
	rawThreats{},
	rawModels{},
	rawModel{},
	rawThreatAllow{},
	rawThreatOverride{},
	rawCalendar{},
	rawEvent{},
	rawStorage{},
	rawWeb{},
}

// keysOf returns the keys of the raw struct that yaml.v3 names as goType.
func keysOf(goType string) []string {
	for _, v := range raws {
		t := reflect.TypeOf(v)
		if t.String() != goType {
			continue
		}
		keys := make([]string, 0, t.NumField())
		for field := range t.Fields() {
			key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
			keys = append(keys, key)
		}
		return keys
	}
	return nil
}

// nearest returns the word at an edit distance of at most 2 from s, or that s is
// part of; "" if there is none.
func nearest(s string, words []string) string {
	best, at := "", 3
	for _, w := range words {
		if d := distance(s, w); d < at {
			best, at = w, d
		}
	}
	if best == "" && len(s) > 2 {
		for _, w := range words {
			if strings.Contains(w, s) || strings.Contains(s, w) {
				return w
			}
		}
	}
	return best
}

// distance is the Levenshtein distance. O(len(a)·len(b)).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diag, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diag+cost)
		}
	}
	return row[len(b)]
}

// Keys returns every key a configuration can have, without what prometheus/common
// knows under http.
func Keys() []string {
	var keys []string
	for _, v := range raws {
		keys = append(keys, keysOf(reflect.TypeOf(v).String())...)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
