package forecast

// adjusted holds a history without its usual day: what models without a season work
// on.
type adjusted struct {
	y       []float64 // less profile[t mod m], t counted from the first point
	profile []float64 // adds up to 0
}

// adjust takes the mean day out of y, with memory from s: for every phase the mean
// deviation from the mean of its own day, over whole days counted back from the end.
// With fewer than two of them, or on a grid without a season, nothing is taken out.
// O(n).
func adjust(y []float64, g grid, s *Scratch) adjusted {
	m, n := g.season, len(y)
	a := adjusted{y: s.floats(n), profile: s.floats(m)}
	copy(a.y, y)
	days := n / m
	if m == 1 || days < 2 {
		return a
	}
	for j := range days {
		from := n - (j+1)*m
		level := mean(y[from : from+m])
		for t := from; t < from+m; t++ {
			a.profile[t%m] += (y[t] - level) / float64(days)
		}
	}
	for t := range a.y {
		a.y[t] -= a.profile[t%m]
	}
	return a
}

// restore adds the usual day to what follows the history.
func (a adjusted) restore(dst []float64) {
	n, m := len(a.y), len(a.profile)
	for h := range dst {
		dst[h] += a.profile[(n+h)%m]
	}
}
