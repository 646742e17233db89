package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// readCSV reads wide or long CSV, which the header tells apart.
func (t *table) readCSV(r *bufio.Reader) error {
	c := &csvReader{r: r}
	var cells cells
	err := t.readRows(c, &cells)
	if err != nil {
		return fmt.Errorf("line %d: %w", max(c.line, 1), err)
	}
	if cells.notFinite > 0 {
		t.warnf("%d values are NaN or infinite: taken as missing", cells.notFinite)
	}
	if cells.noZone > 0 {
		t.warnf("%d timestamps have no time zone: taken as UTC", cells.noZone)
	}
	return nil
}

// cells reads cells and counts those in which more was assumed than was written.
type cells struct {
	notFinite int // NaN or infinite
	noZone    int // times without a zone
}

func (t *table) readRows(c *csvReader, cs *cells) error {
	fields, err := c.next()
	if err != nil {
		return err // not io.EOF: the caller has seen text
	}
	header := make([]string, len(fields))
	for i, f := range fields {
		header[i] = strings.TrimSpace(string(f))
	}
	if err := checkHeader(header); err != nil {
		return err
	}
	h := csvHeader{
		names: header,
		time:  slices.Index(header, "timestamp"),
		name:  slices.Index(header, "series"),
		value: slices.Index(header, "value"),
	}
	row := t.wideRows(h, cs)
	if h.name >= 0 && h.value >= 0 {
		row = t.longRows(h, cs)
	}
	for {
		fields, err := c.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			// The reader has moved on when it fails: the error is in what it read last.
			c.line = max(c.line, c.lines)
			return err
		}
		if len(fields) != len(header) {
			return fmt.Errorf("%d fields, the header has %d", len(fields), len(header))
		}
		if err := row(fields); err != nil {
			return err
		}
	}
}

// csvHeader says which column is what.
type csvHeader struct {
	names             []string
	time, name, value int // name and value are −1 if absent
}

func checkHeader(header []string) error {
	if !slices.Contains(header, "timestamp") {
		if len(header) == 1 && strings.ContainsAny(header[0], ";\t|") {
			return errors.New("the columns are not separated by commas")
		}
		return fmt.Errorf("the header is %s, want timestamp,NAME,… or series,timestamp,value", quoteShort([]byte(strings.Join(header, ","))))
	}
	if len(header) == 1 {
		return errors.New("the header has no column beside timestamp")
	}
	seen := make(map[string]bool, len(header))
	for i, h := range header {
		switch {
		case h == "":
			return fmt.Errorf("column %d has no name", i+1)
		case !utf8.ValidString(h):
			return fmt.Errorf("the name of column %d is not UTF-8", i+1)
		case seen[h]:
			return fmt.Errorf("column %q is there twice", h)
		}
		seen[h] = true
	}
	return nil
}

// wideRows returns the reader of one row of wide CSV: every column beside the
// timestamp is a series.
func (t *table) wideRows(h csvHeader, cs *cells) func([][]byte) error {
	started := false
	return func(fields [][]byte) error {
		if !started { // not before the first row: a header alone is no data
			started = true
			for i, n := range h.names {
				if i != h.time {
					t.add(n, labels.FromStrings(model.MetricNameLabel, n))
				}
			}
		}
		ms, err := cs.time(fields[h.time])
		if err != nil {
			return err
		}
		s := 0
		for i, f := range fields {
			if i == h.time {
				continue
			}
			v, err := cs.value(f)
			if err != nil {
				return fmt.Errorf("column %q: %w", h.names[i], err)
			}
			t.point(s, ms, v)
			s++
		}
		return nil
	}
}

// longRows returns the reader of one row of long CSV: its series is told by the
// series column and the label columns together.
func (t *table) longRows(h csvHeader, cs *cells) func([][]byte) error {
	var labelCols []int
	for i := range h.names {
		if i != h.time && i != h.name && i != h.value {
			labelCols = append(labelCols, i)
		}
	}
	index := map[string]int{}
	var key, lastKey []byte
	last := -1
	return func(fields [][]byte) error {
		key = appendKey(key[:0], fields, h.name, labelCols)
		if last < 0 || !bytes.Equal(key, lastKey) {
			i, ok := index[string(key)]
			if !ok {
				name, ls, err := seriesName(fields, h, labelCols)
				if err != nil {
					return err
				}
				i = t.add(name, ls)
				index[string(key)] = i
			}
			last = i
			lastKey = append(lastKey[:0], key...)
		}
		ms, err := cs.time(fields[h.time])
		if err != nil {
			return err
		}
		v, err := cs.value(fields[h.value])
		if err != nil {
			return err
		}
		t.point(last, ms, v)
		return nil
	}
}

