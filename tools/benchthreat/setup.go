package main

import (
	"fmt"
	"strconv"
)

// setupAlerts counts the alerts of a findings file that opened in a slot in which the labels know
// of nothing but setting up: every id once, at its first row. A row of time t is of what came in
// (t − step, t].
func setupAlerts(findings, labels string, step int64) (int, error) {
	attacked, prepared := map[string][][2]int64{}, map[string][][2]int64{}
	err := eachRow(labels, func(r map[string]string) error {
		start, err1 := strconv.ParseInt(r["start"], 10, 64)
		end, err2 := strconv.ParseInt(r["end"], 10, 64)
		if err1 != nil || err2 != nil {
			return fmt.Errorf("%s: times %q and %q", labels, r["start"], r["end"])
		}
		switch r["kind"] {
		case "setup":
			prepared[r["entity"]] = append(prepared[r["entity"]], [2]int64{start, end})
		case "detonation":
			attacked[r["entity"]] = append(attacked[r["entity"]], [2]int64{start, end})
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	during := func(spans [][2]int64, t int64) bool {
		for _, s := range spans {
			if s[0] <= t && s[1] > t-step {
				return true
			}
		}
		return false
	}
	seen, n := map[string]bool{}, 0
	err = eachRow(findings, func(r map[string]string) error {
		if seen[r["id"]] {
			return nil
		}
		seen[r["id"]] = true
		t, err := strconv.ParseInt(r["timestamp"], 10, 64)
		if err != nil {
			return fmt.Errorf("%s: time %q", findings, r["timestamp"])
		}
		if during(prepared[r["entity"]], t) && !during(attacked[r["entity"]], t) {
			n++
		}
		return nil
	})
	return n, err
}

// eachRow calls f with the rows of a CSV file by their column names.
func eachRow(path string, f func(row map[string]string) error) error {
	header, rows, err := readCSV(path)
	if err != nil {
		return err
	}
	for _, r := range rows {
		m := make(map[string]string, len(header))
		for i, h := range header {
			m[h] = r[i]
		}
		if err := f(m); err != nil {
			return err
		}
	}
	return nil
}
