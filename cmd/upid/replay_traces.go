package main

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/upid/upid/collector/source"
	"github.com/upid/upid/rules/recommend/replay"
)

// traceColumns must be in the header of a trace, timestamp may stand for ts; others are left alone.
var traceColumns = []string{"ts", "cpu_mcores", "mem_mib"}

// traceFiles returns the traces in dir by workload, in order of the names.
func traceFiles(dir string) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	seen := map[string]string{}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".csv") && !strings.HasSuffix(e.Name(), ".csv.gz") {
			continue
		}
		name := workloadOf(e.Name())
		if other, ok := seen[name]; ok {
			return nil, fmt.Errorf("workload %s is in %s and in %s", name, other, e.Name())
		}
		seen[name] = e.Name()
		paths = append(paths, filepath.Join(dir, e.Name()))
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no WORKLOAD.csv or WORKLOAD.csv.gz in %s", dir)
	}
	return paths, nil
}

func workloadOf(path string) string {
	return strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".gz"), ".csv")
}

// readTrace reads one trace. Rows are sorted by time; of equal times the last counts, and
// twice is how many were left out for that.
func readTrace(path string) (t replay.Trace, twice int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return t, 0, err
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		g, err := gzip.NewReader(f)
		if err != nil {
			return t, 0, fmt.Errorf("%s: %w", path, err)
		}
		r = g
	}
	t.Name = workloadOf(path)
	rows := csv.NewReader(r)
	rows.ReuseRecord = true
	header, err := rows.Read()
	if errors.Is(err, io.EOF) {
		return t, 0, fmt.Errorf("%s is empty, want the columns %s", path, strings.Join(traceColumns, ","))
	}
	if err != nil {
		return t, 0, fmt.Errorf("%s: %w", path, err)
	}
	var at [3]int
	for i, c := range traceColumns {
		at[i] = slices.Index(header, c)
		if i == 0 && at[i] < 0 {
			at[i] = slices.Index(header, "timestamp")
		}
		if at[i] < 0 {
			return t, 0, fmt.Errorf("%s has no column %s, want %s", path, c, strings.Join(traceColumns, ","))
		}
	}
	sorted := true
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return t, 0, fmt.Errorf("%s: %w", path, err)
		}
		line, _ := rows.FieldPos(0)
		seconds, err := traceTime(row[at[0]])
		if err != nil {
			return t, 0, fmt.Errorf("%s:%d: %w", path, line, err)
		}
		cpu, err := traceValue(row[at[1]])
		if err != nil {
			return t, 0, fmt.Errorf("%s:%d: cpu_mcores: %w", path, line, err)
		}
		memory, err := traceValue(row[at[2]])
		if err != nil {
			return t, 0, fmt.Errorf("%s:%d: mem_mib: %w", path, line, err)
		}
		n := len(t.Times)
		sorted = sorted && (n == 0 || t.Times[n-1] < seconds)
		t.Times = append(t.Times, seconds)
		t.CPU = append(t.CPU, float32(cpu/1000))
		t.Memory = append(t.Memory, float32(memory*(1<<20)))
	}
	if !sorted {
		twice = sortTrace(&t)
	}
	return t, twice, nil
}

// sortTrace sorts by time and keeps the last of equal times; it returns how many it left out.
func sortTrace(t *replay.Trace) (twice int) {
	order := make([]int, len(t.Times))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(t.Times[a] - t.Times[b]) })
	out := replay.Trace{Name: t.Name}
	for _, i := range order {
		if n := len(out.Times); n > 0 && out.Times[n-1] == t.Times[i] {
			out.CPU[n-1], out.Memory[n-1] = t.CPU[i], t.Memory[i]
			twice++
			continue
		}
		out.Times, out.CPU, out.Memory = append(out.Times, t.Times[i]), append(out.CPU, t.CPU[i]), append(out.Memory, t.Memory[i])
	}
	*t = out
	return twice
}

// traceTime reads Unix seconds or RFC 3339, without a zone UTC.
func traceTime(s string) (int64, error) {
	if v, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(v) < 1e11 {
		return int64(math.Floor(v)), nil
	}
	t, _, err := source.ParseTime(s)
	if err != nil {
		return 0, fmt.Errorf("ts %q is neither Unix seconds nor RFC 3339", s)
	}
	return t.Unix(), nil
}

// traceValue reads a value that is not negative; an empty cell is NaN.
func traceValue(s string) (float64, error) {
	if s == "" {
		return math.NaN(), nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= 0) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q is not a number of at least 0", s)
	}
	return v, nil
}
