package learn

import (
	"fmt"
	"slices"
)

// parts are the rows of a split, each ascending in time: learn from the oldest, end
// early and calibrate on the next, judge on the newest, which nothing else sees.
type parts struct{ train, tail, test []int }

// The shares of a split.
const (
	trainShare = 0.6
	tailShare  = 0.2
)

// leastRows is how many rows each of the three parts must have, train more.
const (
	leastTrain = 60
	leastTail  = 20
)

// split divides the rows with a target by time: no row of a later part is older than
// one of an earlier, and where times are known, no target of an earlier part was
// still unknown when the later begins (rows in that gap are left out).
func (d Data) split() (parts, error) {
	var rows []int
	for i := range d.Rows() {
		if d.Target == nil || d.Target[i] == d.Target[i] { //nolint:gocritic // not NaN
			rows = append(rows, i)
		}
	}
	if d.Times == nil {
		a, b := cutAt(len(rows), trainShare), cutAt(len(rows), trainShare+tailShare)
		return parts{rows[:a], rows[a:b], rows[b:]}.enough()
	}
	slices.SortStableFunc(rows, func(a, b int) int {
		switch {
		case d.Times[a] < d.Times[b]:
			return -1
		case d.Times[a] > d.Times[b]:
			return 1
		}
		return 0
	})
	if len(rows) == 0 {
		return parts{}.enough()
	}
	first := d.Times[rows[cutAt(len(rows)-1, trainShare)]]
	second := d.Times[rows[cutAt(len(rows)-1, trainShare+tailShare)]]
	var p parts
	for _, i := range rows {
		switch t := d.Times[i]; {
		case t+d.Gap <= first:
			p.train = append(p.train, i)
		case t >= first && t+d.Gap <= second:
			p.tail = append(p.tail, i)
		case t >= second:
			p.test = append(p.test, i)
		}
	}
	return p.enough()
}

// HeldOutFrom returns the time from which rows of d are held out of training, to judge
// by; ok is false where rows have no times or are too few.
func (d Data) HeldOutFrom() (from int64, ok bool) {
	if d.Times == nil {
		return 0, false
	}
	p, err := d.split()
	if err != nil {
		return 0, false
	}
	return d.Times[p.test[0]], true
}

func cutAt(n int, share float64) int { return int(share * float64(n)) }

func (p parts) enough() (parts, error) {
	if len(p.train) < leastTrain || len(p.tail) < leastTail || len(p.test) < leastTail {
		return p, fmt.Errorf("%w: by time, %d to learn from, %d to end and calibrate on, %d to judge on; want at least %d, %d and %d",
			ErrFewRows, len(p.train), len(p.tail), len(p.test), leastTrain, leastTail, leastTail)
	}
	return p, nil
}
