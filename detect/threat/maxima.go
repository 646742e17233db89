package threat

import "math"

const (
	maximaDays   = 14
	maximaSpread = 0.55
	maximaPrior  = 4 // days
)

// A maxima holds the largest value of each of the last days, as logarithms log(x + floor).
type maxima struct {
	floor float32 // what makes no difference, > 0
	days  [maximaDays]float32
	n     int
	pos   int
	today float32 // 0 before the first sum of the day
	day   int64
	said  bool // today's was reported: it counts as a day already
}

// turn begins a day.
func (m *maxima) turn(day int64) {
	if day == m.day {
		return
	}
	if m.today > 0 {
		m.days[m.pos] = m.today
		m.pos = (m.pos + 1) % maximaDays
		m.n = min(m.n+1, maximaDays)
	}
	m.day, m.today, m.said = day, 0, false
}

// see takes in a value.
func (m *maxima) see(x float64) { m.today = max(m.today, float32(math.Log(x+float64(m.floor)))) }

// moments returns the mean and the shrunk standard deviation of the logarithms.
func (m *maxima) moments() (mean, sd float64) {
	var all [maximaDays + 1]float32
	ys := append(all[:0], m.days[:m.n]...)
	if m.said && m.today > 0 {
		ys = append(ys, m.today)
	}
	for _, y := range ys {
		mean += float64(y)
	}
	n := float64(max(len(ys), 1))
	mean /= n
	var ss float64
	for _, y := range ys {
		ss += (float64(y) - mean) * (float64(y) - mean)
	}
	return mean, math.Sqrt((ss + maximaPrior*maximaSpread*maximaSpread) / (n - 1 + maximaPrior))
}

// typical returns the typical maximum of a day.
func (m *maxima) typical() float64 {
	mean, _ := m.moments()
	return max(math.Exp(mean)-float64(m.floor), 0)
}

// judge returns the typical maximum of a day, and the surprise of x. Before five
// days nothing is surprising.
func (m *maxima) judge(x float64) (typical, surprise float64) {
	mean, sd := m.moments()
	typical = max(math.Exp(mean)-float64(m.floor), 0)
	if m.n < 5 {
		return typical, 0
	}
	return typical, gumbelTail(math.Log(x+float64(m.floor)), mean, sd)
}

// gumbelTail returns −log10 P(Y ≥ y) of a Gumbel distribution of a mean and a standard
// deviation > 0, in decades up to 300.
func gumbelTail(y, mean, sd float64) float64 {
	const euler = 0.57721566490153286
	beta := sd * math.Sqrt(6) / math.Pi
	z := (y - mean + euler*beta) / beta
	if z > 30 { // 1 − exp(−e^−z) is e^−z
		return min(z/math.Ln10, 300)
	}
	return max(-math.Log10(-math.Expm1(-math.Exp(-z))), 0)
}
