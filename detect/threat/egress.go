package threat

import (
	"math"
	"slices"
	"time"
)

// Egress finds more bytes sent than usual. Only more: a drop is no theft.
//
// The largest sum b of a window on each of the last 14 days gives y = log(b + 10 kB),
// whose mean m and standard deviation s fit the distribution of a day's maximum,
// which is Gumbel for logarithms with an exponential tail:
//
//	β = s·√6/π, μ = m − γβ, γ = 0.5772…
//	surprise = −log10(1 − exp(−exp(−(y − μ)/β)))
//
// the chance that a day like the last ones holds as much anywhere. s is shrunk to 0.55
// (a factor of 1.7) as if four more days had said so. A window of 15 min, 1 h or
// 24 h counts if it holds Min bytes (200 MB) more than exp(m). What was reported is
// consumed, and belongs to its day's maximum, which counts as a day from then on: the same
// again, or a little more, is less surprising. The floor is told of once in its span.
//
// Bursts hide what trickles out all day. So the longest window is looked at a second time,
// by its floor: its blocks are sorted, and the one a third of the way up, times
// their number, is what is sent steadily. That is judged like a sum, 0.6 decades dearer.
// What comes at the same hour on two days is found by a schedule.
//
// A machine whose days have a heavier tail than Gumbel's would spend more than its budget:
// each evidence, forgotten with a half-life of 14 days, raises the threshold, a of them by
// log10(1 + a), at most 1½ decades. State: 1 KiB.
//
// Gumbel, Statistics of Extremes (1958), chapter 5; moments: §6.2.6.
type Egress struct {
	o       Options
	step    int64
	windows windows
	maxima  []maxima // of the windows, then of the floor of the longest
	daily   schedule
	hourly  int // which window daily looks at, −1 for none
	tired   fatigue
	muted   int64 // the floor, until then: it was told of
	first   int64
	last    int64
	begun   bool
}

// egressWindows are the default windows.
var egressWindows = []time.Duration{15 * time.Minute, time.Hour, 24 * time.Hour}

const (
	egressFloor   = 1e4 // bytes that make no difference: keep-alives
	egressMin     = 2e8 // bytes beyond the expectation that are worth a look
	egressWarmup  = 7 * 24 * time.Hour
	egressFatigue = 1
	steadyPrice   = 0.6 // decades
)

// NewEgress returns the model of one entity.
func NewEgress(o Options) *Egress {
	if o.Warmup <= 0 {
		o.Warmup = egressWarmup
	}
	o = o.filled(egressWindows, egressMin)
	m := &Egress{
		o: o, step: o.Step.Milliseconds(), windows: makeWindows(o.Windows, o.Step),
		maxima: make([]maxima, len(o.Windows)+1), daily: schedule{}, hourly: slices.Index(o.Windows, time.Hour),
		tired: fatigue{}, muted: 0, first: 0, last: 0, begun: false,
	}
	for i := range m.maxima {
		m.maxima[i].floor = egressFloor
	}
	return m
}

// egressDecades returns the threshold that spends budget alerts a week:
//
//	τ = log10(2.5 / budget)
//
// 1.4 for the default. Seven days and three windows are 21 tests a week; the least
// number of bytes and what s is shrunk to leave about one in eight of them.
func egressDecades(budget float64) float64 {
	return min(max(math.Log10(2.5/budget), 0.7), 8)
}

// Step takes the bytes sent in the slot at t. NaN, negative numbers and slots that do not
// come after the last say nothing and teach nothing. O(windows·days).
func (m *Egress) Step(t int64, bytes float64) Reading {
	best, at := quiet(egressDecades(m.o.Budget)+m.tired.price(t, egressFatigue)), -1
	slot := t / m.step
	if !known(bytes) || m.begun && slot <= m.last {
		return best
	}
	if !m.begun {
		m.first, m.begun = slot, true
	}
	m.last = slot
	age := (slot - m.first) * m.step
	best.Observed, best.Window = bytes, m.o.Step
	weigh := func(window int, x, mean, surprise float64) {
		if age >= m.o.Warmup.Milliseconds() && x-mean >= m.o.Min && surprise > best.Surprise {
			best = Reading{Observed: x, Expected: mean, Window: m.windows[window].span, Surprise: surprise, Threshold: best.Threshold}
			at = window
		}
	}
	look := func(i, window int, x, price float64) {
		m.maxima[i].turn(t / day)
		mean, surprise := m.maxima[i].judge(x)
		weigh(window, x, mean, surprise-price)
	}
	full := func(i int) bool { return age >= m.windows[i].span.Milliseconds() } // not before
	longest := len(m.windows) - 1
	var steady float64
	var turned bool
	for i := range m.windows {
		w := &m.windows[i]
		if block := w.block; i == longest && full(i) && slot/w.per != block {
			steady, turned = w.steady(), true // of whole blocks
		}
		w.advance(slot, nil)
		c := w.newest()
		c.slots++
		c.x += float32(bytes)
		c.seen += float32(bytes)
		if full(i) {
			look(i, i, float64(w.sum().x), 0)
		}
	}
	if turned && t >= m.muted {
		look(longest+1, longest, steady, steadyPrice)
	}
	if m.hourly >= 0 && full(m.hourly) {
		m.daily.turn(t)
		x := float64(m.windows[m.hourly].sum().x)
		mean, surprise := m.daily.judge(x)
		weigh(m.hourly, x, mean, surprise-schedulePrice)
	}
	for i := range m.windows { // before anything is consumed: what was reported is known
		if full(i) {
			m.maxima[i].see(float64(m.windows[i].sum().x))
		}
	}
	if turned {
		m.maxima[longest+1].see(steady)
	}
	if best.Evident() {
		m.consume(at)
		m.tired.say(t)
		m.maxima[at].said = true
		if at == longest { // the floor too has one cause
			m.maxima[at+1].said = true
			m.muted = t + m.windows[longest].span.Milliseconds()
		}
	}
	return best
}

// consume takes out of all windows what window i had beyond its expectation.
func (m *Egress) consume(i int) {
	for j := range m.windows {
		w := &m.windows[j]
		mean := float32(m.maxima[j].typical()) / float32(w.slots())
		for k := range w.ring {
			w.ring[k].mean = mean * w.ring[k].slots
		}
	}
	m.windows.consume(i)
}
