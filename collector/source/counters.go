package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// StemLabel is the label that names what a file is about, where nothing in the file
// does.
const StemLabel = "entity"

// ReadCounters reads the raw counters of a file, plain or gzipped:
//
//   - CSV with the header ts|timestamp,metric,LABEL,…,value in any order; series
//     stands for metric as well,
//   - CSV with the header ts|timestamp,METRIC: one counter of what the file is
//     named after, see StemLabel,
//   - or the JSON body of a Prometheus range query.
//
// Labels carry __name__. A counter may be written only when it changes. Empty values
// and NaN are left out and counted in the warnings; a negative value is an error, as
// is everything ReadFile refuses. Steps are 0.
func ReadCounters(name string, r io.Reader) (File, error) {
	var t table
	br, first, err := t.begin(name, r)
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", name, err)
	}
	if first == '{' || first == '[' {
		err = t.readJSON(br)
	} else {
		err = t.readCounterCSV(br, stem(name))
	}
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", name, err)
	}
	if err := t.counters(); err != nil {
		return File{}, fmt.Errorf("%s: %w", name, err)
	}
	return File{Series: t.series, Warnings: t.warnings}, nil
}

// stem returns the name of a file without directory and endings.
func stem(path string) string {
	base := filepath.Base(path)
	base = strings.TrimSuffix(base, ".gz")
	for _, end := range []string{".csv", ".json", ".txt"} {
		base = strings.TrimSuffix(base, end)
	}
	return base
}

func (t *table) readCounterCSV(r *bufio.Reader, entity string) error {
	c := &csvReader{r: r}
	var cs cells
	if err := t.readCounterRows(c, &cs, entity); err != nil {
		return fmt.Errorf("line %d: %w", max(c.line, 1), err)
	}
	if cs.noZone > 0 {
		t.warnf("%d timestamps have no time zone: taken as UTC", cs.noZone)
	}
	return nil
}

func (t *table) readCounterRows(c *csvReader, cs *cells, entity string) error {
	fields, err := c.next()
	if err != nil {
		return err
	}
	header := make([]string, len(fields))
	for i, f := range fields {
		header[i] = strings.TrimSpace(string(f))
	}
	if i := slices.Index(header, "ts"); i >= 0 && !slices.Contains(header, "timestamp") {
		header[i] = "timestamp"
	}
	if i := slices.Index(header, "metric"); i >= 0 && !slices.Contains(header, "series") {
		header[i] = "series"
	}
	if err := checkHeader(header); err != nil {
		return errors.New("want ts,metric,LABEL,…,value or ts,METRIC: " + err.Error())
	}
	h := csvHeader{names: header, time: slices.Index(header, "timestamp"), name: slices.Index(header, "series"), value: slices.Index(header, "value")}
	var row func([][]byte) error
	switch {
	case h.name >= 0 && h.value >= 0:
		row = t.longRows(h, cs)
	case len(header) == 2 && header[1-h.time] != "value":
		metric := header[1-h.time]
		row = t.singleRows(h.time, t.add(metric, labels.FromStrings(model.MetricNameLabel, metric, StemLabel, entity)), cs)
	default:
		return fmt.Errorf("the header is %s, want ts,metric,LABEL,…,value or ts,METRIC", quoteShort([]byte(strings.Join(header, ","))))
	}
	for {
		fields, err := c.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
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

// singleRows returns the reader of one row of a time and the value of series i.
func (t *table) singleRows(timeCol, i int, cs *cells) func([][]byte) error {
	return func(fields [][]byte) error {
		ms, err := cs.time(fields[timeCol])
		if err != nil {
			return err
		}
		v, err := cs.value(fields[1-timeCol])
		if err != nil {
			return err
		}
		t.point(i, ms, v)
		return nil
	}
}

// counters sorts the points, drops what says nothing and refuses what no counter is.
func (t *table) counters() error {
	repeated, missing, points := 0, 0, 0
	for i := range t.series {
		s := &t.series[i]
		repeated += s.sortPoints()
		n := 0
		for k, v := range s.Values {
			switch {
			case math.IsNaN(v):
				missing++
				continue
			case v < 0:
				return fmt.Errorf("series %s: %g at %s: a counter is never negative", quoteShort([]byte(s.Name)), v, rfc3339(s.Times[k]))
			}
			s.Times[n], s.Values[n] = s.Times[k], v
			n++
		}
		s.Times, s.Values = s.Times[:n], s.Values[:n]
		points += n
	}
	if points == 0 {
		return errors.New("no data: there is a header but no value")
	}
	if repeated > 0 {
		t.warnf("%d rows repeat a timestamp of their series: the last one counts", repeated)
	}
	if missing > 0 {
		t.warnf("%d values are missing, NaN or infinite: the counter keeps its last value", missing)
	}
	return nil
}
