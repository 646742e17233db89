package source

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
)

// readJSON reads the JSON body of a Prometheus range query.
func (t *table) readJSON(r *bufio.Reader) error {
	m := &fileMatrix{table: t}
	// The file is the user's own: bounds only keep one value from filling memory.
	lim := limits{labels: 1 << 10, nameBytes: 64 << 10, valueBytes: 1 << 20, text: 4 << 10}
	d := newDecoder(r, lim, m)
	if d.peek() == '[' {
		return errors.New("line 1: a JSON array, want the body of a Prometheus range query: an object with status and data")
	}
	if !d.document() {
		return fmt.Errorf("line %d: %w", d.lineNumber(), d.err)
	}
	a := d.ans
	switch {
	case a.status == "error":
		return fmt.Errorf("the body is an error answer: %s", strings.TrimPrefix(a.errorType+": "+a.message, ": "))
	case a.histograms > 0:
		return errHistogram
	case a.resultType != "" && a.resultType != "matrix":
		return fmt.Errorf("resultType is %q, want matrix: ask /api/v1/query_range, not /api/v1/query", a.resultType)
	case len(t.series) == 0 && a.resultType == "":
		return errors.New("no data.result: want the body of a Prometheus range query")
	case len(t.series) == 0:
		return errors.New("no data: the result is empty")
	}
	if n := m.notFinite - a.nulls; n > 0 {
		t.warnf("%d samples are NaN or infinite: taken as missing", n)
	}
	if a.partial {
		t.warnf("the answer is partial")
	}
	for _, w := range a.warnings {
		t.warnf("%s", w)
	}
	return nil
}

// fileMatrix collects the series of an answer in a table.
type fileMatrix struct {
	table     *table
	times     []int64
	values    []float64
	notFinite int64 // NaN, infinite or null
}

func (m *fileMatrix) point(ms int64, v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		m.notFinite++
		v = math.NaN()
	}
	m.times = append(m.times, ms)
	m.values = append(m.values, v)
	return nil
}

func (m *fileMatrix) series(ls labels.Labels, reason string) error {
	if reason != "" {
		return fmt.Errorf("series %d cannot be used: %s", len(m.table.series)+1, dropReasons[reason])
	}
	if len(m.times) == 0 {
		return fmt.Errorf("series %s has no values", Name(ls))
	}
	if _, there := m.table.index[Name(ls)]; there {
		return fmt.Errorf("series %s cannot be used: %s", Name(ls), dropReasons[dropDuplicate])
	}
	s := &m.table.series[m.table.add(Name(ls), ls)]
	s.Times = append(s.Times, m.times...)
	s.Values = append(s.Values, m.values...)
	m.times, m.values = m.times[:0], m.values[:0]
	return nil
}

// dropReasons says in words why a series cannot be used.
var dropReasons = map[string]string{
	dropLimit:       "there are more series than allowed",
	dropInvalid:     "a label has no name or is there twice",
	dropDuplicate:   "the same series is there twice",
	dropLabelLength: "it has too many labels or too long ones",
	dropUTF8:        "a label is not UTF-8",
}
