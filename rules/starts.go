package rules

import "slices"

// Starts returns when findings opened at since (Unix milliseconds) or later,
// oldest first. Only the newest 16 are on record.
func (a Alert) Starts(since int64) []int64 {
	var out []int64
	for _, t := range a.starts[:min(a.raised, maxStarts)] {
		if t >= since {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return out
}
