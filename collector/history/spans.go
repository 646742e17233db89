package history

import (
	"cmp"
	"slices"
)

// span is a stretch of grid times, both ends inclusive.
type span struct{ from, to int64 }

// points returns how many grid points lie in s.
func (s span) points(step int64) int64 { return (s.to-s.from)/step + 1 }

// spans are sorted and apart by more than a step.
type spans []span

// add joins s in.
func (ss spans) add(s span, step int64) spans {
	out := make(spans, 0, len(ss)+1)
	for i, o := range ss {
		switch {
		case o.to+step < s.from:
			out = append(out, o)
		case s.to+step < o.from:
			return append(append(out, s), ss[i:]...)
		default:
			s = span{min(s.from, o.from), max(s.to, o.to)}
		}
	}
	return append(out, s)
}

// missing returns the parts of s that are not in ss.
func (ss spans) missing(s span, step int64) []span {
	var out []span
	for _, o := range ss {
		if o.to < s.from {
			continue
		}
		if o.from > s.to {
			break
		}
		if o.from > s.from {
			out = append(out, span{s.from, o.from - step})
		}
		s.from = o.to + step
	}
	if s.from <= s.to {
		out = append(out, s)
	}
	return out
}

// cut returns s in pieces of at most n grid points.
func (s span) cut(n, step int64) []span {
	var out []span
	for from := s.from; from <= s.to; from += n * step {
		out = append(out, span{from, min(s.to, from+(n-1)*step)})
	}
	return out
}

// days returns s in pieces that end with a UTC day.
func (s span) days(step int64) []span {
	const day = 24 * 60 * 60 * 1000
	var out []span
	for from := s.from; from <= s.to; {
		last := from + (floorDiv(from, day)*day+day-1-from)/step*step
		out = append(out, span{from, min(s.to, last)})
		from = last + step
	}
	return out
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// longest keeps the n longest of ss, in their order.
func longest(ss []span, n int) []span {
	if len(ss) <= n {
		return ss
	}
	by := slices.Clone(ss)
	slices.SortStableFunc(by, func(a, b span) int { return cmp.Compare(b.to-b.from, a.to-a.from) })
	by = by[:n]
	slices.SortFunc(by, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	return by
}

// nearest returns ss, sorted, in at most n pieces: where there are more, those with
// the least between them become one.
func nearest(ss []span, n int) []span {
	if len(ss) <= n {
		return ss
	}
	after := make([]int, len(ss)-1) // i: what lies between i and i + 1
	for i := range after {
		after[i] = i
	}
	between := func(i int) int64 { return ss[i+1].from - ss[i].to }
	slices.SortStableFunc(after, func(a, b int) int { return cmp.Compare(between(a), between(b)) })
	joined := make([]bool, len(ss))
	for _, i := range after[:len(ss)-n] {
		joined[i] = true
	}
	out := make([]span, 0, n)
	for i := 0; i < len(ss); i++ {
		s := ss[i]
		for ; joined[i]; i++ {
			s.to = ss[i+1].to
		}
		out = append(out, s)
	}
	return out
}
