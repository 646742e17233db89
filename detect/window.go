package detect

import "math"

// A window is the mean of the last few residuals. To keep memory fixed a long
// window consists of at most 24 blocks of several points; it then is up to one
// block short.
type window struct {
	blocks []float32 // sums
	sum    float64   // of all blocks
	scale  float32   // usual |mean|; 0 until learned
	before float32   // what that was about two days ago
	most   float32   // the largest |mean| of about three weeks
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
	// A mean is a record from that share of the largest on, so that a climb may falter.
	recordShare = 0.95
	// And after so many days.
	recordAfter = 7
	// In gains of learn: half-lives of two days before, and of three weeks of most.
	beforeGain, mostGain = 1.5, 1.0 / 7
)

func newWindow(points int) window {
	per := (points + windowBlocks - 1) / windowBlocks
	return window{
		blocks: make([]float32, (points+per-1)/per), sum: 0, scale: 0, before: 0, most: 0,
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
func (w *window) usual(scale float64) float64 { return w.atLeast(float64(w.scale), scale) }

func (w *window) atLeast(usual, scale float64) float64 {
	return max(usual, scale/math.Sqrt(float64(w.points)))
}

// usualBefore returns what was usual about two days before for a mean that lies as far off as none in three weeks: a
// leak makes large means usual as fast as it makes them larger, and would excuse itself. For others it is usual.
func (w *window) usualBefore(mean, scale float64) float64 {
	if math.Abs(mean) < recordShare*float64(w.most) {
		return w.usual(scale)
	}
	return w.atLeast(float64(min(w.before, w.scale)), scale)
}

// learn takes the newest mean with gain g, a half-life of three days; scale is that of one residual. Means
// above 20 × the usual count as that.
func (w *window) learn(mean, scale, g float64) {
	if !w.full() {
		return
	}
	mean = math.Abs(mean)
	w.scale = follow(w.scale, min(mean, 20*w.usual(scale)), g)
	w.before = follow(w.before, float64(w.scale), min(beforeGain*g, 1))
	w.most = max(w.most-single(mostGain*g*float64(w.most)), single(mean))
}
