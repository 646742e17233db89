package main

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/upid/upid/detect/cluster"
)

// meta says of a series what a scorer must know; the names are those of the files.
type meta struct {
	N      int     `json:"n"`
	Step   float64 `json:"step_s"`
	Warm   float64 `json:"warm_until"` // Unix seconds: nothing is judged before
	Kind   string  `json:"kind"`
	Source string  `json:"source"`
}

// fault is a labelled stretch with what broke, for recall by kind.
type fault struct {
	Start int64   `json:"start"` // Unix seconds
	End   int64   `json:"end"`
	Kind  string  `json:"kind"`
	Size  float64 `json:"size"`
}

// clusterOptions are those of the simulated cluster at one step.
func clusterOptions(seed uint64, step time.Duration) cluster.Options {
	o := cluster.Options{Seed: seed, Step: step, Days: 42, Warm: 14}
	if step < 5*time.Minute {
		o.Days = 35
	}
	return o
}

// writeCluster makes a simulated cluster and writes it to dir as a corpus: a file a
// series, labels.json, meta.json and faults.json.
func writeCluster(dir string, o cluster.Options) error {
	all, err := cluster.Make(o)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	warm := float64(all[0].Start/1000) + float64(o.Warm)*86400
	metas, labels, faults := map[string]meta{}, map[string][][2]int64{}, map[string][]fault{}
	for i := range all {
		s := &all[i]
		n, err := writeSeries(filepath.Join(dir, s.Name+".csv.gz"), s)
		if err != nil {
			return err
		}
		metas[s.Name] = meta{N: n, Step: float64(s.Step) / 1000, Warm: warm, Kind: s.Kind, Source: fmt.Sprintf("simulated cluster, seed %d", o.Seed)}
		labels[s.Name], faults[s.Name] = [][2]int64{}, []fault{}
		for _, e := range s.Events {
			labels[s.Name] = append(labels[s.Name], [2]int64{e.Start / 1000, e.End / 1000})
			faults[s.Name] = append(faults[s.Name], fault{e.Start / 1000, e.End / 1000, string(e.Kind), e.Size})
		}
	}
	return errors.Join(writeJSON(filepath.Join(dir, "meta.json"), metas),
		writeJSON(filepath.Join(dir, "labels.json"), labels), writeJSON(filepath.Join(dir, "faults.json"), faults))
}

func writeSeries(path string, s *cluster.Series) (n int, err error) {
	file, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	z, err := gzip.NewWriterLevel(file, gzip.BestSpeed)
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriter(z)
	row := []byte("timestamp,value\n")
	for i, v := range s.Values {
		if math.IsNaN(v) {
			continue
		}
		n++
		row = strconv.AppendInt(row, (s.Start+int64(i)*s.Step)/1000, 10)
		row = strconv.AppendFloat(append(row, ','), v, 'g', 7, 64)
		row = append(row, '\n')
		if _, err := w.Write(row); err != nil {
			return n, err
		}
		row = row[:0]
	}
	return n, errors.Join(w.Flush(), z.Close())
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// readSeries returns the points of a series; times are Unix seconds, as floats
// because a benchmark may have fractions.
func readSeries(path string) (times, values []float64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	z, err := gzip.NewReader(file)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	r := csv.NewReader(z)
	r.ReuseRecord = true
	for first := true; ; first = false {
		row, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return times, values, nil
		case err != nil:
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		case first:
			continue
		}
		t, err1 := strconv.ParseFloat(row[0], 64)
		v, err2 := strconv.ParseFloat(row[1], 64)
		if err := errors.Join(err1, err2); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		times, values = append(times, t), append(values, v)
	}
}
