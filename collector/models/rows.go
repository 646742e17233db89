// Package models is the life of learned models around the arithmetic of
// forecast/learn: rows are read, a version is trained, judged, kept on disk and asked.
package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/forecast/learn"
)

// Rows are rows of named features, some with targets, by column.
type Rows struct {
	Features []string
	Columns  [][]float64 // [feature][row]; NaN is missing
	Targets  []string
	Values   [][]float64 // [target][row]; NaN is missing
	Times    []int64     // [row], Unix milliseconds; nil if a row has none
	N        int
	LeftOut  int // rows that were there and are not, as feedback says

	// Containers are what rows say of a container whose size is asked about, by row; rows
	// without one are not in it.
	Containers map[int]*Container

	labels          map[int]labels.Labels // of the rows that have some
	workloads       []string              // [row], the values of features.EntityLabels joined by \xff; nil if they were not extracted
	limits          Limits
	feature, target *index
	timed           int
	timedRow        int // that has a time already, counted from 1
}

// Limits bound what is read of rows: a row takes eight bytes for each name of any row,
// however few it has itself.
type Limits struct {
	Rows  int
	Cells int // rows × names
}

// fileLimits are those of files: 2 GiB of cells.
var fileLimits = Limits{Rows: learn.MaxRows, Cells: 1 << 28}

// index finds columns by name.
type index struct {
	column map[string]int
	row    []int // by column: the last row that has it, counted from 1
}

func newRows(l Limits) *Rows {
	return &Rows{limits: l, feature: &index{column: map[string]int{}}, target: &index{column: map[string]int{}}}
}

// ErrRows says that a file of rows is not one.
var ErrRows = errors.New("not rows of features")

// targetPrefix begins the names of several targets in flat rows.
const (
	targetName   = "target"
	targetPrefix = "target_"
)

// begin appends a row in which everything is missing.
func (r *Rows) begin() error {
	if r.N == r.limits.Rows {
		return fmt.Errorf("%w: more than %d rows", ErrRows, r.limits.Rows)
	}
	r.N++
	if err := r.fits(0); err != nil {
		return r.fault(err)
	}
	for j := range r.Columns {
		r.Columns[j] = append(r.Columns[j], math.NaN())
	}
	for j := range r.Values {
		r.Values[j] = append(r.Values[j], math.NaN())
	}
	r.Times = append(r.Times, 0)
	return nil
}

// fits refuses more cells than there may be, with more names than there are.
func (r *Rows) fits(more int) error {
	if names := len(r.Columns) + len(r.Values) + more; r.N*names > r.limits.Cells {
		return fmt.Errorf("more than %d cells: %d rows of %d names", r.limits.Cells, r.N, names)
	}
	return nil
}

// set sets a feature or a target of the row under way.
func (r *Rows) set(names *[]string, ix *index, columns *[][]float64, name string, v float64) error {
	j, ok := ix.column[name]
	if !ok {
		if len(*names) == learn.MaxFeatures {
			return fmt.Errorf("more than %d names", learn.MaxFeatures)
		}
		if name == "" || len(name) > maxName {
			return fmt.Errorf("a name of %d characters, want 1 to %d", len(name), maxName)
		}
		if err := r.fits(1); err != nil {
			return err
		}
		j = len(*names)
		ix.column[name] = j
		ix.row = append(ix.row, 0)
		*names = append(*names, name)
		c := make([]float64, r.N)
		for i := range c {
			c[i] = math.NaN()
		}
		*columns = append(*columns, c)
	}
	if ix.row[j] == r.N {
		return fmt.Errorf("%s is given twice", name)
	}
	ix.row[j] = r.N
	(*columns)[j][r.N-1] = v
	return nil
}

// maxName bounds the name of a feature.
const maxName = 200

// field takes in a field of a flat row.
func (r *Rows) field(name string, v any) error {
	switch {
	case name == "timestamp" || name == "time":
		return r.time(v)
	case name == "series" || name == "id" || name == "name" || name == "labels":
		return nil
	case name == targetName || strings.HasPrefix(name, targetPrefix) && name != targetPrefix:
		name = strings.TrimPrefix(name, targetPrefix)
		return r.number(&r.Targets, r.target, &r.Values, name, v)
	}
	return r.number(&r.Features, r.feature, &r.Columns, name, v)
}

func (r *Rows) number(names *[]string, ix *index, columns *[][]float64, name string, v any) error {
	f := math.NaN()
	switch v := v.(type) {
	case nil:
	case bool:
		f = 0
		if v {
			f = 1
		}
	case json.Number:
		var err error
		if f, err = strconv.ParseFloat(string(v), 64); err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return fmt.Errorf("%s is %s, want a finite number", name, v)
		}
	default:
		return fmt.Errorf("%s is %s, want a number, true, false or null", name, short(v))
	}
	return r.set(names, ix, columns, name, f)
}

// short shows a value that does not belong there.
func short(v any) string {
	s := fmt.Sprintf("%q", fmt.Sprint(v))
	if len(s) > 60 {
		s = s[:57] + `…"`
	}
	return s
}

func (r *Rows) time(v any) error {
	var text string
	if v != nil && r.timedRow == r.N {
		return errors.New("the timestamp is given twice, as timestamp and as time")
	}
	switch v := v.(type) {
	case nil:
		return nil
	case json.Number:
		text = string(v)
	case string:
		text = v
	default:
		return fmt.Errorf("timestamp is %s, want Unix seconds or RFC 3339", short(v))
	}
	if s, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(s) < 1e11 {
		r.Times[r.N-1] = int64(math.Round(s * 1000))
		r.timed++
		r.timedRow = r.N
		return nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return fmt.Errorf("timestamp is %q, want Unix seconds or RFC 3339", text)
	}
	r.Times[r.N-1] = t.UnixMilli()
	r.timed++
	r.timedRow = r.N
	return nil
}
