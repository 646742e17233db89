package rules

import "slices"

// Openings returns the findings that opened at from (Unix milliseconds) or later
// and before to, oldest first. Only the newest 16 are on record.
func (a Alert) Openings(from, to int64) []Opening {
	var out []Opening
	for _, o := range a.opened[:min(a.raised, maxOpenings)] {
		if o.At >= from && o.At < to {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b Opening) int { return int(a.At - b.At) })
	return out
}
