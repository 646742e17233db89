package learn

import (
	"math"
	"slices"
)

// Profile is how the values of a feature were spread over the rows learned from: the
// shares between neighbouring edges, which are deciles, and of rows without the feature.
type Profile struct {
	Edges   floats  `json:"edges"`   // ascending and different; a value equal to one lies below it
	Shares  floats  `json:"shares"`  // one more than edges; of the rows with a value
	Missing float64 `json:"missing"` // share of the rows without one
	Rows    int     `json:"rows"`
}

// deciles of a profile.
const deciles = 10

// newProfile returns the profile of the values v, NaN being missing. O(n log n).
func newProfile(v []float64) Profile {
	there := slices.DeleteFunc(slices.Clone(v), math.IsNaN)
	slices.Sort(there)
	p := Profile{Edges: floats{}, Shares: floats{}, Rows: len(v)}
	if len(v) > 0 {
		p.Missing = 1 - float64(len(there))/float64(len(v))
	}
	for k := 1; k < deciles && len(there) > 0; k++ {
		e := there[(len(there)-1)*k/deciles]
		if n := len(p.Edges); n == 0 || e > p.Edges[n-1] {
			p.Edges = append(p.Edges, e)
		}
	}
	for _, n := range p.counts(there) {
		p.Shares = append(p.Shares, n/float64(max(len(there), 1)))
	}
	return p
}

// counts returns how many of v, none NaN, lie in each bin.
func (p Profile) counts(v []float64) []float64 {
	n := make([]float64, len(p.Edges)+1)
	for _, x := range v {
		k, _ := slices.BinarySearch(p.Edges, x)
		n[k]++
	}
	return n
}

// PSI returns the population stability index of the values v against the rows learned from,
//
//	PSI = Σ (q − p)·ln(q/p)
//
// over the bins of the profile and one for missing values; p and q are their shares with half a
// row added to each, so that an empty bin is not infinitely far. NaN is missing. 0 is the same;
// by custom below 0.1 is stable and above 0.25 another population. Chance alone makes about
// bins·(1/n + 1/m) of n and m independent rows. NaN without rows on either side. O(n log bins).
// Siddiqi, Credit Risk Scorecards, 2006.
func (p Profile) PSI(v []float64) float64 {
	if len(v) == 0 || p.Rows == 0 {
		return math.NaN()
	}
	there := slices.DeleteFunc(slices.Clone(v), math.IsNaN)
	was := make([]float64, 0, len(p.Shares)+1)
	for _, s := range p.Shares {
		was = append(was, s*(1-p.Missing)*float64(p.Rows))
	}
	was = append(was, p.Missing*float64(p.Rows))
	is := append(p.counts(there), float64(len(v)-len(there)))
	bins, psi := float64(len(is)), 0.0
	for k := range is {
		a := (was[k] + 0.5) / (float64(p.Rows) + bins/2)
		b := (is[k] + 0.5) / (float64(len(v)) + bins/2)
		psi += (b - a) * math.Log(b/a)
	}
	return psi
}

func (p Profile) valid() error {
	if len(p.Shares) != len(p.Edges)+1 || len(p.Edges) >= deciles || !(p.Missing >= 0 && p.Missing <= 1) || p.Rows < 0 {
		return errForm
	}
	for k, e := range p.Edges {
		if math.IsNaN(e) || k > 0 && !(e > p.Edges[k-1]) {
			return errForm
		}
	}
	for _, s := range p.Shares {
		if !(s >= 0 && s <= 1) {
			return errForm
		}
	}
	return nil
}

// profile sets the profiles of m on the rows learned from, and how the rows judged on differ.
func (m *Model) profile(d Data) {
	p, err := d.split()
	if err != nil {
		return // those of oddness may be fewer than a split takes
	}
	m.Profiles, m.Report.Drift = nil, nil
	for _, c := range d.Columns {
		f := newProfile(take(c, p.train))
		m.Profiles = append(m.Profiles, f)
		m.Report.Drift = append(m.Report.Drift, f.PSI(take(c, p.test)))
	}
}
