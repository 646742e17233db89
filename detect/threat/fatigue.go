package threat

import "math"

// A fatigue remembers how much evidence there was of late against one entity, so that one
// whose ordinary days surprise its model all the time pays for it.
type fatigue struct {
	said float64 // pieces of evidence, forgotten with a half-life of 14 days
	last int64   // time of the newest
}

// price returns the decades by which the threshold is raised at t:
//
//	log10(1 + a/free), at most 1½
//
// with a the pieces of evidence that are remembered and free how many come with no fault of
// the model.
func (f *fatigue) price(t int64, free float64) float64 {
	return min(math.Log10(1+f.said*keep(t-f.last, 14*day)/free), 1.5)
}

// say notes evidence at t; what goes on without a pause of an hour is one piece.
func (f *fatigue) say(t int64) {
	if t-f.last > hour {
		f.said = f.said*keep(t-f.last, 14*day) + 1
	}
	f.last = t
}
