package forecast

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/upid/upid/collector/series"
)

// trust sets dst.Confidence from what was measured, less what the measure cannot
// know yet:
//
//	confidence = Confidence(…) · exp(−silence/3d) · calm · reach
//
// silence is how long nothing was observed at the end (1 d: 0.72), calm is min(1, 2/unrest),
// after a move min(½, 2/unrest), and unrest the
// error of the last day beside that of the days before, both by the median of the
// seven days before each (a level that moved by ten times the usual error: 0.2, until
// most of those seven days have the new one). reach is below 1 for horizons that were not
// tried, see reach.
func (r *rolling) trust(dst *series.Forecast, s *Scratch) {
	seen := r.fine
	span := time.Duration(seen.older+len(seen.y)) * millis(dst.Step)
	dst.Confidence = Confidence(dst.Accuracy, dst.Level, span, seen.gapShare())
	if seen.silent > 0 {
		silence := time.Duration(seen.silent) * millis(dst.Step)
		dst.Confidence *= math.Exp(-silence.Hours() / 72)
		if silence >= time.Hour && seen.silent > 1 {
			dst.Warnings = append(dst.Warnings, fmt.Errorf("nothing was observed in the last %s", silence))
		}
	}
	if r.move.age > 0 {
		dst.Confidence *= min(moveConfidence, 2/max(r.unrest(s), 1))
		dst.Warnings = append(dst.Warnings, r.move.warning(r.h.grid.step))
	} else if unrest := r.unrest(s); unrest > 2 {
		dst.Confidence *= 2 / unrest
		if unrest > 4 {
			dst.Warnings = append(dst.Warnings, errMoved)
		}
	}
	if far := reach(time.Duration(len(dst.Point))*millis(dst.Step), span); far < 1 {
		dst.Confidence *= far
		why := errFar
		if time.Duration(len(dst.Point))*millis(dst.Step) <= tried {
			why = errBeyond
		}
		dst.Warnings = append(dst.Warnings, why)
	}
}

// tried is the longest horizon that forecasts were measured at; early the longest that
// histories shorter than it were.
const (
	tried = 28 * 24 * time.Hour
	early = 7 * 24 * time.Hour
)

var errFar = errors.New("the horizon is longer than 28 days and than a quarter of the history: confidence is lowered in proportion")

var errBeyond = errors.New("the horizon is longer than the history, of which only a part could be held out: confidence is lowered in proportion")

// reach returns how far a horizon is within what the history can show, in (0, 1]:
//
//	reach = min(1, max(min(28d, max(7d, span)), span/4) / horizon)
//
// 28 days from 14 days of history: 0.5; 400 days from 28: 0.07, from five years: 1.
func reach(horizon, span time.Duration) float64 {
	return min(1, max(min(tried, max(early, span)), span/4).Hours()/horizon.Hours())
}

// moveConfidence is what is left of the confidence when the end of a history is like
// nothing before: the backtest knows nothing of it.
const moveConfidence = 0.5

var errMoved = errors.New("the last day was more than four times as far from the usual as the days before: the level may have changed")

// unrest returns the mean absolute error of the median of seven days on the last
// day over its mean on up to 14 days before; 0 where there are fewer than three of them
// or no day.
func (r *rolling) unrest(s *Scratch) float64 {
	const window, before = 7, 14
	m, n := r.h.grid.season, len(r.h.y)
	if int64(m)*r.h.grid.step != dayMillis {
		return 0
	}
	mk := s.mark()
	defer s.release(mk)
	day := s.floats(m)
	last, sum, count := 0.0, 0.0, 0.0
	for j := 0; j <= before; j++ {
		end := n - j*m
		if end < 4*m {
			break
		}
		phaseMedians(day, r.h.y[:end-m], m, window, s)
		e := 0.0
		for k, v := range day {
			e += math.Abs(r.h.y[end-m+k] - v)
		}
		if j == 0 {
			last = e
			continue
		}
		sum += e
		count++
	}
	if count < 3 || last == 0 {
		return 0
	}
	return last / max(sum/count, 1e-9*float64(m))
}
