package sizing

import "math"

const (
	eulerMascheroni = 0.5772156649015329
	offset          = 16 << 20 // bytes, added before the logarithm so that 1 MiB and 2 MiB are alike
	gumbelHalfLife  = 14.0     // days
	leastSpread     = 0.01     // of the Gumbel distribution: memory that never moved may yet by a few per cent
	horizonDays     = 7
	leastMemory     = 32 << 20 // bytes
)

// gumbel is the distribution of the logarithm of the highest memory of a day, in bytes,
// plus 16 MiB.
type gumbel struct {
	location, scale float64
}

// fitGumbel fits daily maxima, newest first, by moments with weights 2^(−age/14 d):
//
//	scale = √6/π · standard deviation,  location = mean − 0.5772 · scale
//
// of ln(x + 16 MiB). NaN are skipped; ok is false if fewer than two are left. O(n).
// Gumbel (1958), Statistics of Extremes, section 6.2.
func fitGumbel(maxima []float64) (g gumbel, ok bool) {
	var n int
	var weight, mean, square float64
	for i, x := range maxima {
		if math.IsNaN(x) {
			continue
		}
		w := math.Exp2(-float64(i) / gumbelHalfLife)
		n++
		weight += w
		d := math.Log(x+offset) - mean
		mean += d * w / weight
		square += w * d * (math.Log(x+offset) - mean)
	}
	if n < 2 {
		return gumbel{}, false
	}
	g.scale = max(math.Sqrt(6*square/weight)/math.Pi, leastSpread)
	g.location = mean - eulerMascheroni*g.scale
	return g, true
}

// quantile returns the memory, in bytes, that the highest of the next seven days stays
// below with probability p, in (0, 1): days are taken to be independent.
func (g gumbel) quantile(p float64) float64 {
	return math.Exp(g.location-g.scale*math.Log(-math.Log(p)/horizonDays)) - offset
}

// risk is the probability that the highest of the next seven days is above m bytes.
func (g gumbel) risk(m float64) float64 {
	return -math.Expm1(-horizonDays * math.Exp(-(math.Log(m+offset)-g.location)/g.scale))
}

// cheapest returns the memory that costs least if a byte costs one and the certainty of a
// kill price bytes: the minimum of m(p) + price·(1 − p) over p from 0.3 to 0.999, in
// steps of 1 − p by a factor of 1.1.
func (g gumbel) cheapest(price float64) float64 {
	best, at := math.Inf(1), 0.0
	for risk := 0.001; risk <= 0.7; risk *= 1.1 {
		m := g.quantile(1 - risk)
		if c := m + price*risk; c < best {
			best, at = c, m
		}
	}
	return at
}

// oomFloor is what memory must not fall below after a kill.
type oomFloor struct {
	limit float64 // bytes at the newest kill; 0: none
	at    int64   // Unix seconds
	kills int     // in a row at this limit
}

const (
	floorHalfLife = 14 * daySeconds
	floorForgets  = 28 * daySeconds
	daySeconds    = 86400
)

// value is the floor at time now, in bytes, 0 if there is none. It begins at
// max(1.2·limit, min(limit + 100 MiB, 1.5·limit)); what of that is above usage halves every 14
// days, and is gone after 28. It depends on the limit that killed, never on a
// recommendation or on itself, so kills at a limit that stays cannot drive it up, and it
// is at most 1.5 times what the container wanted.
func (f oomFloor) value(now int64, usage float64) float64 {
	age := float64(now - f.at)
	if f.limit <= 0 || age >= floorForgets || age < 0 {
		return 0
	}
	full := max(1.2*f.limit, min(f.limit+100<<20, 1.5*f.limit))
	if full <= usage {
		return 0
	}
	return usage + (full-usage)*math.Exp2(-age/floorHalfLife)
}
