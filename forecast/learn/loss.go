package learn

import (
	"math"

	"github.com/upid/upid/forecast/num"
)

// loss is what boosting makes small.
type loss interface {
	start(y []float64) float64            // the best constant
	gradient(y, f float64) (g, h float64) // of the loss by f; h > 0 is its curvature or 1
	of(y, f float64) float64
	// leaf returns the best step of a leaf whose rows have these residuals y − f and sums
	// of gradients; it may reorder the residuals.
	leaf(residuals []float64, g, h float64) float64
}

// pinball is the quantile loss: p·e for e = y − f ≥ 0, else (p − 1)·e. Half the absolute
// error at p = ½.
type pinball struct{ p float64 }

func (l pinball) start(y []float64) float64 { return num.Quantile(append([]float64(nil), y...), l.p) }

func (l pinball) gradient(y, f float64) (g, h float64) {
	if y >= f {
		return -l.p, 1
	}
	return 1 - l.p, 1
}

func (l pinball) of(y, f float64) float64 {
	if y >= f {
		return l.p * (y - f)
	}
	return (l.p - 1) * (y - f)
}

func (l pinball) leaf(residuals []float64, _, _ float64) float64 { return num.Quantile(residuals, l.p) }

// logistic is the log loss of f as log odds; y is 0 or 1.
type logistic struct{}

func (logistic) start(y []float64) float64 {
	sum := 0.0
	for _, v := range y {
		sum += v
	}
	return logit(sum / float64(len(y)))
}

func (logistic) gradient(y, f float64) (g, h float64) {
	p := sigmoid(f)
	return p - y, max(p*(1-p), 1e-9)
}

func (logistic) of(y, f float64) float64 {
	// log(1 + e^f) − y·f without overflow
	return max(f, 0) + math.Log1p(math.Exp(-math.Abs(f))) - y*f
}

func (logistic) leaf(_ []float64, g, h float64) float64 { return -g / (h + 1) }

func sigmoid(f float64) float64 { return 1 / (1 + math.Exp(-f)) }

// logit is the inverse of sigmoid, bounded for shares of 0 and 1.
func logit(p float64) float64 {
	p = min(max(p, 1e-6), 1-1e-6)
	return math.Log(p / (1 - p))
}
