package detect

import "math"

// A window is the mean of the last few residuals. To keep memory fixed a long
// window consists of at most 24 blocks of several points; it then is up to one
// block short.
type window struct {
	points int // wanted length
	per    int // points a block
	blocks []float64
	pos    int     // the block being filled
	fill   int     // points in it
	sum    float64 // of all blocks
	n      int     // points in all blocks
	scale  float64 // usual |mean|; 0 until learned
}

const windowBlocks = 24

func newWindow(points int) window {
	per := (points + windowBlocks - 1) / windowBlocks
	return window{
		points: points, per: per, blocks: make([]float64, (points+per-1)/per),
		pos: 0, fill: 0, sum: 0, n: 0, scale: 0,
	}
}

// full reports whether the window has its length.
func (w *window) full() bool { return w.n > w.points-w.per }

// add appends a residual and returns the mean.
func (w *window) add(r float64) float64 {
	if w.fill == w.per {
		w.fill = 0
		w.pos = (w.pos + 1) % len(w.blocks)
		w.evict()
	}
	w.blocks[w.pos] += r
	w.sum += r
	w.fill++
	w.n++
	return w.sum / float64(w.n)
}

// evict empties the block at pos. The sum is taken afresh once a round, and when
// what leaves is so large that the difference would be rounding.
func (w *window) evict() {
	old := w.blocks[w.pos]
	w.blocks[w.pos] = 0
	if w.n+w.per > w.per*len(w.blocks) {
		w.n -= w.per
		w.sum -= old
	}
	if w.pos > 0 && math.Abs(old) < 1e3*math.Abs(w.sum) {
		return
	}
	w.sum = 0
	for _, b := range w.blocks {
		w.sum += b
	}
}

// usual returns the scale of the mean, given that of one residual. It is never
// below that of a mean of independent residuals.
func (w *window) usual(scale float64) float64 {
	return max(w.scale, scale/math.Sqrt(float64(w.points)))
}

// learn takes the newest mean with gain g; scale is that of one residual. Means
// above 20 × the usual count as that.
func (w *window) learn(mean, scale, g float64) {
	if w.full() {
		w.scale += g * (min(math.Abs(mean), 20*w.usual(scale)) - w.scale)
	}
}
