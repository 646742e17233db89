package num

// Succession returns the probability, in [½, 1), that the next of a kind holds where all n ≥ 0 seen held:
//
//	(n + 1) / (n + 2)
//
// It is the most that a share of n can be trusted: 14 days say 0.94, 28 say 0.97, 4,032 points 0.9998. NaN of NaN. O(1). Laplace
// (1774), the rule of succession.
func Succession(n float64) float64 { return (n + 1) / (n + 2) }
