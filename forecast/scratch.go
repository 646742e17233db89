package forecast

import (
	"context"
	"slices"
)

// Scratch is working memory that forecasts reuse. The zero value is ready. One
// goroutine owns a Scratch at a time; a worker keeps its own and passes it to
// every call, so that from the second series of a size on nothing is allocated.
type Scratch struct {
	arena []float64 // one block, handed out from the front
	used  int
	spill int // floats that did not fit since the last reset

	lags    []int
	ends    []int
	rows    [][]float64 // row headers, handed out from the front
	rowUsed int
	bools   []bool
	ints    []int
	members [][][]float64
	history history

	logs logs // of the history that members project from

	otherEnds    []int
	otherMembers [][][]float64

	coarse      history
	head        history // of the next hour
	headRolling rolling
	means       []bool
	incidents   []bool // what is marked of the history, where incidents are

	events placed
	wall   wallMemory
	naive  fixedSeason     // of SeasonalNaive
	ctx    context.Context //nolint:containedctx // see With: the interface of models is without one
}

// mark is a position in the working memory to which release returns.
type mark struct{ used, rowUsed int }

func (s *Scratch) mark() mark { return mark{used: s.used, rowUsed: s.rowUsed} }

// release takes back everything handed out since m. Slices handed out since
// then must not be used any more.
func (s *Scratch) release(m mark) { s.used, s.rowUsed = m.used, m.rowUsed }

// reset takes everything back and makes room for what did not fit before.
func (s *Scratch) reset() {
	if s.spill > 0 {
		s.arena = make([]float64, len(s.arena)+s.spill+s.spill/16)
		s.spill = 0
	}
	s.used, s.rowUsed = 0, 0
	s.logs = logs{}
}

// floats hands out n zeroed values.
func (s *Scratch) floats(n int) []float64 {
	if s.used+n > len(s.arena) {
		s.spill += n // the next reset grows the arena, so this happens once per size
		return make([]float64, n)
	}
	v := s.arena[s.used : s.used+n : s.used+n]
	s.used += n
	clear(v)
	return v
}

// table hands out r nil rows.
func (s *Scratch) table(r int) [][]float64 {
	if s.rowUsed+r > len(s.rows) {
		s.rows = append(slices.Clip(s.rows), make([][]float64, r+len(s.rows))...)
	}
	m := s.rows[s.rowUsed : s.rowUsed+r : s.rowUsed+r]
	s.rowUsed += r
	clear(m)
	return m
}

// flags hands out n false values. There is one such slice at a time.
func (s *Scratch) flags(n int) []bool {
	s.bools = grown(s.bools, n)
	clear(s.bools)
	return s.bools
}

// integers hands out n zeros. There is one such slice at a time.
func (s *Scratch) integers(n int) []int {
	s.ints = grown(s.ints, n)
	clear(s.ints)
	return s.ints
}

// tables hands out n nil tables. There is one such slice at a time.
func (s *Scratch) tables(n int) [][][]float64 {
	s.members = grown(s.members, n)
	clear(s.members)
	return s.members
}

// grown returns v with length n, with whatever was in it.
func grown[T any](v []T, n int) []T {
	if cap(v) < n {
		return make([]T, n)
	}
	return v[:n]
}
