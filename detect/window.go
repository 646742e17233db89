package detect

import "math"

// A window is the mean of the last few residuals. To keep memory fixed a long
// window consists of at most 24 blocks of several points; it then is up to one
// block short.
type window struct {
	blocks []float32 // sums
	sum    float64   // of all blocks
	scale  float32   // usual |mean|; 0 until learned
	lagged float32   // scale with a half-life of two days, or of a week while the mean is a record
	peak   float32   // the largest |mean|, which sinks with a half-life of three weeks
	points int32     // wanted length
	per    int32     // points a block
	pos    int32     // the block being filled
	fill   int32     // points in it
	n      int32     // points in all blocks
}

const (
	windowBlocks = 24
	// Blocks that speak for the present of a window of so many.
	latelyBlocks = 3
	// A mean is a record from that share of the peak on, so that a climb may falter.
	recordShare = 0.95
	// Nothing is one before the values of so many days, see leastDay.
	recordAfter = 7
	// The gains of lagged, of lagged while the mean is a record, and of the peak, relative to that of learn: half-lives of
	// two days, a week and three weeks.
	lagGain, recordGain, peakGain = 3.0 / 2, 3.0 / 7, 1.0 / 7
	// Means of so many usual ones and more count as that where they are learned, and for the peak: one incident must not
	// be what a leak is measured by for weeks.
	meanClip, peakClip = 20, 5
)

func newWindow(points int) window {
	per := (points + windowBlocks - 1) / windowBlocks
	return window{
		blocks: make([]float32, (points+per-1)/per), sum: 0, scale: 0, lagged: 0, peak: 0,
		points: int32(points), per: int32(per), pos: 0, fill: 0, n: 0,
	}
}

// full reports whether the window has its length.
func (w *window) full() bool { return w.n > w.points-w.per }

// add appends a residual and returns the mean.
func (w *window) add(r float64) float64 {
	if w.fill == w.per {
		w.fill = 0
		if w.pos++; int(w.pos) == len(w.blocks) {
			w.pos = 0
		}
		w.evict()
	}
	was := float64(w.blocks[w.pos])
	w.blocks[w.pos] = single(was + r)
	w.sum += float64(w.blocks[w.pos]) - was
	w.fill++
	w.n++
	return w.sum / float64(w.n)
}

// lately returns the mean of the newest blocks, from a twelfth to an eighth of a long window.
func (w *window) lately() float64 {
	sum, n, at := 0.0, w.fill, int(w.pos)
	for i := range min(latelyBlocks, len(w.blocks)) {
		if i > 0 {
			n += w.per
		}
		sum += float64(w.blocks[at])
		if at--; at < 0 {
			at = len(w.blocks) - 1
		}
	}
	return sum / float64(min(n, w.n))
}

// evict empties the block at pos and takes the sum afresh, so that no rounding stays.
func (w *window) evict() {
	w.blocks[w.pos] = 0
	if all := w.per * int32(len(w.blocks)); w.n+w.per > all {
		w.n -= w.per
	}
	w.sum = 0
	for _, b := range w.blocks {
		w.sum += float64(b)
	}
}

// usual returns the scale of the mean, given that of one residual. It is never
// below that of a mean of independent residuals.
func (w *window) usual(scale float64) float64 { return w.floored(w.scale, scale) }

func (w *window) floored(usual float32, scale float64) float64 {
	return max(float64(usual), scale/math.Sqrt(float64(w.points)))
}

// record reports whether the mean lies about as far off as the farthest of the last weeks.
func (w *window) record(mean float64) bool { return math.Abs(mean) >= recordShare*float64(w.peak) }

// usualBefore returns what was usual before, for a mean that is a record: a leak makes large means usual as fast as it
// makes them larger, and would excuse itself. For others it is usual.
func (w *window) usualBefore(mean, scale float64) float64 {
	if !w.record(mean) {
		return w.usual(scale)
	}
	return w.floored(min(w.lagged, w.scale), scale)
}

// learn takes the newest mean with gain g, a half-life of three days; scale is that of one residual. Until it is based on the
// usual day, a mean holds that day too, and none is kept as the peak.
func (w *window) learn(mean, scale, g float64, based bool) {
	if !w.full() {
		return
	}
	lag := lagGain
	if w.record(mean) {
		lag = recordGain
	}
	usual := w.usual(scale)
	mean = math.Abs(mean)
	w.scale = follow(w.scale, min(mean, meanClip*usual), g)
	w.lagged = follow(w.lagged, float64(w.scale), min(lag*g, 1))
	if !based {
		w.peak = 0
	}
	w.peak = max(follow(w.peak, 0, peakGain*g), single(min(mean, peakClip*usual)))
}
