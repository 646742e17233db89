// Package models is the life of learned models around the arithmetic of
// forecast/learn: rows are read, a version is trained, judged, kept on disk and asked.
package models

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// maxInput bounds a file of rows, unpacked.
const maxInput = 1 << 30

// ErrRows says that a file of rows is not one.
var ErrRows = errors.New("not rows of features")

// targetPrefix begins the names of several targets in flat rows.
const (
	targetName   = "target"
	targetPrefix = "target_"
)

// ReadRows reads rows: a JSON array of objects, one object, JSON lines, or CSV with
// a header; also gzipped. An object is {"features": {…}, "target": n} or flat; several
// targets are target_NAME, or "targets": {…}; container is a Container. timestamp is Unix seconds or RFC 3339. An
// empty cell and null are missing; what is not finite, or given twice in a row, is
// refused with its row. Memory: eight bytes a cell.
func ReadRows(r io.Reader) (*Rows, error) { return ReadRowsWithin(r, fileLimits) }

// ReadRowsWithin is ReadRows with other limits than those of files.
func ReadRowsWithin(r io.Reader, limits Limits) (*Rows, error) {
	br := bufio.NewReaderSize(r, 1<<16)
	if head, _ := br.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(br)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRows, err)
		}
		br = bufio.NewReaderSize(z, 1<<16)
	}
	limited := &io.LimitedReader{R: br, N: maxInput}
	lr := bufio.NewReaderSize(limited, 1<<16)
	rows := newRows(limits)
	first, err := firstByte(lr)
	switch {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%w: it is empty", ErrRows)
	case err != nil:
		return nil, err
	case first == '[' || first == '{':
		err = rows.readJSON(lr)
	default:
		err = rows.readCSV(lr)
	}
	switch {
	case limited.N <= 0:
		return nil, fmt.Errorf("%w: more than %d MiB", ErrRows, maxInput>>20)
	case err != nil:
		return nil, err
	case rows.N == 0:
		return nil, fmt.Errorf("%w: there is no row", ErrRows)
	}
	if rows.timed < rows.N {
		if rows.timed > 0 {
			return nil, fmt.Errorf("%w: %d of %d rows have a timestamp; give all or none", ErrRows, rows.timed, rows.N)
		}
		rows.Times = nil
	}
	return rows, nil
}

// firstByte looks past white space and a byte-order mark.
func firstByte(r *bufio.Reader) (byte, error) {
	if bom, _ := r.Peek(3); bytes.Equal(bom, []byte("\ufeff")) {
		_, _ = r.Discard(3)
	}
	for {
		b, err := r.Peek(1)
		if err != nil {
			return 0, err
		}
		if !strings.ContainsRune(" \t\r\n", rune(b[0])) {
			return b[0], nil
		}
		_, _ = r.Discard(1)
	}
}

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

// readJSON reads an array of objects, or objects one after the other.
func (r *Rows) readJSON(in io.Reader) error {
	dec := json.NewDecoder(in)
	dec.UseNumber()
	dec.DisallowUnknownFields() // of a container
	array := false
	for {
		tok, err := dec.Token()
		switch {
		case errors.Is(err, io.EOF) && !array:
			return nil
		case err != nil:
			return r.fault(err)
		}
		switch tok {
		case json.Delim('['):
			if array || r.N > 0 {
				return r.fault(errors.New("an array where an object is wanted"))
			}
			array = true
		case json.Delim(']'):
			if _, err := dec.Token(); !errors.Is(err, io.EOF) {
				return r.fault(errors.New("it goes on after the array"))
			}
			return nil
		case json.Delim('{'):
			if err := r.begin(); err != nil {
				return err
			}
			if err := r.object(dec, r.field, true); err != nil {
				return r.fault(err)
			}
		default:
			return r.fault(fmt.Errorf("%v where an object is wanted", tok))
		}
	}
}

// fault says in which row something is wrong.
func (r *Rows) fault(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w: row %d: %w", ErrRows, max(r.N, 1), err)
}

// object reads the fields of an object whose brace was read. nested allows
// "features" and "targets" to be objects.
func (r *Rows) object(dec *json.Decoder, field func(string, any) error, nested bool) error {
	seen := map[string]bool{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := tok.(string)
		if seen[name] {
			return fmt.Errorf("%s is given twice", name)
		}
		seen[name] = true
		if nested && name == "container" {
			if err := r.container(dec); err != nil {
				return fmt.Errorf("container: %w", err)
			}
			continue
		}
		v, err := dec.Token()
		if err != nil {
			return err
		}
		switch {
		case v == json.Delim('{') && nested && name == "features":
			err = r.object(dec, func(n string, v any) error {
				return r.number(&r.Features, r.feature, &r.Columns, n, v)
			}, false)
		case v == json.Delim('{') && nested && name == "targets":
			err = r.object(dec, func(n string, v any) error {
				return r.number(&r.Targets, r.target, &r.Values, n, v)
			}, false)
		case v == json.Delim('{') && nested && name == "labels":
			err = r.named(dec)
		case v == json.Delim('{') || v == json.Delim('['):
			return fmt.Errorf("%s is not a number", name)
		default:
			err = field(name, v)
		}
		if err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

// readCSV reads a header and rows.
func (r *Rows) readCSV(in io.Reader) error {
	c := csv.NewReader(in)
	c.ReuseRecord = true
	c.TrimLeadingSpace = true
	header, err := c.Read()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRows, err)
	}
	names := append([]string(nil), header...)
	seen := map[string]bool{}
	for i, n := range names {
		names[i] = strings.TrimSpace(n)
		if names[i] == "" || seen[names[i]] {
			return fmt.Errorf("%w: column %d of the header is empty or comes twice", ErrRows, i+1)
		}
		seen[names[i]] = true
	}
	for {
		cells, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return r.fault(err)
		}
		if err := r.begin(); err != nil {
			return err
		}
		for i, cell := range cells {
			var v any
			if cell = strings.TrimSpace(cell); cell != "" {
				v = json.Number(cell)
			}
			if err := r.field(names[i], v); err != nil {
				return r.fault(err)
			}
		}
	}
}
