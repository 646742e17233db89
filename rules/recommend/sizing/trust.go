package sizing

import (
	"math"

	"github.com/upid/upid/forecast/num"
)

// Trust is how much a decision can be relied on, as factors in [0, 1). Nothing that was measured is certain: none is
// above what the rule of succession allows for its samples, and the product not above that of the days.
type Trust struct {
	History  float64 // √(days of history / 14), and less where the product would be too much for so many days
	Coverage float64 // samples there are of those there should be, in 14 days
	Stable   float64 // 1 less half the logarithm of how the level moved in three days; at least 0.5
	Borne    float64 // 1 less five times the error of past claims of CPU above the request; at least 0.3
}

// Confidence is the product of the factors.
func (t Trust) Confidence() float64 { return t.History * t.Coverage * t.Stable * t.Borne }

// claims compare the share of time that CPU was claimed to be above the request with what
// came, faded like losses.
type claims struct {
	claimed, came, weight float64
}

func (c *claims) add(claimed, came float64) {
	if claimed != claimed {
		return
	}
	c.claimed = c.claimed*fade + claimed
	c.came = c.came*fade + came
	c.weight = c.weight*fade + 1
}

// Trust returns how much the last decision can be relied on.
func (s *Sizer) Trust(c *Scratch) Trust {
	t := Trust{History: math.Sqrt(math.Min(float64(s.days)/14, 1)), Coverage: 0, Stable: 1, Borne: 1}
	n, days, lately := 0, min(s.days, 14), 0
	for age := range days {
		n += s.day(age).n
		if age < 3 {
			lately = n
		}
	}
	if days > 0 && s.step > 0 {
		t.Coverage = math.Min(float64(n)*float64(s.step)/daySeconds/float64(days), 1)
	}
	moved := math.Max(math.Abs(s.moved(c)), math.Abs(s.movedMemory()))
	t.Stable = 1 - math.Min(0.5, moved/2)
	if s.claims.weight > 0 {
		t.Borne = math.Max(0.3, 1-5*math.Abs(s.claims.claimed-s.claims.came)/s.claims.weight)
	}
	t.Coverage = math.Min(t.Coverage, num.Succession(float64(n)))
	t.Stable = math.Min(t.Stable, num.Succession(float64(lately)))
	t.Borne = math.Min(t.Borne, num.Succession(s.claims.weight*daySeconds/float64(max(s.step, 1))))
	t.History = math.Min(t.History, num.Succession(float64(s.days))/(t.Coverage*t.Stable*t.Borne)) // +Inf of no coverage
	return t
}

// Past is how what was set would have done, had it been applied at each midnight.
type Past struct {
	Weeks       float64 // of CPU, a day counting 0.95 times as much as the next: at most 2.9
	Above       float64 // share of that time, in [0, 1], that CPU was above what was set; NaN of none
	MemoryWeeks float64 // of memory: at most six days
	Exceeded    float64 // days of those on which memory was above what was set, not counting raises under pressure
}

// Past returns that as of the last Decide.
func (s *Sizer) Past() Past {
	p := Past{Weeks: s.claims.weight / envelope, Above: s.claims.came / s.claims.weight, MemoryWeeks: 0, Exceeded: 0}
	for age := range min(s.days, envelope-1) {
		peak, set := s.peakOf(age), s.memories[age+1]
		if peak != peak || set != set {
			continue
		}
		p.MemoryWeeks += 1.0 / envelope
		if peak > set {
			p.Exceeded++
		}
	}
	return p
}

// moved returns the logarithm of the median of CPU in the last three days over that of the
// eleven before, both at least 0.01 cores; 0 where one of them has no samples.
func (s *Sizer) moved(c *Scratch) float64 {
	median := func(from, to int) float64 {
		c.mix.reset()
		for age := from; age < min(to, s.days); age++ {
			c.mix.mix(s.day(age), 1)
		}
		var q [1]float64
		c.mix.quantiles(q[:], []float64{0.5})
		return math.Log(math.Max(q[0], leastCPU))
	}
	if d := median(0, 3) - median(3, 14); d == d {
		return d
	}
	return 0
}

// movedMemory is the same of the mean logarithm of daily memory peaks.
func (s *Sizer) movedMemory() float64 {
	mean := func(from, to int) float64 {
		sum, n := 0.0, 0.0
		for age := from; age < min(to, s.days); age++ {
			if v := s.peakOf(age); v == v {
				sum += math.Log(v + offset)
				n++
			}
		}
		return sum / n
	}
	if d := mean(0, 3) - mean(3, 14); d == d {
		return d
	}
	return 0
}

// Risk returns the probability, in [0, 1], that memory is above m bytes at least once in the
// next seven days, if nothing is changed meanwhile; NaN if too little is known:
//
//	1 / (1 + exp(1.78 − 1.11·√r + 0.73·ln(m/M7) + 1.11·ln(m/M28) + 1.65·(1 − c)))
//
// with r the risk of the fitted distribution, M7 and M28 the highest memory of the last 7
// and 28 days (at least 16 MiB; the logarithms are within −1 and 2) and c the confidence.
// A logistic regression on 6,720 decisions for 40 real traces: r alone says 0.2 % where 3 % came,
// and 65 % where 15 % did. Half the traces predict the other half within 5 points in most bands.
func (s *Sizer) Risk(m, confidence float64) float64 {
	f := s.RiskFactors(m, confidence)
	z := riskCoefficients[0]
	for i, v := range f {
		z += riskCoefficients[i+1] * v
	}
	return 1 / (1 + math.Exp(-z)) // NaN stays
}

// riskCoefficients are the intercept and the coefficients of RiskFactors.
var riskCoefficients = [5]float64{-1.78, 1.11, -0.73, -1.11, -1.65}

// RiskFactors returns what Risk is computed from: √r, ln(m/M7), ln(m/M28) and 1 − c; NaN if too little is known.
func (s *Sizer) RiskFactors(m, confidence float64) [4]float64 {
	if !s.fitted || !(m > 0) {
		nan := math.NaN()
		return [4]float64{nan, nan, nan, nan}
	}
	over := func(days int) float64 {
		most := s.highest(days)
		if most != most {
			most = 0
		}
		return min(max(math.Log(m/max(most, offset)), -1), 2)
	}
	return [4]float64{math.Sqrt(s.gumbel.risk(m)), over(7), over(window), 1 - confidence}
}
