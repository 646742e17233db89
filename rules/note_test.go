package rules

import (
	"math"
	"testing"

	"github.com/upid/upid/collector/series"
)

// TestNoteAnnotations_score: only a number is a score.
func TestNoteAnnotations_score(t *testing.T) {
	for _, peak := range []float64{math.NaN(), math.Inf(1), 0.9} {
		got, ok := noteAnnotations(SignalInfo{}, series.Finding{Peak: peak, Note: &series.Note{}})["score"]
		if ok != (peak == 0.9) {
			t.Errorf("score %q of %g", got, peak)
		}
	}
}
