package signal

import (
	"cmp"
	"encoding/binary"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/coding"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/detect"
	"github.com/upid/upid/rules"
)

// RolloutInput is the name of the query that tells of rollouts.
const RolloutInput = "rollouts"

// Rollouts says how they are taken into account.
type Rollouts struct {
	Grace time.Duration // after one, opening a finding takes more
}

const (
	// Within the grace of a rollout a score of that opens a finding that is not benign: restarts
	// and cold caches are ordinary then, an outage is not.
	graceEase = 3
	// The levels before and after a rollout are told apart over that time.
	compareOver = time.Hour
	// maxDeploys bounds the rollouts on record.
	maxDeploys = 1000
)

// revisionLabels name what was rolled out, the most telling first. They are no part
// of what a rollout is about.
var revisionLabels = []string{"revision", "version", "replicaset", "image", "container_image", "tag", "commit", "sha"}

// deploy is one rollout.
type deploy struct {
	at       int64
	labels   labels.Labels // what it is about, without those of the revision
	group    string        // its workload; "" if its labels name none
	revision string
}

// replicaSet splits the hash off the name of a deployment's replica set.
var replicaSet = regexp.MustCompile(`^(.+)-[bcdfghjklmnpqrstvwxz2456789]{6,10}$`)

// eventGroup returns the workload that an event is about, "" if its labels name none.
// What runs pods goes before labels like service, which may name who tells of it.
func eventGroup(ls labels.Labels) string {
	b := labels.NewBuilder(labels.EmptyLabels()).Set("cluster", ls.Get("cluster")).Set("namespace", ls.Get("namespace"))
	for _, name := range []string{"workload", "deployment", "statefulset", "daemonset", "replicaset"} {
		if v := ls.Get(name); v != "" {
			if name == "replicaset" {
				v = replicaSet.ReplaceAllString(v, "$1")
			}
			g, _ := rules.Workload(b.Set("workload", v).Labels())
			return g
		}
	}
	g, _ := rules.Workload(ls)
	return g
}

// about reports whether a series with these labels and this group is of what was
// rolled out: of its workload, or, where the event names none, one that agrees in all
// labels that both have.
func (d *deploy) about(group string, ls labels.Labels) bool {
	if d.group != "" {
		return d.group == group
	}
	same := true
	d.labels.Range(func(l labels.Label) {
		if v := ls.Get(l.Name); v != "" && v != l.Value {
			same = false
		}
	})
	return same
}

// deploys is what is known of rollouts: the newest value of each series of events, and
// the rollouts that follow from their changes.
type deploys struct {
	seen   map[string]float64 // by the labels' bytes
	recent []deploy           // oldest first
}

// take notes the rollouts that the event series show: a value that changes, or a series
// that appears where there were others before. What is there from the beginning is no
// rollout. It depends on the data alone.
func (k *deploys) take(data []series.Series) {
	begin := int64(math.MinInt64) // of what is known
	if len(k.seen) == 0 {
		k.seen, begin = map[string]float64{}, math.MaxInt64
	}
	type change struct {
		at    int64
		of    int
		value float64
		first bool
	}
	var changes []change
	var buf []byte
	for i, s := range data {
		buf = key(s.Labels, buf)
		last, known := k.seen[string(buf)]
		for j, v := range s.Values {
			if math.IsNaN(v) || math.IsInf(v, 0) || known && v == last {
				continue
			}
			changes = append(changes, change{s.At(j), i, v, !known})
			last, known = v, true
		}
		if known {
			k.seen[string(buf)] = last
		}
	}
	slices.SortFunc(changes, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.at, b.at), labels.Compare(data[a.of].Labels, data[b.of].Labels))
	})
	for _, c := range changes {
		if begin == math.MaxInt64 {
			begin = c.at
		}
		if c.first && c.at == begin {
			continue
		}
		ls := data[c.of].Labels
		b := labels.NewBuilder(ls).Del(model.MetricNameLabel, "job", "instance", "endpoint") // of who tells
		revision := ""
		for _, name := range revisionLabels {
			if v := ls.Get(name); v != "" && revision == "" {
				revision = v
			}
			b.Del(name)
		}
		if revision == "" {
			revision = strconv.FormatFloat(c.value, 'f', -1, 64)
		}
		d := deploy{at: c.at, labels: b.Labels(), revision: revision}
		d.group = eventGroup(ls)
		k.recent = append(k.recent, d)
	}
	k.recent = slices.Clone(k.recent[max(0, len(k.recent)-maxDeploys):])
}

