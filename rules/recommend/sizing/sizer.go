package sizing

import (
	"math"
	"slices"
)

const (
	window       = 28  // days that are remembered
	enoughDays   = 6   // before anything is decided
	lookBack     = 21  // days by which a move is judged, each counting Moves.Recall times the next
	envelope     = 7   // days: what is set was enough on each of them
	forecastDays = 3   // a forecast of seven days serves for
	pressure     = 0.9 // of what is set, above which memory is raised at once, to Moves.Relief times usage
)

// Sample is one measurement of one container, or the highest among its replicas.
type Sample struct {
	Time    int64   // Unix seconds
	CPU     float64 // cores; NaN: unknown
	Memory  float64 // bytes of the working set; NaN: unknown
	Startup bool    // in the first minutes of a container: CPU counts as start-up peak only
}

// Scale is the size of a usual container, in which prices are measured: the means over
// all containers that are decided together.
type Scale struct {
	CPU    float64 // cores, of the 95th percentile of two weeks
	Memory float64 // bytes, of the maximum of two weeks
}

// Size is what a container should ask for.
type Size struct {
	CPU    float64 // cores; NaN: too little is known
	Memory float64 // bytes; NaN: too little is known
}

// Sizer learns one container, from New. Of each day, it is told the samples by Observe,
// then the end by EndDay, then it is asked by Decide.
type Sizer struct {
	policy Policy
	step   int64 // seconds between samples

	cpu    [window]day     // a ring of days
	memory [window]float32 // their highest memory, bytes; NaN without samples
	next   int             // where in the ring the day under way goes
	days   int             // in the ring, at most window
	hourly hourly          // CPU

	forecast    []float64 // quantiles of the newest forecast, NaN: none
	forecastAge int       // days since

	today   []float32 // CPU of the day under way
	peak    float64   // memory of the day under way, bytes; NaN without samples
	newest  int64     // time of the newest sample
	seen    bool      // any sample, by Learn
	startup float64   // highest CPU in a start, cores; 0: none

	price     float64 // of violations, cores, at the last Decide
	losses    armLosses
	values    []float32 // what the arms said at the last Decide; nil: nothing
	arm       int       // that was best
	memories  recent    // what memory was set to
	candidate recent    // what the best arm said
	set       recent    // what CPU was set to
	size      Size
	claim     float64 // share of time above size.CPU, as of the last Decide; NaN: none
	claimed   float64 // the CPU it was about
	claims    claims
	gumbel    gumbel // of memory, as of the last Decide
	fitted    bool
	floor     oomFloor
}

// recent are the values of the last seven days, newest first; NaN: nothing.
type recent [envelope]float64

func (r *recent) push(v float64) {
	copy(r[1:], r[:envelope-1])
	r[0] = v
}

// highest skips NaN; 0 if all are.
func (r *recent) highest() float64 {
	most := 0.0
	for _, v := range r {
		if v > most {
			most = v
		}
	}
	return most
}

// New returns a Sizer of samples that are step seconds apart.
func New(p Policy, step int64) *Sizer {
	if p.Moves == (Moves{}) {
		p.Moves = UsualMoves
	}
	s := &Sizer{policy: p, step: step, peak: math.NaN(), newest: math.MinInt64, arm: -1, claim: math.NaN(), size: Size{CPU: math.NaN(), Memory: math.NaN()}}
	for i := range s.memory {
		s.memory[i] = float32(math.NaN())
	}
	for i := range envelope {
		s.candidate[i], s.set[i] = math.NaN(), math.NaN()
		s.memories[i] = math.NaN()
	}
	return s
}

// Observe takes in a sample. Samples that are not newer than the newest, and values that are
// negative, NaN or beyond a float32, count as not seen. It reports whether memory came so close to what
// was set that this was raised.
func (s *Sizer) Observe(x Sample) (raised bool) {
	if x.Time <= s.newest {
		return false
	}
	s.newest = x.Time
	s.seen = s.seen || x.CPU == x.CPU || x.Memory == x.Memory
	if x.CPU >= 0 && x.CPU <= math.MaxFloat32 {
		if x.Startup {
			s.startup = max(s.startup, x.CPU)
		} else {
			s.today = append(s.today, float32(x.CPU))
			s.hourly.add(x.Time, x.CPU)
		}
	}
	if !(x.Memory >= 0 && x.Memory <= math.MaxFloat32) {
		return false
	}
	if !(s.peak >= x.Memory) {
		s.peak = x.Memory
	}
	if x.Memory > pressure*s.size.Memory && s.policy.Moves.Relief*x.Memory > s.size.Memory {
		s.size.Memory = s.policy.Moves.Relief * x.Memory
		return true
	}
	return false
}

