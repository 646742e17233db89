package detect

import "math"

// habits remember at which times of day a series was odd: at the start and the end of
// a nightly job, when an office opens. What comes at its time again, and is not much
// larger, is in order.
type habits [habitSlots]habit

type habit struct {
	day   int32   // local day of the newest time
	score float32 // what it usually scores
	bin   uint8   // of the local day
	times uint8   // days on which it came, at most 255
	apart uint8   // days between the newest two, at most 255
}

const (
	habitSlots = 16
	// Bins are ten minutes wide, and a time is the same in the bins next to it.
	habitBin = 10 * 60 * 1000
	// From the second score on a time is remembered, and from the first on it counts.
	habitFrom, habitNew = 0.7, 0.85
	// After so many days, or weeks if it came a week ago, it is in order, up to that many
	// times its usual score and up to the last number: what is far out is told every day.
	habitTimes, habitWeeks, habitRise, habitMost = 3, 2, 1.3, 2
	// It is forgotten after so many days without it: one that comes weekly stays.
	habitForgotten = 9
	// What is in order scores no more than that.
	habitual = 0.9
	// The usual score moves by that share of the way down; up at once.
	habitGain = 0.3
)

// find returns the slot of local time lt, or -1.
func (h *habits) find(lt int64) int {
	const bins = int32(dayMS / habitBin)
	b, day := int32(floorMod(lt, dayMS)/habitBin), int32(floorDiv(lt, dayMS))
	for i := range h {
		d := b - int32(h[i].bin)
		if d < 0 {
			d = -d
		}
		if h[i].times > 0 && min(d, bins-d) <= 1 && day-h[i].day <= habitForgotten {
			return i
		}
	}
	return -1
}

// usual reports whether a score at local time lt is what the series does at this time.
func (h *habits) usual(lt int64, score float64) bool {
	i := h.find(lt)
	if i < 0 {
		return false
	}
	times, apart := h[i].times, int32(floorDiv(lt, dayMS))-h[i].day
	if apart == 0 {
		times, apart = times-1, int32(h[i].apart) // today is no reason
	}
	enough := uint8(habitTimes)
	if apart == 7 {
		enough = habitWeeks
	}
	return times >= enough && score <= min(habitMost, habitRise*float64(h[i].score))
}

// learn takes a score at local time lt.
func (h *habits) learn(lt int64, score float64) {
	if score < habitFrom {
		return
	}
	day := int32(floorDiv(lt, dayMS))
	i := h.find(lt)
	if i < 0 && score < habitNew {
		return
	}
	if i < 0 {
		// In place of the one that came seldom, long ago.
		i = 0
		for k := range h {
			if h[k].worth(day) < h[i].worth(day) {
				i = k
			}
		}
		h[i] = habit{bin: uint8(floorMod(lt, dayMS) / habitBin), day: day, times: 1, apart: 0, score: float32(score)}
		return
	}
	s := float64(h[i].score)
	if h[i].day != day {
		h[i].times = min(h[i].times, math.MaxUint8-1) + 1
		h[i].apart = uint8(min(max(day-h[i].day, 0), math.MaxUint8))
		h[i].day = day
		s += habitGain * (score - s)
	}
	h[i].score = float32(min(max(s, min(score, recordRise*s)), zMax))
}

func (h *habit) worth(day int32) int32 {
	if h.times == 0 {
		return -1 << 30
	}
	return 4*int32(min(h.times, 8)) - (day - h.day)
}
