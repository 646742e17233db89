// Command exampledata makes docs/examples/data.json, features.json and container.json from traces of
// real virtual machines: a directory of files NAME.csv.gz with the columns
// ts,cpu_mcores,mem_mib,net_tx_Bps, five minutes apart. The features and targets are
// those of forecast/features, computed by it; the traces have no requests, errors or
// prices, so those features are missing, and the cost is that of what was used at the
// prices below.
package main

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/features"
)

// Prices that the cost is computed with, per hour.
const (
	corePrice = 0.03
	gibPrice  = 0.004
)

const hour = int64(time.Hour / time.Millisecond)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: exampledata TRACES DIR")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "exampledata:", err)
		os.Exit(1)
	}
}

func run(traces, dir string) error {
	paths, err := filepath.Glob(filepath.Join(traces, "*.csv.gz"))
	if err != nil {
		return err
	}
	table := features.Of(features.ResourcePrediction)
	var rows []string
	var times []int64
	newest, asked := "", []byte(nil)
	for k, path := range paths {
		h, first, last, err := read(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		name := strings.TrimSuffix(filepath.Base(path), ".csv.gz")
		// A row of a machine every second day, the machines at different hours.
		for t := first + 7*24*hour + int64(k%24)*hour; t <= last; t += 48 * hour {
			row, given := line(table, h, name, t)
			if t+7*24*hour > last {
				if k == 1 && newest == "" {
					newest = "{" + given + "}"
					if asked, err = container(path, name, t, newest); err != nil {
						return err
					}
				}
				continue
			}
			rows, times = append(rows, row), append(times, t)
		}
	}
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int((times[a] - times[b]) / hour) })
	var b strings.Builder
	b.WriteString("[\n")
	for k, i := range order {
		b.WriteString(rows[i])
		if k < len(order)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("]\n")
	if err := os.WriteFile(filepath.Join(dir, "data.json"), []byte(b.String()), 0o644); err != nil { //nolint:gosec // for everybody
		return err
	}
	var indented any
	if err := json.Unmarshal([]byte(newest), &indented); err != nil {
		return err
	}
	out, err := json.MarshalIndent(indented, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "features.json"), append(out, '\n'), 0o644); err != nil { //nolint:gosec // for everybody
		return err
	}
	return os.WriteFile(filepath.Join(dir, "container.json"), append(asked, '\n'), 0o644) //nolint:gosec // for everybody
}

// quarter is the step of the history of a container, in seconds.
const quarter = 900

// container returns the row of given features at time at, Unix milliseconds, with what the machine of
// a trace used in the four weeks before, each quarter of an hour: CPU on average, memory
// at most. What is set of it is made up: the trace does not know.
func container(path, name string, at int64, given string) ([]byte, error) {
	const n = 28 * 24 * 3600 / quarter
	var cpu [n]series.Mean
	var cpus, memories [n]*float64
	err := eachPoint(path, func(ts int64, cells []string) {
		i := n - 1 - int((at/1000-ts)/quarter)
		if ts > at/1000 || i < 0 {
			return
		}
		if v, err := strconv.ParseFloat(cells[0], 64); err == nil {
			cpu[i].Add(v / 1000)
		}
		if v, err := strconv.ParseFloat(cells[1], 64); err == nil {
			if v *= 1 << 20; memories[i] == nil || v > *memories[i] {
				memories[i] = &v
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for i := range cpus {
		if v := cpu[i].Value(); !math.IsNaN(v) {
			cpus[i] = rounded(v, 3)
		}
		if memories[i] != nil {
			memories[i] = rounded(*memories[i], 4)
		}
	}
	return json.Marshal(map[string]any{
		"timestamp": at / 1000,
		"features":  json.RawMessage(given),
		"container": map[string]any{
			"namespace": "example", "kind": "Deployment", "workload": name, "name": "main",
			"cpu_request_cores": 0.5, "cpu_limit_cores": 0, "memory_request_bytes": 1 << 30, "memory_limit_bytes": 1 << 30, "replicas": 1,
			"cpu_price": corePrice, "memory_price": gibPrice, "currency": "USD",
			"step": quarter, "cpu_cores": cpus[:], "memory_bytes": memories[:],
		},
	})
}

// rounded returns v with so many digits.
func rounded(v float64, digits int) *float64 {
	v, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', digits, 64), 64)
	if err != nil {
		panic(err) // it was written by FormatFloat
	}
	return &v
}

// line returns a row of the example and its features alone.
func line(t features.Table, h features.History, name string, at int64) (row, given string) {
	var cells []string
	for i, v := range features.Compute(t.Contract, h, at, time.UTC) {
		if !math.IsNaN(v.Value) {
			cells = append(cells, fmt.Sprintf("%q: %s", t.Contract[i].Name, number(v.Value)))
		}
	}
	given = strings.Join(cells, ", ")
	row = fmt.Sprintf("{\"series\": %q, \"timestamp\": %d, \"features\": {%s}", name, at/1000, given)
	for _, g := range t.Targets {
		if v := g.Compute(h, at).Value; !math.IsNaN(v) {
			row += fmt.Sprintf(", \"target_%s\": %s", g.Name, number(v))
		}
	}
	return row + "}", given
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 5, 64) }

// eachPoint calls do with the time, Unix seconds, and the other cells of each row of a trace.
func eachPoint(path string, do func(ts int64, cells []string)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	r := csv.NewReader(z)
	if _, err := r.Read(); err != nil {
		return err
	}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		ts, err := strconv.ParseInt(cells[0], 10, 64)
		if err != nil {
			return err
		}
		do(ts, cells[1:])
	}
}

// read returns hourly means of a trace, stamped at the end of the hour, and its
// first and last time.
func read(path string) (h features.History, first, last int64, err error) {
	sums := map[int64]*[3]series.Mean{}
	first, last = math.MaxInt64, 0
	err = eachPoint(path, func(ts int64, cells []string) {
		at := (ts*1000 + hour - 1) / hour * hour
		if sums[at] == nil {
			sums[at] = &[3]series.Mean{}
		}
		first, last = min(first, at), max(last, at)
		for k := range 3 {
			if v, err := strconv.ParseFloat(cells[k], 64); err == nil {
				sums[at][k].Add(v)
			}
		}
	})
	if err != nil {
		return nil, 0, 0, err
	}
	n := int((last-first)/hour) + 1
	h = features.History{}
	for _, base := range []string{"cpu", "memory", "network", "cost"} {
		y := series.Series{Start: first, Step: hour, Values: make([]float64, n)}
		for i := range y.Values {
			s := sums[y.At(i)]
			if s == nil {
				s = &[3]series.Mean{}
			}
			cores, mib, net := s[0].Value()/1000, s[1].Value(), s[2].Value()
			switch base {
			case "cpu":
				y.Values[i] = cores
			case "memory":
				y.Values[i] = mib * (1 << 20)
			case "network":
				y.Values[i] = net
			case "cost":
				y.Values[i] = cores*corePrice + mib/1024*gibPrice
			}
		}
		h[base] = y
	}
	return h, first, last, nil
}
