package detect

import "math"

// A window is the mean of the last few residuals. To keep memory fixed a long
// window consists of at most 64 blocks of several points; it then is up to one
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

const windowBlocks = 64

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
		w.pos++
		if w.pos == len(w.blocks) {
			w.pos, w.sum = 0, 0
			for _, b := range w.blocks { // afresh: differences gather rounding errors
				w.sum += b
			}
		}
		if w.n+w.per > w.per*len(w.blocks) {
			w.n -= w.per
			w.sum -= w.blocks[w.pos]
		}
		w.blocks[w.pos] = 0
	}
	w.blocks[w.pos] += r
	w.sum += r
	w.fill++
	w.n++
	return w.sum / float64(w.n)
}

// learn takes the newest mean with gain g. Means above 20 × the scale count as
// that.
func (w *window) learn(mean, g float64) {
	if !w.full() {
		return
	}
	a := math.Abs(mean)
	if w.scale > 0 {
		a = min(a, 20*w.scale)
	}
	w.scale += g * (a - w.scale)
}
