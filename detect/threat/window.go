package threat

import (
	"slices"
	"time"
)

// maxBlocks is how many blocks a window is kept in: a window of a day moves by
// two hours, so it covers 22 to 24 of them.
const maxBlocks = 12

// A cell holds sums over one block. float32 keeps counts up to 16 million exact,
// and larger ones to seven digits.
type cell struct {
	slots   float32 // seen
	x       float32 // observed, without what was consumed
	seen    float32 // observed in all
	n       float32 // trials
	mean    float32 // expected
	learned float32 // as learned: clipped
}

func (c *cell) add(d cell) {
	c.slots += d.slots
	c.x += d.x
	c.seen += d.seen
	c.n += d.n
	c.mean += d.mean
	c.learned += d.learned
}

// A window holds sums over its newest span in a ring of blocks.
type window struct {
	span  time.Duration
	ring  []cell
	per   int64 // slots in a block
	block int64 // number of the newest block since 1970
	begun bool
}

// makeWindow returns an empty window of span, rounded up to whole blocks, over
// slots of length step.
func makeWindow(span, step time.Duration) window {
	slots := max(int64((span+step-1)/step), 1)
	per := (slots + maxBlocks - 1) / maxBlocks
	for p := per; p <= 2*per && p <= slots; p++ { // whole blocks where that costs little
		if slots%p == 0 {
			per = p
			break
		}
	}
	blocks := (slots + per - 1) / per
	return window{span: time.Duration(per*blocks) * step, ring: make([]cell, blocks), per: per, block: 0, begun: false}
}

// advance moves the window to slot number slot. A block is complete when the next
// begins; it reports whether the whole window was turned over, so that windows
// at which it does do not overlap. left, if not nil, is called for each block that
// leaves the window, with the number of its first slot.
func (w *window) advance(slot int64, left func(slot int64, c cell)) (turned bool) {
	b := slot / w.per
	n := int64(len(w.ring))
	if !w.begun {
		w.block, w.begun = b, true
		return false
	}
	turned = b/n != w.block/n
	for i := w.block + 1; i <= min(b, w.block+n); i++ {
		if c := &w.ring[i%n]; left != nil && c.slots > 0 {
			left((i-n)*w.per, *c)
		}
		w.ring[i%n] = cell{slots: 0, x: 0, seen: 0, n: 0, mean: 0, learned: 0}
	}
	w.block = max(w.block, b)
	return turned
}

// slots returns the length of the window in slots.
func (w *window) slots() int64 { return w.per * int64(len(w.ring)) }

// newest returns the block that is being filled.
func (w *window) newest() *cell { return &w.ring[w.block%int64(len(w.ring))] }

// sum returns the sums over the window.
func (w *window) sum() cell {
	var s cell
	for i := range w.ring {
		s.add(w.ring[i])
	}
	return s
}

// steady returns what the window would have seen if all its blocks were like the one that is
// a third of the way up when they are sorted.
func (w *window) steady() float64 {
	var xs [maxBlocks]float32
	n := len(w.ring)
	for i := range w.ring {
		xs[i] = w.ring[i].seen
	}
	slices.Sort(xs[:n])
	return float64(xs[n/3]) * float64(n)
}

// settle replaces what was observed by what was expected, where that is less: it was
// reported.
func (w *window) settle() {
	for i := range w.ring {
		c := &w.ring[i]
		c.x = min(c.x, c.mean)
		c.learned = min(c.learned, c.mean)
	}
}

// take removes excess from the newest blocks, none below its expectation.
func (w *window) take(excess float32) {
	n := int64(len(w.ring))
	for i := int64(0); i < n && excess > 0; i++ {
		c := &w.ring[((w.block-i)%n+n)%n]
		d := min(max(c.x-c.mean, 0), excess)
		c.x -= d
		c.learned = min(c.learned, c.x)
		excess -= d
	}
}

// A windows is the windows of one entity, the shortest first.
type windows []window

func makeWindows(spans []time.Duration, step time.Duration) windows {
	ws := make(windows, len(spans))
	for i, s := range spans {
		ws[i] = makeWindow(s, step)
	}
	return ws
}

// consume takes what window i had beyond its expectation out of all windows.
func (ws windows) consume(i int) {
	s := ws[i].sum()
	excess := max(s.x-s.mean, 0)
	for j := range ws {
		if ws[j].span <= ws[i].span {
			ws[j].settle()
		} else {
			ws[j].take(excess)
		}
	}
}
