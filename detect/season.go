package detect

import (
	"math"
	"time"
)

// A season is the usual day: a level for every bin of local time, learned from
// bin means, one day after the other. How far the series as a whole has drifted away from
// it is no part of a day: a bin that learned that would stand out from those that have yet to.
type season struct {
	loc    *time.Location
	width  int64     // of a bin, ms
	step   int64     // between samples, ms
	level  []float32 // by bin, above origin
	origin float64   // the first mean of a bin
	begun  bool
	zone   int32   // offset of local time, ms, valid within quarter
	days   nibbles // days that level rests on, up to seasonMemory

	spread float64 // usual |bin mean − level|

	cur int64 // local bin number since 1970 that is being filled
	sum float64
	n   int64
	qtr int64 // number of the quarter of an hour that zone was looked up for
}

const (
	dayMS     = int64(24 * time.Hour / time.Millisecond)
	hourMS    = int64(time.Hour / time.Millisecond)
	minuteMS  = int64(time.Minute / time.Millisecond)
	quarterMS = int64(15 * time.Minute / time.Millisecond)

	// Bins of 5 minutes, or of one step where that is longer.
	seasonBin = int64(5 * time.Minute / time.Millisecond)
	// A level is the mean of its first five days, then moves by a fifth a day: a
	// lasting change is known to ⅔ after five days, a bad day forgotten to ⅓.
	seasonMemory = 5
	// A bin is used once it was seen on that many days.
	seasonDays = 2
	// What comes by the clock may come that many ms earlier or later, and be that many scales off.
	seasonNear = 2 * seasonBin
	nearTol    = 2
	// What rises or falls between the ends of where it looks by that share of the whole is a run of its own.
	runShare = 1.0 / 2
	// Of an edge between two bins so much may be missed.
	edgeShare = 1.0 / 8
	// One day moves a level by no more than that many usual spreads, before the gain.
	seasonClip = 3
)

func newSeason(step int64, loc *time.Location) season {
	width := max(step, seasonBin)
	n := max(1, int((dayMS+width/2)/width))
	return season{
		loc: loc, width: width, step: step, level: make([]float32, n), origin: 0, begun: false, days: make(nibbles, (n+1)/2),
		spread: 0, cur: math.MinInt64, sum: 0, n: 0, zone: 0, qtr: math.MinInt64,
	}
}

// local returns t in local time, as milliseconds since 1970 there.
func (s *season) local(t int64) int64 {
	if q := floorDiv(t, quarterMS); q != s.qtr {
		_, off := time.UnixMilli(t).In(s.loc).Zone()
		s.qtr, s.zone = q, int32(off)*1000
	}
	return t + int64(s.zone)
}

// at returns the level at local time lt, interpolated between the centres of
// bins. ok is false until the bins around were seen on two days.
func (s *season) at(lt int64) (level float64, ok bool) {
	b := s.index(lt)
	// The mean time of a bin's samples lies half a step before the bin's middle.
	frac := float64(floorMod(floorMod(lt, dayMS), s.width)-(s.width-s.step)/2) / float64(s.width)
	other := b + 1
	if frac < 0 {
		other = b - 1
	}
	other = (other + len(s.level)) % len(s.level)
	if s.days.at(b) < seasonDays || s.days.at(other) < seasonDays {
		return 0, false
	}
	f := math.Abs(frac)
	return s.origin + (1-f)*float64(s.level[b]) + f*float64(s.level[other]), true
}

// near reports whether every day has a value like x, give or take tol and that share of what these values
// lie apart, within reach bins of that of local time lt: a job that is done a little earlier or later than usual.
// A run that begins and ends within reach is not done there when the value is as on either side of it: that it did not come.
func (s *season) near(lt int64, reach int, x, tol, share float64) bool {
	b, n := s.index(lt), len(s.level)
	low, high := math.Inf(1), math.Inf(-1)
	for i := b - reach; i <= b+reach; i++ {
		j := (i + n) % n
		if s.days.at(j) < seasonMemory {
			return false
		}
		v := float64(s.level[j])
		low, high = min(low, v), max(high, v)
	}
	tol = max(tol, share*(high-low))
	x -= s.origin
	first, last := float64(s.level[(b-reach+n)%n]), float64(s.level[(b+reach)%n])
	run, middle := max(tol, runShare*(high-low)), (high+low)/2
	if x < middle && high-max(first, last) > run || x > middle && min(first, last)-low > run {
		return false
	}
	return x >= low-tol && x <= high+tol
}

func (s *season) index(lt int64) int {
	return int(floorMod(lt, dayMS)/s.width) % len(s.level)
}

// learn adds x at local time lt, of a series that lies drift above its usual day. When lt is
// in a new bin the one before is closed first: call learn after at.
func (s *season) learn(lt int64, x, drift float64) {
	if b := floorDiv(lt, s.width); b != s.cur {
		s.close(drift)
		s.cur = b
	}
	s.sum += x
	s.n++
}

// close moves the level of the bin being filled towards its mean, less the drift.
func (s *season) close(drift float64) {
	if s.n == 0 {
		return
	}
	mean := s.sum / float64(s.n)
	s.sum, s.n = 0, 0
	i := s.index(s.cur * s.width)
	if !s.begun {
		s.begun, s.origin = true, mean-drift
	}
	mean -= s.origin + drift
	d := mean - float64(s.level[i])
	switch n := s.days.at(i); n {
	case 0:
		s.level[i] = single(mean)
	default:
		limit := math.Inf(1)
		if n >= seasonDays && s.spread > 0 {
			limit = seasonClip * s.spread
		}
		s.level[i] = single(float64(s.level[i]) + min(max(d, -limit), limit)/float64(min(n+1, seasonMemory)))
		dev := math.Abs(d)
		if s.spread > 0 {
			s.spread += (min(dev, 3*s.spread) - s.spread) / float64(len(s.level))
		} else {
			s.spread = dev
		}
	}
	if s.days.at(i) < seasonMemory {
		s.days.add(i)
	}
}

// nibbles are numbers below 16, two to a byte.
type nibbles []uint8

func (n nibbles) at(i int) uint8 { return n[i/2] >> (4 * (i % 2)) & 15 }

// add adds one to number i, which must be below 15.
func (n nibbles) add(i int) { n[i/2] += 1 << (4 * (i % 2)) }

// single rounds x to four bytes; what is too large for them is the largest there is.
func single(x float64) float32 { return float32(min(max(x, -math.MaxFloat32), math.MaxFloat32)) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }
