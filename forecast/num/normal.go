package num

import "math"

// NormalQuantile returns the p-quantile of the standard normal distribution,
// √2·erf⁻¹(2p−1), for p in [0, 1]: −∞ at 0, +∞ at 1, NaN outside.
func NormalQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }
