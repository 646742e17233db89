package detect

import (
	"math"
	"slices"
	"time"

	"github.com/upid/upid/collector/series"
)

// Peers compare the replicas of one workload at every grid time, each with those of
// about its age. With y the values, through the transform of the options, of the n ≥ 3
// replicas of an age group that are there, and u what each usually is above their median,
//
//	r = y − median(y) − u
//	e = y − median(y), less what lies between the least u and the greatest, and 0
//	z = e / max(1.2 · median|r|, s, floor)
//	run = exponential mean of z, half-life 5 minutes and 2 points or more
//
// s is the usual mean |r|, half-life one day. A replica is unlike the others when |run|
// exceeds margin × the level that any of them exceeds ten times as often as the budget
// allows: all feed one tail, so a newcomer is judged by it from the beginning, and none
// of the state is about how many there are. Taking off the range of u lets a leader
// be unlike, and another take its place.
//
// Nothing is said of replicas that were there for less than half an hour, of age
// groups below three, of a group in its first 60 points, and of values that are equal
// nearly always, such as counts of what seldom happens. Where replicas are never alike,
// the median of |r| at that very time is as large as what sets any of them apart, so
// none ever is.
//
// Time O(n log n) for n replicas, memory about 500 bytes a group and 56 a replica.
type Peers struct {
	o     Options
	gain  struct{ day, run float64 }
	every int64
	daily int64

	begin  int64   // time of the first value of any; 0 before
	seen   int64   // times at which some were compared
	spread float64 // usual mean |r|
	lively float64 // usual share of |r| above the resolution
	apart  float64 // usual median |y − median(y)|
	level  float64 // usual mean |y|
	low    float64 // least and greatest u there was, fading
	high   float64
	count  float64 // usual number of replicas compared
	tail   tail    // of |run|

	y, rest []float64 // of compare, no state
}

// A Peer is what Peers keep of one replica. The zero value is one that was never seen.
type Peer struct {
	born  int64   // time of the first value, or of the first after a break
	last  int64   // time of the newest value; 0 before the first
	usual float64 // what it usually is above the median
	wide  float64 // usual mean |r| of this one
	run   float64 // discounted deviation in usual differences
}

// Unlike says how one replica compares with the others. The zero value says nothing.
type Unlike struct {
	Peers  int     // replicas it was compared with; 0: not compared
	Run    float64 // how far apart it is, in usual differences, signed
	Limit  float64 // what a score of 1 takes; > 0
	Centre float64 // the median of all of them, unit of the input
	Apart  float64 // what it is beyond what any of them usually is, unit of the input; signed
	Days   float64 // some replica is that far apart once in so many days; 0 if unknown
	sure   float64 // history in units of what it takes to know the limit
}

const (
	leastPeers = 3
	// Below that share of the median nobody would call a replica unlike the others.
	peersRelative = 0.1
	// Most differences of most replicas must be above the resolution.
	peersLively = 0.5
	// Replicas are alike when half of them are usually within that share of the median.
	peersAlike = 1.0 / 3
	// A run may exceed its level that many times as often as the budget allows: only the
	// margin keeps it from an alert, since it lasts.
	peersPerBudget = 2
	// One value counts at most that many limits.
	peersClip = 2
	// A replica that is away for more than that many steps begins again.
	peersBreak = 3
	// Mean |x| of a normal distribution over the median of |x|.
	meanOverMedian = 1.2
	// The half-life of a run.
	peersRun = 5 * time.Minute
)

// peerAges are the ages at which a replica joins the next group: caches fill, heaps
// grow and connections spread over hours to days.
var peerAges = [...]int64{hourMS / 2, 2 * hourMS, 6 * hourMS, dayMS, 3 * dayMS}

// NewPeers returns what compares the replicas of one workload. The error says what is
// wrong with o.
func NewPeers(o Options) (*Peers, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	p := &Peers{o: o}
	p.daily = max(leastDay, dayMS/o.Step.Milliseconds())
	p.gain.day = halfLife(float64(p.daily))
	p.gain.run = halfLife(p.runLength())
	p.every = lookEvery(p.daily)
	p.tail.level = unknownLevel
	return p, nil
}

