package main

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// task is a history and what followed it.
type task struct {
	id, kind string
	start    int64 // Unix seconds of the first value
	step     int64 // seconds
	y        []float64
	future   []float64
}

// readTasks reads a task file: id,dataset,series,start,step,horizon,m1,m2,n, then n
// values of history and the values of the horizon. Lines with # are comments.
func readTasks(path string) ([]task, error) {
	var out []task
	err := eachLine(path, func(cells []string) error {
		if len(cells) < 9 {
			return fmt.Errorf("%d cells, want 9 and the values", len(cells))
		}
		head, err := numbers(cells[3:9])
		if err != nil {
			return err
		}
		n, h := int(head[5]), int(head[2])
		v, err := numbers(cells[9:])
		if err != nil {
			return err
		}
		if len(v) < n+h {
			return fmt.Errorf("task %s: %d values, want %d", cells[0], len(v), n+h)
		}
		out = append(out, task{id: cells[0], kind: cells[1], start: int64(head[0]), step: int64(head[1]), y: v[:n], future: v[n : n+h]})
		return nil
	})
	return out, err
}

// readFine cuts tasks of 28 days of history and 7 days of future out of a file of
// long series, id,start,step,v0,v1,…, up to per a series, the newest first.
func readFine(path, kind string, per int) ([]task, error) {
	var out []task
	err := eachLine(path, func(cells []string) error {
		head, err := numbers(cells[1:3])
		if err != nil {
			return err
		}
		v, err := numbers(cells[3:])
		if err != nil {
			return err
		}
		day := int(86400 / head[1])
		for i := range per {
			end := len(v) - i*14*day
			from := end - 35*day
			if from < 0 {
				break
			}
			// Whole hours, so that means over an hour line up.
			if off := int(math.Mod(head[0]+float64(from)*head[1], 3600) / head[1]); off > 0 {
				from, end = from+3600/int(head[1])-off, end-off
			}
			from = max(from, 0)
			y, future := v[from:end-7*day], v[end-7*day:end]
			if missing(y) > 0.05 || missing(future) > 0.05 || constant(y) {
				continue
			}
			out = append(out, task{
				id: fmt.Sprintf("%s/%s/%d", kind, cells[0], i), kind: kind, y: y, future: future,
				start: int64(head[0]) + int64(from)*int64(head[1]), step: int64(head[1]),
			})
		}
		return nil
	})
	return out, err
}

func missing(v []float64) float64 {
	n := 0
	for _, x := range v {
		if math.IsNaN(x) {
			n++
		}
	}
	return float64(n) / float64(len(v))
}

func constant(v []float64) bool {
	low, high := math.Inf(1), math.Inf(-1)
	for _, x := range v {
		if !math.IsNaN(x) {
			low, high = min(low, x), max(high, x)
		}
	}
	return !(high > low)
}

func eachLine(path string, f func(cells []string) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	lines := bufio.NewScanner(zip)
	lines.Buffer(nil, 1<<24)
	for i := 1; lines.Scan(); i++ {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		if err := f(strings.Split(lines.Text(), ",")); err != nil {
			return fmt.Errorf("%s:%d: %w", path, i, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func numbers(cells []string) ([]float64, error) {
	v := make([]float64, len(cells))
	for i, c := range cells {
		v[i] = math.NaN()
		if c == "" {
			continue
		}
		x, err := strconv.ParseFloat(c, 64)
		if err != nil {
			return nil, err
		}
		v[i] = x
	}
	return v, nil
}

// writeInput writes the histories as series,timestamp,value.
func writeInput(w io.Writer, tasks []task) error {
	b := bufio.NewWriterSize(w, 1<<20)
	b.WriteString("series,timestamp,value\n")
	var line []byte
	for _, t := range tasks {
		for i, v := range t.y {
			line = append(line[:0], t.id...)
			line = append(line, ',')
			line = strconv.AppendInt(line, t.start+int64(i)*t.step, 10)
			line = append(line, ',')
			if !math.IsNaN(v) {
				line = strconv.AppendFloat(line, v, 'g', -1, 64)
			}
			line = append(line, '\n')
			b.Write(line)
		}
	}
	return b.Flush()
}

// forecast is what the program printed for one task.
type forecast struct{ point, lower, upper []float64 }

// readOutput reads series,timestamp,value,lower,upper,… in the order of the horizon.
func readOutput(r io.Reader) (map[string]forecast, error) {
	c := csv.NewReader(bufio.NewReaderSize(r, 1<<20))
	c.ReuseRecord = true
	head, err := c.Read()
	if err != nil {
		return nil, err
	}
	if !slices.Equal(head[:5], []string{"series", "timestamp", "value", "lower", "upper"}) {
		return nil, fmt.Errorf("columns %v, want series,timestamp,value,lower,upper", head)
	}
	out := map[string]forecast{}
	for {
		cells, err := c.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		v, err := numbers(cells[2:5])
		if err != nil {
			return nil, err
		}
		f := out[cells[0]]
		f.point, f.lower, f.upper = append(f.point, v[0]), append(f.lower, v[1]), append(f.upper, v[2])
		out[strings.Clone(cells[0])] = f
	}
}
