package threat

import "math"

// A schedule finds what is sent at the same time of day, day after day, at a time at which
// little was: a nightly transfer that a busy day would hide.
//
// The largest sum of an hour's window that ends in each hour of the day has, as a
// logarithm, the mean and the standard deviation of that hour and its two neighbours
// over the last 14 days, shrunk and judged like the maxima of days (see Egress), and those of
// that hour alone, of which the smaller surprise counts. The
// surprises of an hour and of the same hour the day before are combined by Fisher's
// method:
//
//	surprise = s − log10(1 + s·ln 10), s = surprise(today) + surprise(yesterday)
//
// Twice at the same hour is so seldom that many hours cost 0.2 decades only. A machine
// whose hours are odd all the time is not believed: a surprise of k decades or more counts
// for what its share of the entity's own hours comes to,
//
//	share(k) = (hours with k decades or more + 168·10^−k) / (hours + 168), k ≤ 4
//
// Fisher, Statistical Methods for Research Workers (1932), §21.1. State: 0.4 KiB.
type schedule struct {
	hours     [24]hourly
	yesterday [24]float32 // surprise
	hour      int64       // of most, since 1970
	most      float32     // logarithm of the largest sum of this hour
	surprise  float32     // of it
	odd       [4]float32  // hours of the last weeks with as many decades or more
	known     float32     // hours of the last weeks
}

const (
	// scheduleLeast is the least surprise of yesterday's hour, of one day in ten: what is
	// odd once is no schedule.
	scheduleLeast = 1
	schedulePrice = 0.2 // decades
)

// hourly are the moments of one hour of the day, over its last maximaDays at most.
type hourly struct{ n, mean, ss float32 }

func (h *hourly) learn(y float32) {
	h.n++
	if h.n > maximaDays {
		h.ss *= (maximaDays - 1) / float32(maximaDays)
		h.n = maximaDays
	}
	d := y - h.mean
	h.mean += d / h.n
	h.ss += d * (y - h.mean)
}

// turn moves on to the hour of t.
func (s *schedule) turn(t int64) {
	now := t / hour
	if now == s.hour {
		return
	}
	if s.most > 0 {
		s.hours[s.hour%24].learn(s.most)
	}
	for h := max(s.hour+1, now-24); s.hour > 0 && h < now; h++ { // hours without data
		s.yesterday[h%24] = 0
	}
	if now-s.hour <= 24 {
		s.yesterday[s.hour%24] = s.surprise
	}
	if s.surprise > 0 { // it was judged
		s.count(float64(s.surprise))
	}
	s.hour, s.most, s.surprise = now, 0, 0
}

// count notes the surprise of an hour that is over.
func (s *schedule) count(surprise float64) {
	if s.known >= 4*24*maximaDays { // forget half
		s.known /= 2
		for k := range s.odd {
			s.odd[k] /= 2
		}
	}
	s.known++
	for k := range s.odd {
		if surprise >= float64(k+1) {
			s.odd[k]++
		}
	}
}

// believe returns what a surprise is worth, given how often the entity has such.
func (s *schedule) believe(surprise float64) float64 {
	k := min(int(surprise), len(s.odd))
	if k == 0 {
		return surprise
	}
	const prior = 168
	share := (float64(s.odd[k-1]) + prior*math.Pow10(-k)) / (float64(s.known) + prior)
	return min(-math.Log10(share)+surprise-float64(k), surprise)
}

// judge returns what the hour usually holds, in bytes, and the surprise of x. It is called
// after turn.
func (s *schedule) judge(x float64) (typical, surprise float64) {
	y := math.Log(x + egressFloor)
	s.most = max(s.most, float32(y))
	var n, sum float64
	h := int(s.hour % 24)
	near := [3]*hourly{&s.hours[(h+23)%24], &s.hours[h], &s.hours[(h+1)%24]}
	for _, q := range near {
		n, sum = n+float64(q.n), sum+float64(q.n)*float64(q.mean)
	}
	if n < 15 { // five days
		return 0, 0
	}
	mean, ss := sum/n, 0.0
	for _, q := range near {
		d := float64(q.mean) - mean
		ss += float64(q.ss) + float64(q.n)*d*d
	}
	const prior = 3 * maximaPrior
	sd := math.Sqrt((ss + prior*maximaSpread*maximaSpread) / (n - 1 + prior))
	typical = max(math.Exp(mean)-egressFloor, 0)
	today := gumbelTail(y, mean, sd)
	if own := &s.hours[h]; own.n > 1 { // what this very hour always does is no surprise
		sd := math.Sqrt((float64(own.ss) + maximaPrior*maximaSpread*maximaSpread) / (float64(own.n) - 1 + maximaPrior))
		today = min(today, gumbelTail(y, float64(own.mean), sd))
		typical = max(typical, math.Exp(float64(own.mean))-egressFloor)
	}
	s.surprise = max(s.surprise, float32(today))
	if before := float64(s.yesterday[h]); before > scheduleLeast {
		both := s.believe(today) + s.believe(before)
		surprise = max(both-math.Log10(1+both*math.Ln10), 0)
	}
	return typical, surprise
}