// runLength is the half-life of a run in points.
func (p *Peers) runLength() float64 { return max(2, float64(peersRun)/float64(p.o.Step)) }

// cohort returns the age group of a replica, −1 for the newest.
func cohort(age int64) int {
	c := -1
	for _, a := range peerAges {
		if age >= a {
			c++
		}
	}
	return c
}

// Compare takes in the values at grid time t of all replicas, NaN for one that is not
// there, and says in out how each compares. All three have one length and, from call
// to call, one order of those that are there.
func (p *Peers) Compare(t int64, members []*Peer, x []float64, out []Unlike) {
	var groups [len(peerAges)][]int
	for i, m := range members {
		out[i] = Unlike{}
		if math.IsNaN(x[i]) || math.IsInf(x[i], 0) {
			m.run -= p.gain.run * m.run
			continue
		}
		if p.begin == 0 {
			p.begin = t
		}
		if m.last == 0 || t-m.last > peersBreak*p.o.Step.Milliseconds() {
			m.born, m.run = t, 0
			if t == p.begin { // it may have been there for long
				m.born = t - peerAges[len(peerAges)-1]
			}
		}
		m.last = t
		if c := cohort(t - m.born); c >= 0 {
			groups[c] = append(groups[c], i)
		} else {
			m.run -= p.gain.run * m.run
		}
	}
	compared, before := 0, p.seen
	for _, g := range groups {
		if len(g) >= leastPeers {
			p.compare(g, members, x, out)
			compared += len(g)
			continue
		}
		for _, i := range g {
			members[i].run -= p.gain.run * members[i].run
		}
	}
	if compared == 0 {
		return
	}
	p.seen = before + 1
	p.count += max(p.gain.day, 1/float64(p.seen)) * (float64(compared) - p.count)
	if p.seen%p.daily == 0 {
		p.tail.decay(tailFade)
		p.low, p.high = tailFade*p.low, tailFade*p.high
	}
	if p.seen%p.every == 0 && p.seen >= warmPoints {
		level, ok := p.tail.quantile(p.rate())
		if !ok {
			level = unknownLevel
		}
		p.tail.level = max(level, residualFloor)
	}
}

// value returns x as it is compared.
func (p *Peers) value(x float64) float64 {
	if p.o.Transform == Sqrt {
		return root(finite(x))
	}
	return finite(x)
}

// back undoes value.
func (p *Peers) back(y float64) float64 {
	if p.o.Transform == Sqrt {
		return square(y)
	}
	return finite(y)
}

// compare compares the replicas in g with one another.
func (p *Peers) compare(g []int, members []*Peer, x []float64, out []Unlike) {
	n := len(g)
	p.y, p.rest = slices.Grow(p.y[:0], n)[:n], slices.Grow(p.rest[:0], n)[:n]
	y, rest := p.y, p.rest
	for k, i := range g {
		rest[k] = members[i].usual
	}
	ordinary := middle(rest) // most of them are what is usual
	for k, i := range g {
		y[k] = p.value(x[i])
		members[i].usual -= ordinary
		p.low, p.high = min(p.low, members[i].usual), max(p.high, members[i].usual)
	}
	low, high := p.low, p.high
	for k, i := range g {
		rest[k] = y[k] - members[i].usual
	}
	centre := middle(rest)
	size := 0.0
	for k := range rest {
		size += math.Abs(y[k])
		rest[k] = math.Abs(y[k] - centre)
	}
	apart := middle(rest)
	sum, differ := 0.0, 0.0
	least := floor(centre, high-low)
	for k, i := range g {
		rest[k] = math.Abs(y[k] - centre - members[i].usual)
		sum += rest[k]
		if rest[k] > paceTol*least {
			differ++
		}
	}
	scale := max(meanOverMedian*middle(rest), p.spread, least)
	alike, _ := p.Alike()
	silent := p.tail.level >= unknownLevel || p.lively < peersLively || !alike
	limit := margin * p.tail.level
	w := max(p.gain.day, 1/float64(p.seen+1))
	for k, i := range g {
		m := members[i]
		d := y[k] - centre
		e := d - min(max(d, low), high)
		clip := peersClip * min(limit, margin*clipMost)
		own := max(scale, m.wide)
		was := math.Abs(m.run)
		m.run += p.gain.run * (min(max(e/own, -clip), clip) - m.run)
		if !silent {
			u := Unlike{Peers: n - 1, Run: m.run, Limit: limit, Centre: p.back(centre), Apart: finite(x[i]) - p.back(y[k]-e), Days: 0, sure: float64(p.tail.total) * p.rate()}
			if math.Abs(m.run) >= limit {
				if share, ok := p.tail.exceed(math.Abs(m.run)); ok {
					u.Days = min(7/(share*p.events()), mostDays)
				}
			}
			out[i] = u
		}
		r := d - m.usual
		if limit < unknownLevel {
			r = min(max(r, -limit*own), limit*own)
		}
		m.usual += w * r
		m.wide += w * (math.Abs(r) - m.wide)
		if now := math.Abs(m.run); now < limit || was < limit { // what lasts counts once
			p.tail.add(min(now, tailClip*p.tail.level))
		}
	}
	// One that is far out must not make the others' differences look large.
	usual := sum / float64(n)
	if p.seen >= warmPoints {
		usual = min(usual, 3*p.spread)
	}
	p.spread += w * (usual - p.spread)
	p.lively += w * (differ/float64(n) - p.lively)
	p.apart += w * (apart - p.apart)
	p.level += w * (size/float64(n) - p.level)
}

