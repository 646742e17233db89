package signal

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/upid/upid/collector/coding"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/detect"
	"github.com/upid/upid/rules"
)

const (
	// A newcomer among known replicas is watched for that long, or three points, before it is
	// scored: programs start with a burst of work and empty caches.
	settleFor    = 30 * time.Minute
	settlePoints = 3
	// What a newcomer can inherit from has that much of history, of its own or inherited.
	donorHistory = 6 * time.Hour
	// More history than that makes no better donor.
	donorEnough = 3 * 24 * time.Hour
	// Confidence in the score of a newcomer is age over age and that.
	newbornTrust = 30 * time.Minute
)

// newborn is what is known of the beginning of a series.
type newborn struct {
	born  int64 // time of the first value; 0 before
	since int64 // time from which on the scorer's knowledge is, its own or that of a donor
	young bool  // it is being watched, to inherit from a donor

	anchor, sum, square float64 // of the values of the second half of that time: the first, and sums of the differences from it
	n                   int64
}

// settles returns when a newcomer is scored: on the grid.
func (b *newborn) settles(step int64) int64 {
	d := max(settleFor.Milliseconds(), settlePoints*step)
	return b.born + (d+step-1)/step*step
}

// observe takes in a value of a young series.
func (b *newborn) observe(t int64, v float64, step int64) {
	if math.IsNaN(v) || 2*(t-b.born) < b.settles(step)-b.born {
		return
	}
	if b.n == 0 {
		b.anchor = v
	}
	d := v - b.anchor
	b.sum += d
	b.square += d * d
	b.n++
}

// level returns the mean of what observe saw and, for normal noise, the mean distance from it.
func (b *newborn) level() (level, spread float64) {
	n := float64(b.n)
	mean := b.sum / n
	return b.anchor + mean, meanDistance * math.Sqrt(max(b.square/n-mean*mean, 0))
}

// meanDistance is √(2/π), mean |x| of a standard normal distribution.
const meanDistance = 0.7978845608028654

// inherited reports whether the scorer knows more than the series has lived.
func (b *newborn) inherited() bool { return b.since < b.born }

// trust is what a newcomer's confidence counts at time t.
func (b *newborn) trust(t int64) float64 {
	if !b.inherited() {
		return 1
	}
	age := float64(t - b.born)
	return age / (age + float64(newbornTrust.Milliseconds()))
}

func (b *newborn) append(out []byte) []byte {
	young := uint64(0)
	if b.young {
		young = 1
	}
	out = binary.AppendVarint(out, b.born)
	out = binary.AppendVarint(out, b.since)
	out = binary.AppendUvarint(out, young)
	for _, v := range []float64{b.anchor, b.sum, b.square} {
		out = coding.AppendFloat(out, v)
	}
	return binary.AppendVarint(out, b.n)
}

func readNewborn(r *coding.Reader) newborn {
	return newborn{born: r.Int(), since: r.Int(), young: r.Uint() == 1, anchor: r.Float(), sum: r.Float(), square: r.Float(), n: r.Int()}
}

// births are the times at which series of a feed have their first value, and who is young.
type births struct {
	at    map[int64][]int // places in the order by time
	young []int
}

// newBirths looks for the first values in f, in place order.
func newBirths(f *feed) births {
	b := births{at: map[int64][]int{}, young: nil}
	for i, s := range f.order {
		if s.scorer == nil {
			continue
		}
		if s.newborn.young {
			b.young = append(b.young, i)
		}
		if s.newborn.born != 0 {
			continue
		}
		y := f.data[i]
		for k, v := range y.Values {
			if at := y.At(k); at >= f.first(i) && !math.IsNaN(v) && !math.IsInf(v, 0) {
				b.at[at] = append(b.at[at], i)
				break
			}
		}
	}
	return b
}

// next returns the first time after t at which a series is born or has settled.
func (b *births) next(f *feed, t, step int64) int64 {
	next := int64(math.MaxInt64)
	for at := range b.at {
		if at > t {
			next = min(next, at)
		}
	}
	for _, i := range b.young {
		if at := f.order[i].newborn.settles(step); at > t {
			next = min(next, at)
		}
	}
	return next
}

// begin takes note of the series that are born at t, and lets those that have settled by
// then inherit. All series have been taken in up to the point before t.
func (u *Unit) begin(f *feed, b *births, t int64) {
	step := u.o.Step.Milliseconds()
	for _, i := range b.at[t] {
		s := f.order[i]
		s.newborn.born, s.newborn.since = t, t
		if u.donor(f, s, t) != nil {
			s.newborn.young = true
			b.young = append(b.young, i)
		}
	}
	delete(b.at, t)
	kept := b.young[:0]
	for _, i := range b.young {
		s := f.order[i]
		if s.newborn.settles(step) > t {
			kept = append(kept, i)
			continue
		}
		s.newborn.young = false
		if d := u.donor(f, s, t); d != nil && s.newborn.n > 0 {
			u.inherit(s, d, t-step)
		}
	}
	b.young = kept
}

// inherit gives s, of which t is the newest point, the knowledge of a donor.
func (u *Unit) inherit(s, donor *state, t int64) {
	scorer, err := detect.New(u.o.Detect.Model, u.o.Detect.Options)
	if err != nil {
		panic(err) // New made one with the same options
	}
	level, spread := s.newborn.level()
	value := s.value
	if math.IsNaN(value) {
		value = level
	}
	if detect.Inherit(scorer, donor.scorer, t, value, level, spread) {
		s.scorer, s.newborn.since = scorer, donor.newborn.since
		s.alert = rules.Alert{}
	}
}

// donor returns the series of the kind of s that a newcomer at t can inherit from, nil if
// there is none: the one with the most history, one without an open finding before one with.
func (u *Unit) donor(f *feed, s *state, t int64) *state {
	members := f.kinds[s.kind]
	if s.kind == "" || len(members) < 2 {
		return nil
	}
	alike, known := f.peers[s.kind].Alike()
	if known && !alike || !known && !isPod(s.labels) {
		return nil
	}
	var best *state
	var bestOpen bool
	var bestSince int64
	for _, i := range members {
		d := f.order[i]
		since := max(d.newborn.since, t-donorEnough.Milliseconds())
		if d == s || d.newborn.since == 0 || d.newborn.young || t-d.last > forgetAfter.Milliseconds() || t-since < donorHistory.Milliseconds() {
			continue
		}
		open := d.alert.Active()
		if best == nil || bestOpen && !open || bestOpen == open && since < bestSince {
			best, bestOpen, bestSince = d, open, since
		}
	}
	return best
}

// unscored is the score of a newcomer that is being watched.
func unscored(v float64) series.Score {
	nan := math.NaN()
	return series.Score{Observed: v, Expected: nan, Lower: nan, Upper: nan, Value: nan, Confidence: 0, Type: "", Why: series.Why{}}
}