// Started takes in that a container used so many cores in its first minutes.
func (s *Sizer) Started(cores float64) {
	if cores >= 0 && cores <= math.MaxFloat32 {
		s.startup = max(s.startup, cores)
	}
}

// Killed takes in that the container was killed for memory at the given limit, in bytes.
func (s *Sizer) Killed(at int64, limit float64) {
	kills := 1
	if limit == s.floor.limit {
		kills = s.floor.kills + 1
	}
	s.floor = oomFloor{limit: limit, at: at, kills: kills}
}

// EndDay closes the day under way and lets every arm pay for it. A day without samples
// counts as a day.
func (s *Sizer) EndDay(c *Scratch) {
	c.mix.reset()
	for _, v := range s.today {
		c.mix.add(float64(v), 1)
	}
	x := c.mix.sparse()
	s.today = s.today[:0]
	if s.values != nil {
		s.losses.settle(s.values, &x, s.price, s.policy.Ceiling)
	}
	if x.n > 0 {
		s.claims.add(s.claim, x.above(s.claimed))
	}
	s.cpu[s.next], s.memory[s.next] = x, float32(s.peak)
	s.peak = math.NaN()
	s.next = (s.next + 1) % window
	s.days = min(s.days+1, window)
}

// day returns the day that ended age days before the last, 0 being that.
func (s *Sizer) day(age int) *day { return &s.cpu[(s.next-1-age+2*window)%window] }

// peakOf returns the highest memory of that day, bytes, NaN without samples.
func (s *Sizer) peakOf(age int) float64 { return float64(s.memory[(s.next-1-age+2*window)%window]) }

// Usual returns the 95th percentile of CPU and the maximum of memory of the last 14 days,
// NaN where there are no samples.
func (s *Sizer) Usual(c *Scratch) Scale {
	c.mix.reset()
	for age := range min(s.days, 14) {
		c.mix.mix(s.day(age), 1)
	}
	var q [1]float64
	c.mix.quantiles(q[:], []float64{0.95})
	return Scale{CPU: q[0], Memory: s.highest(14)}
}

// highest returns the highest memory of the last days, bytes, NaN without samples.
func (s *Sizer) highest(days int) float64 {
	most := math.NaN()
	for age := range min(s.days, days) {
		if v := s.peakOf(age); !(most >= v) && v == v {
			most = v
		}
	}
	return most
}

// Mean returns the mean of scales, leaving out what is NaN; 0 where nothing is left.
func Mean(all []Scale) Scale {
	var m Scale
	var cpus, memories int
	for _, x := range all {
		if x.CPU == x.CPU {
			m.CPU += x.CPU
			cpus++
		}
		if x.Memory == x.Memory {
			m.Memory += x.Memory
			memories++
		}
	}
	if cpus > 0 {
		m.CPU /= float64(cpus)
	}
	if memories > 0 {
		m.Memory /= float64(memories)
	}
	return m
}

// Decide returns what to ask for from now on, Unix seconds, right after EndDay.
// Errors of the forecast leave its arms out.
func (s *Sizer) Decide(now int64, scale Scale, c *Scratch) Size {
	s.decideCPU(scale.CPU, c)
	s.decideMemory(now, scale.Memory)
	return s.size
}

// Size returns what was decided, or raised since.
func (s *Sizer) Size() Size { return s.size }

func (s *Sizer) decideCPU(scale float64, c *Scratch) {
	s.price = s.policy.Violation * scale
	s.bases(c)
	if s.values == nil {
		s.values = make([]float32, arms)
	}
	armValues(s.values, c.bases[:])
	if s.days < enoughDays {
		return
	}
	s.arm = s.losses.best(s.values, s.price, s.policy.Ceiling)
	if s.arm < 0 {
		s.candidate.push(math.NaN())
		s.set.push(s.size.CPU)
		return
	}
	s.candidate.push(float64(s.values[s.arm]))
	want := max(s.candidate.highest(), s.policy.Moves.ShrinkCPU*s.set.highest())
	was := s.size.CPU
	if was == was {
		want = min(want, max(s.policy.Moves.RiseCPU*was, c.bases[usual]))
	}
	far := math.Abs(want-was) > s.policy.Moves.MoveCPU*was || want > was && s.Above(was) > s.policy.Ceiling
	if was != was || far && s.cost(was)-s.cost(want) > s.policy.Moves.WorthCPU*scale {
		s.size.CPU = want
	}
	s.set.push(s.size.CPU)
	s.claim, s.claimed = s.Above(s.size.CPU), s.size.CPU
}

// cost is the loss of request r on the last three weeks, faded, in cores.
func (s *Sizer) cost(r float64) float64 { return loss(r, s.Above(r), s.price, s.policy.Ceiling) }

// Above returns the share of the time, in [0, 1], that CPU was above r in the last 21 days,
// a day counting Moves.Recall times as much as the next; NaN without samples.
func (s *Sizer) Above(r float64) float64 {
	above, total, w := 0.0, 0.0, 1.0
	for age := range min(s.days, lookBack) {
		x := s.day(age)
		above += w * float64(x.n) * x.above(r)
		total += w * float64(x.n)
		w *= s.policy.Moves.Recall
	}
	return above / total
}

// bases stores the quantiles of every source in c.bases.
func (s *Sizer) bases(c *Scratch) {
	n := len(quantiles)
	for k, h := range halfLives {
		c.mix.reset()
		for age := range s.days {
			c.mix.mix(s.day(age), math.Exp2(-float64(age)/h))
		}
		c.mix.quantiles(c.bases[k*n:(k+1)*n], quantiles)
		if k < len(halfLives)-1 {
			continue
		}
		// The last one has seen the most: what the forecast is compared with.
		if s.forecastAge++; s.forecast == nil || s.forecastAge >= forecastDays {
			s.forecast = c.forecast(s.forecast[:0], c.bases[k*n:(k+1)*n], &s.hourly)
			s.forecastAge = 0
		}
		copy(c.bases[(k+1)*n:], s.forecast)
	}
	// The highest value of a half-life is the highest seen at its speed: an age at which a
	// sample weighs less than 1/16 of a fresh one does not count.
	for k, h := range halfLives {
		most := 0.0
		for age := range min(s.days, int(4*h)) {
			most = max(most, s.day(age).most)
		}
		if at := k*n + n - 1; c.bases[at] == c.bases[at] {
			c.bases[at] = most
		}
	}
}

func (s *Sizer) decideMemory(now int64, scale float64) {
	if s.days < enoughDays {
		return
	}
	maxima := make([]float64, s.days)
	for age := range maxima {
		maxima[age] = s.peakOf(age)
	}
	g, ok := fitGumbel(maxima)
	if !ok {
		return
	}
	s.gumbel, s.fitted = g, true
	want := max(g.cheapest(s.policy.Kill*scale), leastMemory)
	if m := s.highest(s.policy.HeadroomDays); m == m {
		want = max(want, (1+s.policy.Headroom)*m)
	}
	if m := slices.Max(append(maxima, 0)); m == m {
		want = max(want, s.floor.value(now, m))
	}
	want = max(want, s.policy.Moves.HalveMemory*s.memories.highest())
	was := s.size.Memory
	if was != was || want > (1+s.policy.Moves.RaiseMemory)*was || want < (1-s.policy.Moves.LowerMemory)*was {
		s.size.Memory = want
	}
	s.memories.push(s.size.Memory)
}

// Startup returns the highest CPU seen in a start, in cores; 0 if none was marked as such.
func (s *Sizer) Startup() float64 { return s.startup }

// Step returns the seconds between samples.
func (s *Sizer) Step() int64 { return s.step }

// Days returns how many days are remembered.
func (s *Sizer) Days() int { return s.days }

// Seen reports whether there was any sample.
func (s *Sizer) Seen() bool { return s.seen }

// Kills returns how often in a row the container was killed at one limit, and that limit in
// bytes; 0 if never.
func (s *Sizer) Kills() (n int, limit float64) { return s.floor.kills, s.floor.limit }

// MemoryPeak returns the highest memory of the days that are remembered, bytes; NaN without
// samples.
func (s *Sizer) MemoryPeak() float64 { return s.highest(window) }