// appendKey appends what tells the series of a row from others. Lengths keep
// ("a", "bc") and ("ab", "c") apart.
func appendKey(key []byte, fields [][]byte, name int, labelCols []int) []byte {
	if len(labelCols) == 0 {
		return append(key, fields[name]...)
	}
	key = strconv.AppendInt(key, int64(len(fields[name])), 10)
	key = append(append(key, ':'), fields[name]...)
	for _, i := range labelCols {
		key = strconv.AppendInt(key, int64(len(fields[i])), 10)
		key = append(append(key, ':'), fields[i]...)
	}
	return key
}

// seriesName returns the name and labels of a row's series.
func seriesName(fields [][]byte, h csvHeader, labelCols []int) (string, labels.Labels, error) {
	b := labels.NewScratchBuilder(1 + len(labelCols))
	name := string(fields[h.name])
	if name != "" {
		b.Add(model.MetricNameLabel, name)
	}
	n := 0
	for _, i := range labelCols {
		if len(fields[i]) == 0 { // an empty label is no label
			continue
		}
		if h.names[i] == model.MetricNameLabel {
			return "", labels.EmptyLabels(), errors.New("column \"__name__\": the name of a series is in the series column")
		}
		b.Add(h.names[i], string(fields[i]))
		n++
	}
	if name == "" && n == 0 {
		return "", labels.EmptyLabels(), errors.New("the series has no name")
	}
	b.Sort()
	ls := b.Labels()
	for _, i := range append([]int{h.name}, labelCols...) {
		if !utf8.Valid(fields[i]) {
			return "", labels.EmptyLabels(), fmt.Errorf("column %q is not UTF-8", h.names[i])
		}
	}
	if n == 0 {
		return name, ls, nil
	}
	return Name(ls), ls, nil
}

// value parses a value; an empty cell is NaN, and so are NaN and Inf.
func (c *cells) value(b []byte) (float64, error) {
	v, ok := parseFloat(b)
	if ok {
		return v, nil
	}
	if b = bytes.TrimSpace(b); len(b) == 0 {
		return math.NaN(), nil
	}
	if v, ok = parseFloat(b); ok {
		return v, nil
	}
	f, err := strconv.ParseFloat(string(b), 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("value %s is beyond the range of a number", quoteShort(b))
	case err == nil && (math.IsNaN(f) || math.IsInf(f, 0)):
		c.notFinite++
		return math.NaN(), nil
	}
	return 0, fmt.Errorf("value %s is not a number", quoteShort(b))
}

// noZone are the forms of a time without a zone, as spreadsheets and databases
// write them; a fraction of a second may follow.
var noZone = [...]string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", time.DateOnly}

// time parses RFC 3339, Unix seconds or a time without a zone, which is UTC, into
// Unix milliseconds.
func (c *cells) time(b []byte) (int64, error) {
	if ms, ok := parseSeconds(b); ok {
		return ms, nil
	}
	b = bytes.TrimSpace(b)
	if ms, ok := parseSeconds(b); ok {
		return ms, nil
	}
	if tm, zone, err := ParseTime(string(b)); err == nil {
		if !zone {
			c.noZone++
		}
		return tm.Round(time.Millisecond).UnixMilli(), nil
	}
	if v, ok := parseFloat(b); ok && math.Abs(v) > maxSeconds {
		return 0, fmt.Errorf("timestamp %s is beyond the year 9999: milliseconds? Write Unix seconds", quoteShort(b))
	}
	return 0, fmt.Errorf("timestamp %s is neither RFC 3339 (2006-01-02T15:04:05Z) nor Unix seconds", quoteShort(b))
}

// ParseTime parses RFC 3339, or a time without a zone, which is UTC: a date, or one with
// a time of the day after a blank or a T. zone is whether text has a zone.
func ParseTime(text string) (t time.Time, zone bool, err error) {
	if t, err = time.Parse(time.RFC3339, text); err == nil {
		return t, true, nil
	}
	for _, layout := range noZone {
		if t, err := time.Parse(layout, text); err == nil {
			return t, false, nil
		}
	}
	return time.Time{}, false, err
}

// quoteShort quotes at most the first 40 bytes of b.
func quoteShort(b []byte) string {
	if len(b) > 40 {
		return strconv.Quote(string(b[:40])) + "…"
	}
	return strconv.Quote(string(b))
}
