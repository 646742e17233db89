package source

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

// File is the content of an input file.
type File struct {
	Series   []FileSeries // in the order of first appearance; never empty
	Warnings []string     // the data stand; say this beside them
}

// FileSeries is one series as it was written: its points may be irregular.
type FileSeries struct {
	// Name is the column's header (wide CSV), the cell of the series column
	// (long CSV), or name{a="b"} (Prometheus JSON, long CSV with labels).
	Name   string
	Labels labels.Labels
	Step   int64     // milliseconds, the median distance of two points
	Times  []int64   // Unix milliseconds, ascending, no two equal
	Values []float64 // NaN = empty cell or null
}

// Grid returns s on a regular grid of s.Step that starts at the first point.
// Each point goes to the cell whose time is nearest (half-way: the later); of
// two points in one cell the later counts. Cells without a point are gaps.
func (s FileSeries) Grid() series.Series {
	g := series.Series{Labels: s.Labels, Start: 0, Step: s.Step, Values: nil}
	if len(s.Times) == 0 {
		return g
	}
	g.Start = s.Times[0]
	g.Values = make([]float64, s.cell(len(s.Times)-1)+1)
	for i := range g.Values {
		g.Values[i] = math.NaN()
	}
	for i, v := range s.Values {
		g.Values[s.cell(i)] = v
	}
	return g
}

// cell returns the index of the grid cell of point i.
func (s FileSeries) cell(i int) int64 {
	return (s.Times[i] - s.Times[0] + s.Step/2) / s.Step
}

// ReadFile reads the file at path, "-" being standard input. See Read.
func ReadFile(path string) (File, error) {
	if path == "-" {
		return Read("<stdin>", os.Stdin)
	}
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close() // read only: nothing to lose
	return Read(path, f)
}

// Read reads series from r, which holds, plain or gzipped,
//
//   - wide CSV: timestamp,NAME[,NAME…],
//   - long CSV: series,timestamp,value in any order; further columns are labels,
//   - or the JSON body of a Prometheus range query (resultType matrix).
//
// Timestamps are RFC 3339 or Unix seconds, fractions allowed, kept to the
// millisecond; a time without a zone is UTC, which is one warning. Rows may be in
// any order; of equal timestamps in one series the last counts, which is one
// warning. An empty cell or null is a missing value; so are NaN and Inf, which
// Prometheus and spreadsheets write, with one warning. Every error names the file (name), the line and the reason.
func Read(name string, r io.Reader) (File, error) {
	f, err := read(name, r)
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

func read(name string, r io.Reader) (File, error) {
	var t table
	br, first, err := t.begin(name, r)
	if err != nil {
		return File{}, err
	}
	switch first {
	case '{', '[':
		err = t.readJSON(br)
	default:
		err = t.readCSV(br)
	}
	if err != nil {
		return File{}, err
	}
	return t.finish()
}

// begin returns a reader of the text of r, which may be gzipped and may begin with
// a byte order mark, and the first byte that is not blank. A name that says otherwise is a warning.
func (t *table) begin(name string, r io.Reader) (br *bufio.Reader, first byte, err error) {
	br = bufio.NewReaderSize(r, 1<<16)
	switch magic, _ := br.Peek(2); {
	case string(magic) != "\x1f\x8b":
		if strings.HasSuffix(name, ".gz") {
			t.warnf("it is not gzipped, whatever its name says: read as plain text")
		}
	default:
		z, err := gzip.NewReader(br)
		if err != nil {
			return nil, 0, gunzipError(err)
		}
		br = bufio.NewReaderSize(gunzip{z}, 1<<16)
	}
	head, err := br.Peek(512)
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return nil, 0, errors.New("line 1: UTF-16 text: save it as UTF-8")
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		if _, err := br.Discard(3); err != nil {
			return nil, 0, err
		}
		head = head[3:]
	}
	head = bytes.TrimLeft(head, " \t\r\n")
	if len(head) == 0 {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, err
		}
		return nil, 0, errors.New("the file is empty")
	}
	return br, head[0], nil
}

// gunzip is a gzip reader whose errors say what they are about.
type gunzip struct{ z *gzip.Reader }

func (g gunzip) Read(p []byte) (int, error) {
	n, err := g.z.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = gunzipError(err)
	}
	return n, err
}

// gunzipError says what is wrong with a gzip file. A cut one is not io.ErrUnexpectedEOF,
// which would read as if the text in it were.
func gunzipError(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("the gzip file was cut off: it ends before its data do")
	}
	return fmt.Errorf("gzip: %w", err)
}

