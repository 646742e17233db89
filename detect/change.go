package detect

import "math"

// A change looks for a step in the level. Residuals from the base go into blocks of
// five minutes, or one point where that is longer; whenever one is full the mean of
// the last 4, 8 and 12 blocks is compared with that of the 16 before them:
//
//	z = (after − before) / usual |after − before|
//
// The largest of the three counts as far as it is confirmed: every block after the
// step lies on the new side of it, and the new level is farther from the usual one
// than the old. One odd point fills one block and confirms nothing; an end that goes
// back to what is usual is no step. O(blocks) a block.
//
// A two-sample form of Page's cumulative sums with known spans: E. S. Page, Continuous
// inspection schemes, Biometrika 1954.
type change struct {
	block [changeBlocks]float32 // means, a ring
	pos   int32                 // of the oldest
	have  int32                 // of them since the newest reset, up to a ring full
	per   int32                 // points a block
	fill  int32                 // points in the block being filled
	n     int64                 // blocks seen
	sum   float64               // of the block being filled
	value float64               // mean of the values with a half-life of the time before
	usual [changeSpans]float64  // usual |after − before|

	z, by float64 // the confirmed step, in usual ones and in the unit; 0 before
	raw   float64 // the largest of the three, confirmed or not
}

const (
	changeBlock                             = 5 * 60 * 1000 // ms
	changeBlocks, changeBefore, changeSpans = 28, 16, 3

	// A step has its full score while the block after it that has least of it has that
	// share, and while the new level is that share of the step away from the usual one; with
	// less of that the score falls by its square, since the end of a large one is far from nothing too.
	changeAgree, changeAway = 0.7, 0.5
	// So does the part of it that the values themselves made. Within the hour the mean
	// of the values comes up to 0.4 of the way after a step: more would take true ones
	// for phantoms.
	changeMoved = 0.5
	// Steps above that many usual ones, or that many fifths of a scale, count as that.
	changeClip = 5
	// The usual step is not taken for less than that share of a scale.
	changeFloor = 1e-3
	// Steps are counted after so many blocks, and scored after more.
	changeAfter, changeScored = 40, 60
)

// The gain of a block in the mean of values.
var changeGain = halfLife(changeBefore)

// The spans after a step, in blocks, shortest first.
var changeSpan = [changeSpans]int{4, 8, 12}

func newChange(step float64) change {
	return change{
		block: [changeBlocks]float32{}, pos: 0, n: 0, have: 0, per: max(1, int32(float64(changeBlock)/step)), sum: 0, fill: 0, value: 0,
		usual: [changeSpans]float64{}, z: 0, by: 0, raw: 0,
	}
}

// add takes the value x, r above the base, and reports whether it filled a block: then z, by
// and raw are new. scale is that of one residual, g the gain of a point.
func (c *change) add(x, r, scale, g float64) bool {
	if c.n == 0 {
		c.value = x
	}
	c.value += changeGain / float64(c.per) * (x - c.value)
	c.sum += r
	if c.fill++; c.fill < c.per {
		return false
	}
	c.block[c.pos] = single(c.sum / float64(c.per))
	c.pos = (c.pos + 1) % changeBlocks
	c.sum, c.fill = 0, 0
	c.n++
	c.have = min(c.have+1, changeBlocks)
	c.look(scale, max(g*float64(c.per), 1/float64(c.n)))
	return true
}

// forget begins anew, where a jump was in order.
func (c *change) forget() {
	c.have, c.sum, c.fill = 0, 0, 0
	c.z, c.by, c.raw = 0, 0, 0
}

// look compares the spans with what was before them.
func (c *change) look(scale, g float64) {
	c.z, c.by, c.raw = 0, 0, 0
	if c.have < changeBlocks {
		return
	}
	var up [changeBlocks + 1]float64 // sums of the newest i blocks
	low, high := math.Inf(1), math.Inf(-1)
	i, s := 0, 0
	for k, at := 0, int(c.pos); k < changeBlocks; k++ {
		if at--; at < 0 {
			at = changeBlocks - 1
		}
		up[k+1] = up[k] + float64(c.block[at])
	}
	for at := int(c.pos); s < changeSpans; s++ {
		k := changeSpan[s]
		for ; i < k; i++ {
			if at--; at < 0 {
				at = changeBlocks - 1
			}
			low, high = min(low, float64(c.block[at])), max(high, float64(c.block[at]))
		}
		after, before := up[k]/float64(k), (up[k+changeBefore]-up[k])/changeBefore
		d := after - before
		z := d / max(c.usual[s], changeFloor*scale)
		c.usual[s] += g * (min(math.Abs(d), changeClip*max(c.usual[s], scale/5)) - c.usual[s])
		if math.Abs(z) > math.Abs(c.raw) {
			c.raw = min(max(z, -zMax), zMax)
		}
		least := (low - before) / d
		if d < 0 {
			least = (high - before) / d
		}
		away := min(max(after/d/changeAway, 0), 1)
		z *= min(max(least/changeAgree, 0), 1) * away * away
		if math.Abs(z) > math.Abs(c.z) {
			c.z, c.by = min(max(z, -zMax), zMax), d
		}
	}
}
