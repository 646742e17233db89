package advice

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/feedback"
	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules/recommend/sizing"
)

const (
	dayMS = 24 * 3_600_000
	// mostContainers bounds memory: 16 KiB each.
	mostContainers = 10_000
	// forgetAfter is how long a container is remembered that is not seen: one that comes back sooner goes on.
	forgetAfter = 7 * dayMS
	// lately is how many points the highest memory is of that tells of pressure: usage that swings around the
	// boundary would open and close an alert all the time.
	lately = 12
)

// fleet are the containers that are sized together, as of one time. It belongs to one
// goroutine at a time.
type fleet struct {
	policy  sizing.Policy
	step    int64 // milliseconds
	scratch *sizing.Scratch
	most    int // containers
	// excluded says when a container is not learned from; nil: nothing is.
	excluded func(signal string, ls labels.Labels) []feedback.Span

	day     int64 // end of the day under way, Unix milliseconds; 0: nothing was taken in
	byKey   map[string]*container
	order   []*container // by key
	refused map[string]bool
}

// container is one, with all of its replicas.
type container struct {
	key    string
	labels labels.Labels // cluster, namespace, workload, container
	sizer  *sizing.Sizer
	newest int64           // time of the newest sample, Unix milliseconds
	recent [lately]float64 // newest memory, bytes, by time
	waits  shares          // of periods that were throttled
}

func newFleet(p sizing.Policy, step int64, c *sizing.Scratch, excluded func(string, labels.Labels) []feedback.Span) *fleet {
	return &fleet{policy: p, step: step, scratch: c, most: mostContainers, excluded: excluded, day: 0, byKey: map[string]*container{}, order: nil, refused: map[string]bool{}}
}

// The inputs that are taken in point by point.
const (
	inputCPU       = "sizing_cpu"
	inputMemory    = "sizing_memory"
	inputStart     = "sizing_start"
	inputKill      = "sizing_kill"
	inputThrottled = "sizing_throttled"
)

var pointInputs = [...]string{inputCPU, inputMemory, inputStart, inputKill, inputThrottled}

// points are the series of one container in a pass, in the order of pointInputs, and when
// it is not learned from.
type points struct {
	of       [len(pointInputs)]series.Series
	excluded []feedback.Span
}

// take takes in the points of a pass, which come after those before. Where a day
// ends, at midnight UTC, all are decided anew. It returns when ctx is done; then some points were taken
// in and some were not.
func (f *fleet) take(ctx context.Context, in pipeline.Input) error {
	if in.End < in.Start {
		return nil
	}
	of := f.sorted(in)
	if f.day == 0 {
		f.day = in.Start - in.Start%dayMS + dayMS
	}
	for from := in.Start; from <= in.End; {
		if from >= f.day {
			f.endDay(of)
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		to := min(in.End+f.step, f.day)
		for c, p := range of {
			c.observe(p, from, to, f.step)
		}
		from = to
	}
	return nil
}

// sorted returns the series of a pass by container. New ones are taken up as long as there is room.
func (f *fleet) sorted(in pipeline.Input) map[*container]*points {
	out := make(map[*container]*points, len(f.order))
	clear(f.refused)
	for i, name := range pointInputs {
		for _, s := range in.Series[name].Series {
			c := f.container(s.Labels)
			if c == nil {
				continue
			}
			p := out[c]
			if p == nil {
				p = &points{}
				if f.excluded != nil {
					p.excluded = f.excluded("", c.labels)
				}
				out[c] = p
			}
			p.of[i] = s
		}
	}
	return out
}

// container returns the container of ls, nil if there are too many.
func (f *fleet) container(ls labels.Labels) *container {
	k := key(ls, byContainer...)
	if c := f.byKey[k]; c != nil {
		return c
	}
	if len(f.order) >= f.most {
		f.refused[k] = true
		return nil
	}
	c := &container{key: k, labels: labels.FromStrings("cluster", ls.Get("cluster"), "namespace", ls.Get("namespace"), "workload", ls.Get("workload"), "container", ls.Get("container"))}
	c.sizer = sizing.New(f.policy, f.step/1000)
	for i := range c.recent {
		c.recent[i] = math.NaN()
	}
	f.byKey[k] = c
	i, _ := slices.BinarySearchFunc(f.order, k, func(c *container, k string) int { return strings.Compare(c.key, k) })
	f.order = slices.Insert(f.order, i, c)
	return c
}

// endDay closes the day under way and forgets what is gone and does not come now.
func (f *fleet) endDay(now map[*container]*points) {
	sizers := make([]*sizing.Sizer, len(f.order))
	for i, c := range f.order {
		sizers[i] = c.sizer
		c.waits.endDay()
	}
	sizing.EndDays(f.day/1000, sizers, f.scratch)
	f.order = slices.DeleteFunc(f.order, func(c *container) bool {
		gone := f.day-c.newest >= forgetAfter && now[c] == nil
		if gone {
			delete(f.byKey, c.key)
		}
		return gone
	})
	f.day += dayMS
}

// observe takes in what is from ≤ time < to.
func (c *container) observe(p *points, from, to, step int64) {
	for t := from; t < to; t += step {
		cpu, memory := at(p.of[0], t), at(p.of[1], t)
		c.recent[t/step%lately] = memory
		there := cpu == cpu || memory == memory
		if there {
			c.newest = t
		}
		if feedback.In(p.excluded, t) {
			continue
		}
		if there {
			c.sizer.Observe(sizing.Sample{Time: t / 1000, CPU: cpu, Memory: memory, Startup: false})
		}
		if v := at(p.of[2], t); v == v {
			c.sizer.Started(v)
		}
		if limit := at(p.of[3], t); limit > 0 {
			c.sizer.Killed(t/1000, limit)
		}
		if v := at(p.of[4], t); v == v {
			c.waits.add(v)
		}
	}
}

// memory returns the highest of the newest points, bytes, NaN if there is none.
func (c *container) memory() float64 {
	most := math.NaN()
	for _, v := range c.recent {
		if !(most >= v) && v == v {
			most = v
		}
	}
	return most
}

// at returns the value of s at time t, NaN if there is none.
func at(s series.Series, t int64) float64 {
	if i, ok := s.Index(t); ok {
		return s.Values[i]
	}
	return math.NaN()
}

// shares is a distribution of ratios, in steps of 5 %, of which a day counts 0.9 times as much as
// the next.
type shares struct {
	n     [20]float32
	total float32
}

func (s *shares) add(ratio float64) {
	s.n[int(min(max(ratio, 0)*20, 19))]++
	s.total++
}

func (s *shares) endDay() {
	for i := range s.n {
		s.n[i] *= 0.9
	}
	s.total *= 0.9
}

// p95 returns the 95th percentile, with linear interpolation; NaN of nothing.
func (s *shares) p95() float64 {
	if !(s.total > 0) {
		return math.NaN()
	}
	want, below := 0.95*s.total, float32(0)
	for i, n := range s.n {
		if n > 0 && below+n >= want {
			return (float64(i) + float64((want-below)/n)) / 20
		}
		below += n
	}
	return 1
}
