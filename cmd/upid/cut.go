package main

import (
	"fmt"
	"math"
	"sort"
	"time"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/source"
)

// cut leaves of the series of files what --end and --lookback let through: the points
// after end − lookback, up to and including end. Without --end the newest point of all
// is the end. A series without a point there is left out, which is said; if none has
// one, that is an error. The points stay where they are, none is copied.
func (f *inputFlags) cut(e *env, all []source.FileSeries) ([]source.FileSeries, error) {
	if f.End == "" && f.Lookback == nil {
		return all, nil
	}
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	for _, s := range all {
		if n := len(s.Times); n > 0 {
			first, last = min(first, s.Times[0]), max(last, s.Times[n-1])
		}
	}
	to, err := f.end(time.UnixMilli(last))
	if err != nil {
		return nil, err // Validate has accepted it before
	}
	from := int64(math.MinInt64)
	if f.Lookback != nil {
		from = to.Add(-time.Duration(*f.Lookback)).UnixMilli()
	}
	kept := all[:0]
	var said notes
	for _, s := range all {
		i := sort.Search(len(s.Times), func(i int) bool { return s.Times[i] > from })
		j := sort.Search(len(s.Times), func(j int) bool { return s.Times[j] > to.UnixMilli() })
		if i >= j {
			said.add(s.Name, "left out: it has no points "+f.stretch(e, from, to))
			continue
		}
		s.Times, s.Values = s.Times[i:j], s.Values[i:j]
		kept = append(kept, s)
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("no points %s: the input has points from %s to %s",
			f.stretch(e, from, to), output.Timestamp(first, e.loc), output.Timestamp(last, e.loc))
	}
	said.print(e)
	return kept, nil
}

// stretch says which points are let through.
func (f *inputFlags) stretch(e *env, from int64, to time.Time) string {
	until := output.Timestamp(to.UnixMilli(), e.loc)
	if f.Lookback == nil {
		return "up to " + until
	}
	return "from " + output.Timestamp(from, e.loc) + " to " + until
}
