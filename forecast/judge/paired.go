package judge

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Loss is what two models lost on one row, lower is better: A and B in the same unit.
type Loss struct {
	At   int64 // when the row was, Unix milliseconds
	A, B float64
}

// Paired is the outcome of a paired test of two models on the same rows.
type Paired struct {
	Rows  int     // that both were judged on
	Times int     // different times among them
	Least int     // different times it takes for a verdict
	A, B  float64 // mean losses
	T     float64 // Student's t of A − B over the times; above 0 B is better; NaN if unknown
	P     float64 // that B only seems better, or worse, one-sided; NaN if unknown
	// Verdict is that of B against A.
	Verdict Verdict
}

// LeastPaired is how many different times a paired test takes at least.
const LeastPaired = 20

// significant is the level of a paired test, one-sided: Bartlett weights see only part of
// what hangs together, so that of equal models up to one in eight is called different.
const significant = 0.02

// Compare tests whether B loses less than A: the test of Diebold and Mariano (1995)
// with the correction of Harvey, Leybourne and Newbold (1997) on the mean differences of
// the times. Rows of one time count once. overlap is how long a row's target reaches
// beyond its time: differences nearer than that hang together, so that their variance
// has Bartlett weights up to there (Newey and West, 1987). A verdict takes LeastPaired
// times, and four stretches of overlap. NaN losses are left out. O(n log n + n·lags).
func Compare(losses []Loss, overlap int64) Paired {
	rows := slices.DeleteFunc(slices.Clone(losses), func(l Loss) bool {
		return math.IsNaN(l.A-l.B) || math.IsInf(l.A, 0) || math.IsInf(l.B, 0)
	})
	slices.SortStableFunc(rows, func(a, b Loss) int { return cmp.Compare(a.At, b.At) })
	p := Paired{Rows: len(rows), Times: 0, Least: LeastPaired, A: math.NaN(), B: math.NaN(), T: math.NaN(), P: math.NaN(), Verdict: Open}
	if len(rows) == 0 {
		return p
	}
	var times []int64
	var d []float64 // mean A − B by time
	var a, b float64
	for i := 0; i < len(rows); {
		k, sum := i, 0.0
		for ; k < len(rows) && rows[k].At == rows[i].At; k++ {
			sum += rows[k].A - rows[k].B
			a += rows[k].A
			b += rows[k].B
		}
		times, d = append(times, rows[i].At), append(d, sum/float64(k-i))
		i = k
	}
	p.Times, p.A, p.B = len(d), a/float64(len(rows)), b/float64(len(rows))
	lags := lagsWithin(times, overlap)
	p.Least = max(LeastPaired, 4*(lags+1))
	if p.Times < p.Least {
		return p
	}
	n := float64(len(d))
	mean := 0.0
	for _, x := range d {
		mean += x / n
	}
	variance := 0.0
	for lag := 0; lag <= lags; lag++ {
		c := 0.0
		for i := lag; i < len(d); i++ {
			c += (d[i] - mean) * (d[i-lag] - mean) / n
		}
		if lag > 0 {
			c *= 2 * (1 - float64(lag)/float64(lags+1))
		}
		variance += c
	}
	if !(variance > 0) {
		switch { // they differ by the same everywhere, or not at all
		case mean > 0:
			p.Verdict, p.T, p.P = Better, math.Inf(1), 0
		case mean < 0:
			p.Verdict, p.T, p.P = Worse, math.Inf(-1), 0
		default:
			p.T, p.P = 0, 0.5
		}
		return p
	}
	h := float64(lags + 1)
	p.T = mean / math.Sqrt(variance/n) * math.Sqrt(max(0, (n+1-2*h+h*(h-1)/n)/n))
	p.P = distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1, Src: nil}.Survival(math.Abs(p.T))
	switch {
	case p.P < significant && p.T > 0:
		p.Verdict = Better
	case p.P < significant && p.T < 0:
		p.Verdict = Worse
	}
	return p
}

// lagsWithin returns how many of the times before one lie within overlap of it, at
// most.
func lagsWithin(times []int64, overlap int64) int {
	lags := 0
	for i, j := 0, 0; i < len(times); i++ {
		for times[i]-times[j] >= max(overlap, 1) {
			j++
		}
		lags = max(lags, i-j)
	}
	return lags
}
