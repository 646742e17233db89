package threat

import (
	"time"
)

// Options say how one detector scores one entity. Zero fields take the default in
// brackets.
type Options struct {
	Step     time.Duration   // of the slots [5 min]
	Windows  []time.Duration // looked at, ascending [see the model]
	Budget   float64         // false alerts a week, see Decades [0.1]
	Min      float64         // of what is counted in a window, for evidence [see the model]
	Warmup   time.Duration   // from the first slot on, without evidence [2 d]
	Location *time.Location  // of hours and weekends [UTC]
}

func (o Options) filled(windows []time.Duration, least float64) Options {
	if o.Step <= 0 {
		o.Step = 5 * time.Minute
	}
	if len(o.Windows) == 0 {
		o.Windows = windows
	}
	if !(o.Budget > 0) {
		o.Budget = Budget
	}
	if !(o.Min > 0) {
		o.Min = least
	}
	if o.Warmup <= 0 {
		o.Warmup = 48 * time.Hour
	}
	return o
}

// windowPrice is what looking at a longer window costs, in decades for each: with
// 0, ½, 1, 1½ decades four windows together raise 1.45 times the false alerts of
// the first.
const windowPrice = 0.5

// counts is what the models of counts share: windows over what was observed, the
// profile that is expected and its dispersion in each window. It learns the profile
// from what leaves the longest window, so that an attack is reported, and
// consumed, before it could become ordinary.
type counts struct {
	step        int64
	windows     windows
	profile     profile
	disp        []dispersion
	first, last int64 // slot numbers
	begun       bool
	crowd       *Peers  // nil: alone
	newSize     float64 // dispersion of an entity of which nothing was learned
}

func makeCounts(o Options) counts {
	return counts{
		step: o.Step.Milliseconds(), windows: makeWindows(o.Windows, o.Step), profile: makeProfile(o.Step, o.Location),
		disp: make([]dispersion, len(o.Windows)), first: 0, last: 0, begun: false, crowd: nil, newSize: minSize,
	}
}

// enter moves the windows to the slot at t. It reports whether there is one to enter:
// a slot that was there before, or an earlier one, is refused. left, if not nil, is
// called for each block that leaves the longest window, turned for each window that
// was turned over since it is expected to hold something.
func (c *counts) enter(t int64, left func(s cell), turned func(window int, s cell)) bool {
	slot := t / c.step
	if c.begun && slot <= c.last {
		return false
	}
	if !c.begun {
		c.first, c.begun = slot, true
	}
	longest := len(c.windows) - 1
	for i := range c.windows {
		w := &c.windows[i]
		s, full := w.sum(), c.last-c.first > 2*c.windows[longest].slots()
		leave := func(from int64, b cell) {
			c.learn(from, w.per, b)
			if left != nil {
				left(b)
			}
		}
		if i < longest {
			leave = nil
		}
		if w.advance(slot, leave) && full && s.mean > 0 {
			c.disp[i].learn(float64(s.learned), float64(s.mean), w.span.Milliseconds())
			if turned != nil {
				turned(i, s)
			}
		}
	}
	c.last = slot
	return true
}

// learn takes a block of per slots from number from on into the profile, hour by hour.
func (c *counts) learn(from, per int64, b cell) {
	x, hours := float64(b.learned)/float64(b.slots), (per*c.step+hour-1)/hour
	for h := range hours {
		c.profile.learn((from*c.step)+h*hour, x, float64(b.slots)/float64(hours))
	}
	if c.crowd != nil {
		c.crowd.addCount(float64(b.learned), float64(b.slots))
	}
}

// add counts x of n trials in the slot that was entered, of which mu were expected.
func (c *counts) add(x, n, mu float64) {
	learned := x
	if c.profile.allN > 0 {
		learned = clip(x, mu, c.disp[0].size(mu))
	}
	d := cell{slots: 1, x: float32(x), seen: float32(x), n: float32(n), mean: float32(mu), learned: float32(learned)}
	for i := range c.windows {
		c.windows[i].newest().add(d)
	}
}

// warm reports whether the entity, or the crowd it is new in, was seen for long enough.
func (c *counts) warm(warmup time.Duration) bool {
	return (c.last-c.first)*c.step >= warmup.Milliseconds() || c.crowd != nil && c.crowd.age >= warmup.Milliseconds()
}

// expected returns the mean of the slot at t. An entity that nothing was learned of is
// taken to be like the others of its detector.
func (c *counts) expected(t int64) float64 {
	if c.profile.allN == 0 && c.crowd != nil {
		return c.crowd.mean(c.profile.perHour)
	}
	return c.profile.at(t)
}

// size returns the dispersion of window i around mean; that of a new entity is the widest,
// unless its model knows better.
func (c *counts) size(i int, mean float64) float64 {
	if c.profile.allN == 0 {
		return c.newSize
	}
	return c.disp[i].size(mean)
}
