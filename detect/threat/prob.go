package threat

import "math"

// Tails of counts, as −log10 of a probability ("decades"), which stay exact where
// the probability itself underflows.

// negBinTail returns −log10 P(X ≥ x) for a negative binomial X of mean mu and
// size k, whose variance is mu + mu²/k:
//
//	P(X ≥ x) = I_q(x, k), q = mu/(mu + k)
//
// with the regularised incomplete beta function I. x may be any number; up to 0 the
// probability is 1. mu > 0 and k > 0; otherwise, and for NaN, it returns 0:
// nothing is known, so nothing is surprising. O(√(x+k)). Abramowitz and Stegun,
// 26.5.26.
func negBinTail(x, mu, k float64) float64 {
	if !(x > 0) || !(mu > 0) || !(k > 0) || math.IsInf(x, 0) || math.IsInf(mu, 0) {
		return 0
	}
	k = min(k, 1e6) // Poisson to six digits
	return decades(logBetaInc(x, k, mu/(mu+k), k/(mu+k)))
}

// betaBinTail returns −log10 P(X ≥ x) for a beta-binomial X of n trials whose
// success probability is Beta(a, b):
//
//	P(X = j) = C(n, j) B(j+a, n−j+b) / B(a, b)
//
// by summing the tail from x on; what is left after 20,000 terms is bounded by a
// geometric series, or the probability is so near 1 that 0 is returned. x may be any number; above n the probability of n is
// taken. a, b > 0 and n ≥ 1; otherwise, and for NaN, it returns 0. O(min(n−x, 20,000)).
// Skellam (1948).
func betaBinTail(x, n, a, b float64) float64 {
	if !(x > 0) || !(n >= 1) || !(a > 0) || !(b > 0) || math.IsInf(n, 0) || math.IsInf(a, 0) || math.IsInf(b, 0) {
		return 0
	}
	x = min(x, n)
	log := lchoose(n, x) + lbeta(x+a, n-x+b) - lbeta(a, b)
	sum, term := 1.0, 1.0
	for j, i := x, 0; j+1 <= n; j, i = j+1, i+1 {
		r := (n - j) / (j + 1) * (j + a) / (n - j - 1 + b)
		term *= r
		sum += term
		if r < 1 && term*r < 1e-9*sum*(1-r) {
			break
		}
		if i == 20_000 {
			if r >= 1 { // far below the mean
				return 0
			}
			sum += term * r / (1 - r)
			break
		}
	}
	return decades(log + math.Log(sum))
}

// decades turns a natural logarithm of a probability into −log10 of it, ≥ 0 and
// at most 300; NaN becomes 0.
func decades(log float64) float64 {
	d := -log / math.Ln10
	if !(d > 0) {
		return 0
	}
	return min(d, 300)
}

// lgamma returns log |Γ(x)|.
func lgamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}

// lbeta returns log B(a, b).
func lbeta(a, b float64) float64 { return lgamma(a) + lgamma(b) - lgamma(a+b) }

// lchoose returns log of n over k for real arguments.
func lchoose(n, k float64) float64 { return lgamma(n+1) - lgamma(k+1) - lgamma(n-k+1) }

// logBetaInc returns log I_x(a, b), the regularised incomplete beta function,
// for x in [0, 1] and y = 1 − x, which is asked for so that x near 1 keeps its
// digits. a, b > 0. It evaluates the continued fraction where that converges fast,
// below the mean (a+1)/(a+b+2), and its complement above. O(√max(a, b)).
// DiDonato and Morris (1992); Lentz's method.
func logBetaInc(a, b, x, y float64) float64 {
	switch {
	case x <= 0:
		return math.Inf(-1)
	case y <= 0:
		return 0
	case x > (a+1)/(a+b+2):
		return math.Log1p(-math.Exp(logBetaFraction(b, a, y, x)))
	}
	return logBetaFraction(a, b, x, y)
}

// logBetaFraction is logBetaInc where the continued fraction converges.
func logBetaFraction(a, b, x, y float64) float64 {
	const tiny = 1e-300
	front := a*math.Log(x) + b*math.Log(y) - math.Log(a) - lbeta(a, b)
	c, d := 1.0, 1-(a+b)*x/(a+1)
	if math.Abs(d) < tiny {
		d = tiny
	}
	d = 1 / d
	f := d
	step := func(num float64) float64 {
		d = 1 + num*d
		if math.Abs(d) < tiny {
			d = tiny
		}
		c = 1 + num/c
		if math.Abs(c) < tiny {
			c = tiny
		}
		d = 1 / d
		f *= d * c
		return math.Abs(d*c - 1)
	}
	for i := 1; i <= 10_000; i++ {
		m := float64(i)
		step(m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m)))
		if step(-(a+m)*(a+b+m)*x/((a+2*m)*(a+2*m+1))) < 1e-12 {
			break
		}
	}
	return min(front+math.Log(f), 0)
}