// events returns how many independent looks all replicas together take in a week.
func (p *Peers) events() float64 {
	return float64(7*dayMS) / float64(p.o.Step.Milliseconds()) / (2 * p.runLength()) * max(p.count, 1)
}

// rate returns the probability with which a run may exceed the level, as stream.rate.
func (p *Peers) rate() float64 { return min(peersPerBudget*p.o.Budget/p.events(), 0.5) }

// middle returns the median of x, which it sorts. x is not empty.
func middle(x []float64) float64 {
	slices.Sort(x)
	n := len(x)
	return (x[(n-1)/2] + x[n/2]) / 2
}

// Judge returns the score of a replica: its own, sc, or that of the comparison if that
// is higher. o are the options of both. What its own scorer does not know yet is taken from the others.
func (u *Unlike) Judge(o Options, sc series.Score) series.Score {
	if u.Peers == 0 || math.IsNaN(sc.Observed) {
		return sc
	}
	v := math.Abs(u.Run) / u.Limit
	if (o.Direction == Up && u.Run < 0) || (o.Direction == Down && u.Run > 0) || u.Run*u.Apart <= 0 {
		v = 0
	}
	if least := max(o.MinDeviation, max(o.MinRelative, peersRelative)*math.Abs(u.Centre)); math.Abs(u.Apart) < least {
		v = min(v, math.Abs(u.Apart)/least)
	}
	if v <= sc.Value {
		return sc
	}
	if math.IsNaN(sc.Value) {
		sc.Expected = u.Centre
	}
	sc.Value, sc.Type, sc.Why = v, "", series.Why{}
	w := series.Why{
		View: series.ViewPeers, Value: math.Abs(u.Run), Limit: u.Limit,
		Deviation: finite(sc.Observed - u.Centre), Usual: u.Centre, Days: u.Days, Peers: u.Peers,
	}
	if v >= 1 {
		sc.Type, sc.Why = series.TypeOutlier, w
		sc.Why.Limit = w.Value / v
	}
	sc.Confidence = confidence(u.sure, v, w)
	return sc
}

// peersShare are the findings of replicas unlike the others that were real, as in
// realShare: counted on made workloads with a fault every other week, see TestPeersOnWorkloads.
var peersShare = [len(confidenceBands)]counted{{40, 51}, {1, 1}, {0, 0}}

// Alike reports whether half of the replicas are usually about the median, as those are
// of which one can stand for another. known is false while too few were compared.
func (p *Peers) Alike() (alike, known bool) {
	return p.apart <= peersAlike*p.level, p.seen >= warmPoints
}
