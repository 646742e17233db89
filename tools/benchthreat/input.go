package main

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// input is the counters of a set as what they rose by in each slot.
type input struct {
	first, last int64 // Unix seconds of the first and the last row
	step        int64
	entities    []*entity
}

// entity holds the increases of one entity, slot by slot, and their running sums.
type entity struct {
	name           string
	bad, all       []float64
	total, squared []float64
}

// sum returns what bad adds up to in the n slots that end with i; a slot before the first is
// empty.
func (e *entity) sum(i, n int) float64 { return e.total[i+1] - e.total[max(i+1-n, 0)] }

func (e *entity) squares(i, n int) float64 { return e.squared[i+1] - e.squared[max(i+1-n, 0)] }

func itoa(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

func readCSV(path string) (header []string, rows [][]string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	var r io.Reader = bufio.NewReader(f)
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(r); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	all, err := csv.NewReader(r).ReadAll()
	if err != nil || len(all) == 0 {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return all[0], all[1:], nil
}

func writeCSV(path string, rows [][]string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	return f.Close()
}

// load reads the counters of a set.
func load(files []string, s set) (*input, error) {
	type row struct {
		entity   string
		t        int64
		bad, all float64
	}
	var rows []row
	in := &input{first: 0, last: 0, step: s.step, entities: nil}
	last := map[string]float64{}
	for _, file := range files {
		header, all, err := readCSV(file)
		if err != nil {
			return nil, err
		}
		m := make(map[string]string, len(header))
		for n, r := range all {
			for i, h := range header {
				m[h] = r[i]
			}
			t, err := strconv.ParseInt(m["ts"], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("%s: row %d: %w", file, n+2, err)
			}
			v, err := strconv.ParseFloat(r[len(r)-1], 64)
			if err != nil {
				return nil, fmt.Errorf("%s: row %d: %w", file, n+2, err)
			}
			key := file + "\x00" + strings.Join(r[1:len(r)-1], "\x00")
			old, seen := last[key]
			last[key] = v
			if len(s.entity) == 0 && !seen {
				old = v // bytes before the first row are not known
			}
			parts := make([]string, len(s.entity))
			for i, c := range s.entity {
				parts[i] = m[c]
			}
			name := strings.Join(parts, "/")
			if name == "" {
				name, _, _ = strings.Cut(filepath.Base(file), ".")
			}
			out := row{entity: name, t: t, bad: 0, all: 0}
			bad, every := s.value(m)
			if d := max(v-old, 0); bad {
				out.bad = d
				if every {
					out.all = d
				}
			} else if every {
				out.all = d
			}
			if in.first == 0 || t < in.first {
				in.first = t
			}
			in.last = max(in.last, t)
			rows = append(rows, out)
		}
	}
	slots := int(in.slot(in.last)) + 1
	at := map[string]*entity{}
	for _, r := range rows {
		e, ok := at[r.entity]
		if !ok {
			e = &entity{name: r.entity, bad: make([]float64, slots), all: make([]float64, slots), total: nil, squared: nil}
			at[r.entity] = e
			in.entities = append(in.entities, e)
		}
		i := in.slot(r.t)
		e.bad[i] += r.bad
		e.all[i] += r.all
	}
	for _, e := range in.entities {
		e.total, e.squared = make([]float64, slots+1), make([]float64, slots+1)
		for i, x := range e.bad {
			e.total[i+1], e.squared[i+1] = e.total[i]+x, e.squared[i]+x*x
		}
	}
	return in, nil
}

// slot returns the number of the slot that ends at or after t, from that of the first row
// on.
func (in *input) slot(t int64) int64 {
	up := func(t int64) int64 { return (t + in.step - 1) / in.step }
	return up(t) - up(in.first)
}

// writeFindings writes where a rule fires.
func writeFindings(path string, in *input, fires func(e *entity, i int) bool) error {
	rows := [][]string{{"entity", "timestamp"}}
	start := (in.first + in.step - 1) / in.step * in.step
	for _, e := range in.entities {
		for i := range e.bad {
			if fires(e, i) {
				rows = append(rows, []string{e.name, strconv.FormatInt(start+int64(i)*in.step, 10)})
			}
		}
	}
	return writeCSV(path, rows)
}