// of returns the rollouts of a series, oldest first.
func (k *deploys) of(s *state) []deploy {
	var out []deploy
	for i := range k.recent {
		if d := &k.recent[i]; d.about(s.group, s.labels) {
			out = append(out, *d)
		}
	}
	return out
}

// rollout is the newest rollout of a series, with its levels around it.
type rollout struct {
	at       int64 // 0: none
	revision string
	level    float64 // exponential mean, half-life half of compareOver; NaN before the first value
	before   float64 // level at the rollout
	sum      float64 // of the values since, up to compareOver
	n        int64

	settled series.Mean // of the values in the second half of the time it takes to settle
	square  series.Mean // of their squares, from the level before
	based   bool        // the end of that time was seen
}

// observe takes in the value at t, in a series with these rollouts.
func (r *rollout) observe(t int64, v float64, step time.Duration, of []deploy) {
	for i := len(of) - 1; i >= 0 && of[i].at > r.at; i-- {
		if of[i].at <= t {
			*r = rollout{at: of[i].at, revision: of[i].revision, level: r.level, before: r.level, sum: 0, n: 0, settled: series.Mean{}, square: series.Mean{}, based: false}
			break
		}
	}
	if math.IsNaN(v) {
		return
	}
	if math.IsNaN(r.level) {
		r.level = v
	} else {
		r.level += (1 - math.Exp2(-2*float64(step)/float64(compareOver))) * (v - r.level)
	}
	if r.at > 0 && t-r.at <= compareOver.Milliseconds() {
		r.sum += v
		r.n++
	}
}

// settlesAfter is when a series is taken to be as it will be after a rollout: at the end of the
// grace, or after four points where those are longer.
func settlesAfter(step int64, grace time.Duration) int64 { return max(grace.Milliseconds(), 4*step) }

// settle takes in the value at t and, at the last point before the series has settled, returns the
// mean level of the second half of that time and, for normal noise, the mean distance from it.
// ok is false at any other point, and with less than two values.
func (r *rollout) settle(t int64, v float64, step int64, grace time.Duration) (level, spread float64, ok bool) {
	after := settlesAfter(step, grace)
	end := r.at + after
	if r.at == 0 || r.based || t < r.at {
		return 0, 0, false
	}
	if t <= end && 2*(t-r.at) > after && !math.IsNaN(v) {
		d := v - r.anchor()
		r.settled.Add(d)
		r.square.Add(d * d)
	}
	if t+step <= end {
		return 0, 0, false
	}
	r.based = true
	if r.settled.N < 2 {
		return 0, 0, false
	}
	mean := r.settled.Value()
	return r.anchor() + mean, meanDistance * math.Sqrt(max(r.square.Value()-mean*mean, 0)), true
}

// anchor is what the sums of settle are taken from.
func (r *rollout) anchor() float64 {
	if math.IsNaN(r.before) {
		return 0
	}
	return r.before
}

// active reports whether t lies in the grace of the rollout.
func (r *rollout) active(t int64, grace time.Duration) bool {
	return r.at > 0 && t >= r.at && t-r.at <= grace.Milliseconds()
}

// said returns what results say of it at t; nil without one in the last day.
func (r *rollout) said(t int64, grace time.Duration) *series.Rollout {
	if r.at == 0 || t-r.at > forgetAfter.Milliseconds() {
		return nil
	}
	out := series.Rollout{At: r.at, Revision: r.revision, Active: r.active(t, grace), Grace: grace, Before: r.before, After: math.NaN()}
	if r.n > 0 {
		out.After = r.sum / float64(r.n)
	}
	return &out
}

// ease returns how many times the boundary it takes to open a finding at t, with a value v
// that the scorer has not seen yet: until a series has settled after a rollout what is benign
// opens none, and in the grace anything else takes graceEase.
func (u *Unit) ease(s *state, t int64, v float64) float64 {
	r := &s.rollout
	if u.o.Rollouts == nil || r.at == 0 || t < r.at {
		return 1
	}
	grace := u.o.Rollouts.Grace
	if t-r.at <= settlesAfter(u.o.Step.Milliseconds(), grace) {
		if _, share, ok := detect.Shifted(s.scorer, t, v); ok && rules.Benign(u.o.Type, share) {
			return math.Inf(1)
		}
	}
	if r.active(t, grace) {
		return graceEase
	}
	return 1
}