// maxGrid bounds the points of one series on its grid: 20 million are 38 years
// of minutes. One wrong timestamp would otherwise ask for all memory.
const maxGrid = 20_000_000

func rfc3339(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

// table collects the points of a file by series.
type table struct {
	series   []FileSeries
	index    map[string]int // by name
	warnings []string
}

// add returns the index of the series called name, which may be new: the name
// is what the output tells series apart by.
func (t *table) add(name string, ls labels.Labels) int {
	if i, ok := t.index[name]; ok {
		return i
	}
	if t.index == nil {
		t.index = map[string]int{}
	}
	t.index[name] = len(t.series)
	t.series = append(t.series, FileSeries{Name: name, Labels: ls})
	return len(t.series) - 1
}

func (t *table) point(i int, ms int64, v float64) {
	s := &t.series[i]
	s.Times = append(s.Times, ms)
	s.Values = append(s.Values, v)
}

// finish sorts the points, drops repeated timestamps and finds the steps.
func (t *table) finish() (File, error) {
	if len(t.series) == 0 {
		return File{}, errors.New("no data: there is a header but no row")
	}
	repeated, single := 0, 0
	var steps []int64
	for i := range t.series {
		s := &t.series[i]
		repeated += s.sortPoints()
		if s.Step = medianStep(s.Times); s.Step == 0 {
			single++
		} else {
			steps = append(steps, s.Step)
		}
	}
	if len(steps) == 0 {
		return File{}, errors.New("no series has two points at different times, so the step is unknown")
	}
	slices.Sort(steps)
	common := steps[(len(steps)-1)/2]
	crowded := 0
	for i := range t.series {
		if t.series[i].Step == 0 {
			t.series[i].Step = common
		}
		s := &t.series[i]
		if n := s.cell(len(s.Times)-1) + 1; n > maxGrid {
			return File{}, fmt.Errorf("series %s: %d points of %g s from %s to %s: more than %d; is a timestamp wrong?", quoteShort([]byte(s.Name)), n, float64(s.Step)/1000,
				rfc3339(s.Times[0]), rfc3339(s.Times[len(s.Times)-1]), maxGrid)
		}
		crowded += s.crowded()
	}
	if repeated > 0 {
		t.warnf("%d rows repeat a timestamp of their series: the last one counts", repeated)
	}
	if single > 0 {
		t.warnf("%d series have one point only: their step is taken to be that of the others, %g s", single, float64(common)/1000)
	}
	if crowded > 0 {
		t.warnf("%d points are closer to the point before them than the median step: on the grid the later one counts", crowded)
	}
	return File{Series: t.series, Warnings: t.warnings}, nil
}

func (t *table) warnf(format string, args ...any) {
	t.warnings = append(t.warnings, fmt.Sprintf(format, args...))
}

// sortPoints sorts the points by time and keeps the last of those with equal
// times. It returns how many it dropped.
func (s *FileSeries) sortPoints() (dropped int) {
	ascending := true
	for i := 1; i < len(s.Times) && ascending; i++ {
		ascending = s.Times[i-1] < s.Times[i]
	}
	if ascending {
		return 0
	}
	type point struct {
		t int64
		v float64
	}
	ps := make([]point, len(s.Times))
	for i := range ps {
		ps[i] = point{s.Times[i], s.Values[i]}
	}
	slices.SortStableFunc(ps, func(a, b point) int {
		switch {
		case a.t < b.t:
			return -1
		case a.t > b.t:
			return 1
		}
		return 0
	})
	n := 0
	for i, p := range ps {
		if i > 0 && p.t == ps[i-1].t {
			s.Values[n-1] = p.v
			continue
		}
		s.Times[n], s.Values[n] = p.t, p.v
		n++
	}
	dropped = len(ps) - n
	s.Times, s.Values = s.Times[:n], s.Values[:n]
	return dropped
}

// medianStep returns the (lower) median distance of neighbours in times, which
// ascend, or 0 if there are fewer than two.
func medianStep(times []int64) int64 {
	if len(times) < 2 {
		return 0
	}
	first, regular := times[1]-times[0], true
	for i := 2; i < len(times) && regular; i++ {
		regular = times[i]-times[i-1] == first
	}
	if regular {
		return first
	}
	d := make([]int64, len(times)-1)
	for i := range d {
		d[i] = times[i+1] - times[i]
	}
	slices.Sort(d)
	return d[(len(d)-1)/2]
}

// crowded returns how many points share their grid cell with the point before.
func (s FileSeries) crowded() (n int) {
	for i := 1; i < len(s.Times); i++ {
		if s.cell(i) == s.cell(i-1) {
			n++
		}
	}
	return n
}
