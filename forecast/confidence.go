package forecast

import (
	"math"
	"time"

	"github.com/upid/upid/collector/series"
)

// Confidence returns how far a forecast deserves trust, in [0, 1], from what was
// measured on rolling origins of the series itself:
//
//	confidence = √(C·S) · H · G
//	C = max(0, 1 − 2·|coverage − level|)   0.9 asked, 0.8 seen: 0.8
//	S = (1 + clamp(skill, −1, 1)) / 2      as good as naive ½, half its error ¾
//	H = 1 − exp(−span/7d)                  3 d: 0.35, 7 d: 0.63, 14 d: 0.86, 28 d: 0.98
//	G = 1 − gaps                           share of the history that is missing
//
// A quarter better than naive with honest coverage over 28 days gives 0.78
// (high); as good as naive 0.69; twice its error 0. Where no skill could be
// measured the confidence is 0; where no coverage could, C is ½. O(1).
func Confidence(a series.Accuracy, level float64, span time.Duration, gaps float64) float64 {
	if math.IsNaN(a.Skill) || a.Origins < 1 {
		return 0
	}
	coverage := 0.5
	if !math.IsNaN(a.Coverage) && !math.IsNaN(level) {
		coverage = max(0, 1-2*math.Abs(a.Coverage-level))
	}
	skill := (1 + min(max(a.Skill, -1), 1)) / 2
	history := 1 - math.Exp(-max(0, span.Hours())/(7*24))
	present := 1.0
	if !math.IsNaN(gaps) {
		present = 1 - min(max(gaps, 0), 1)
	}
	return math.Sqrt(coverage*skill) * history * present
}