// suspicion returns how many times as much the scores of s count at t for a rollout that is the
// first thing to suspect, 0 without one: after the grace worseTimes, if the mean since the rollout
// is away from the level before, and from the usual day, in a way that is not benign.
func (u *Unit) suspicion(s *state, t int64) float64 {
	r := &s.rollout
	if u.o.Rollouts == nil || !rules.Suspect(r.at, u.o.Rollouts.Grace, t) {
		return 0
	}
	if r.active(t, u.o.Rollouts.Grace) || r.n == 0 || math.IsNaN(r.before) {
		return 1
	}
	level := r.sum / float64(r.n)
	by := (level - r.before) / max(math.Abs(r.before), math.SmallestNonzeroFloat64)
	scales, share, ok := detect.Shifted(s.scorer, t, level)
	if ok && math.Abs(scales) >= worseScales && math.Abs(by) >= worseFrom && by*share > 0 && !rules.Benign(u.o.Type, share) {
		return worseTimes
	}
	return 1
}

const (
	// What gets worse with a rollout by so many scales, and by that share of the level before, is
	// hardly chance: its scores count so many times.
	worseScales, worseFrom, worseTimes = 2, 0.2, 1.25
)

// shiftFrom is the least shift that is worth following at once, in scales.
const shiftFrom = 1

// rebase lets s go on from its new level once it has settled after a rollout, if it stayed
// ordinary so far and the shift is benign for a signal of this type.
func (u *Unit) rebase(s *state, t int64, v float64) {
	level, spread, ok := s.rollout.settle(t, v, u.o.Step.Milliseconds(), u.o.Rollouts.Grace)
	if !ok || s.alert.Active() {
		return
	}
	if scales, share, ok := detect.Shifted(s.scorer, t, level); ok && math.Abs(scales) >= shiftFrom && rules.Benign(u.o.Type, share) {
		detect.Rebase(s.scorer, t, level, spread)
	}
}

func (r *rollout) append(b []byte) []byte {
	b = binary.AppendVarint(b, r.at)
	b = coding.AppendText(b, r.revision)
	for _, v := range []float64{r.level, r.before, r.sum} {
		b = coding.AppendFloat(b, v)
	}
	b = binary.AppendVarint(b, r.n)
	b = coding.AppendFloat(b, r.settled.Sum)
	b = coding.AppendFloat(b, r.square.Sum)
	b = binary.AppendVarint(b, int64(r.settled.N))
	if r.based {
		return append(b, 1)
	}
	return append(b, 0)
}

func readRollout(r *coding.Reader) rollout {
	o := rollout{at: r.Int(), revision: r.Text(), level: r.Float(), before: r.Float(), sum: r.Float(), n: r.Int(), settled: series.Mean{Sum: r.Float(), N: 0}, square: series.Mean{Sum: r.Float(), N: int(r.Int())}, based: r.Uint() == 1}
	o.settled.N = o.square.N
	return o
}

// append packs what is known of rollouts.
func (k *deploys) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(k.seen)))
	for _, name := range slices.Sorted(maps.Keys(k.seen)) {
		b = coding.AppendText(b, name)
		b = coding.AppendFloat(b, k.seen[name])
	}
	b = binary.AppendUvarint(b, uint64(len(k.recent)))
	for _, d := range k.recent {
		b = binary.AppendVarint(b, d.at)
		b = coding.AppendLabels(b, d.labels)
		b = coding.AppendText(b, d.revision)
		b = coding.AppendText(b, d.group)
	}
	return b
}

func readDeploys(b []byte) (deploys, error) {
	r := coding.NewReader(b)
	k := deploys{seen: map[string]float64{}, recent: nil}
	for range r.Count(9) {
		name := r.Text()
		k.seen[name] = r.Float()
	}
	for range r.Count(4) {
		k.recent = append(k.recent, deploy{at: r.Int(), labels: r.Labels(), revision: r.Text(), group: r.Text()})
	}
	if r.Len() > 0 {
		r.Fail()
	}
	return k, r.Err()
}
