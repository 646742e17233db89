package learn

import (
	"fmt"
	"math"
	"slices"
)

// refuse returns why nothing honest can be learned from the rows of a split.
func (d Data) refuse(p parts) error {
	for _, part := range []struct {
		name string
		rows []int
	}{{"learn from", p.train}, {"judge on", p.test}} {
		y := take(d.Target, part.rows)
		if slices.Min(y) == slices.Max(y) {
			return fmt.Errorf("%w: it is %g in all %d rows to %s", ErrConstant, y[0], len(y), part.name)
		}
	}
	for j, c := range d.Columns {
		if line(c, d.Target, p.train) {
			return fmt.Errorf("%w: %s is a straight line of it in every row", ErrLeak, d.Features[j])
		}
	}
	return nil
}

// line reports whether y is a + b·x with b ≠ 0 at every row with an x, to within
// rounding.
func line(x, y []float64, rows []int) bool {
	var n, mx, my, sxx, sxy, syy float64
	for _, i := range rows {
		if math.IsNaN(x[i]) {
			continue
		}
		n++
		dx, dy := x[i]-mx, y[i]-my
		mx += dx / n
		my += dy / n
		sxx += dx * (x[i] - mx)
		sxy += dx * (y[i] - my)
		syy += dy * (y[i] - my)
	}
	return n >= leastTail && sxx > 0 && syy > 0 && 1-(sxy/sxx)*(sxy/syy) < 1e-9
}
