package detect

// A span is the range of values the series usually has.
type span struct{ low, high float64 }

const (
	// A deviation that stays inside the span counts that much: it has been there
	// before. 1 would double the false alarms.
	spanDamp = 0.6
	// An anomaly widens the span by that share of the way, so that a lasting
	// change becomes usual; anything ordinary widens it at once.
	spanNovel = 0.02
	// The span shrinks by that share a day on either side.
	spanShrink = 0.01
)

// weight returns what deviations at x count.
func (s *span) weight(x float64) float64 {
	if x > s.high || x < s.low {
		return 1
	}
	return spanDamp
}

func (s *span) learn(x float64, ordinary bool) {
	share := spanNovel
	if ordinary {
		share = 1
	}
	if x > s.high {
		s.high += share * (x - s.high)
	}
	if x < s.low {
		s.low += share * (x - s.low)
	}
}

func (s *span) shrink() {
	r := spanShrink * (s.high - s.low)
	s.low += r
	s.high -= r
}
