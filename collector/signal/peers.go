package signal

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/coding"
	"github.com/upid/upid/collector/feedback"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/detect"
	"github.com/upid/upid/rules"
)

// peerKey identifies the series that are of the same kind as one with the labels ls: the
// replicas of a workload, whatever their revision, or the targets of a job. It is "" for
// a series that has no label of a replica.
func peerKey(ls labels.Labels) string {
	pod := isPod(ls)
	if !pod && !ls.Has("instance") && !ls.Has("node") {
		return ""
	}
	group, named := rules.Workload(ls)
	var b strings.Builder
	b.WriteString(group)
	ls.Range(func(l labels.Label) {
		switch {
		case l.Name == "instance", l.Name == "node", pod && volatile[l.Name], named && generation[l.Name]:
			return
		}
		b.WriteString(l.Name)
		b.WriteByte(0xff)
		b.WriteString(l.Value)
		b.WriteByte(0xff)
	})
	return b.String()
}

// isPod reports whether a series with the labels ls is about one pod.
func isPod(ls labels.Labels) bool { return ls.Has("pod") || ls.Has("pod_name") }

// generation labels name one revision of a workload.
var generation = func() map[string]bool {
	out := map[string]bool{"pod_template_hash": true, "controller_revision_hash": true}
	for _, name := range revisionLabels {
		out[name] = true
	}
	return out
}()

// feed is what a pass takes in: the states in an order, and for each what belongs to it.
type feed struct {
	order    []*state
	data     []series.Series // without values where there is nothing new
	there    []bitmap        // when the workload has a value
	of       [][]deploy
	teams    []team
	kinds    map[string][]int         // places in the order of the series of one kind, by labels
	peers    map[string]*detect.Peers // by kind
	first    func(i int) int64        // time of the first point of a series that is taken in
	excluded [][]feedback.Span        // by place in the order; nil: nothing is
}

// A team is what is compared at every point: the series of one kind.
type team struct {
	peers   *detect.Peers
	members []int // places in the order, by labels
	of      []*detect.Peer
	x       []float64
	out     []detect.Unlike
}

// newFeed puts together what belongs to each state. known are the comparisons there are;
// those of new kinds are added to it.
func (u *Unit) newFeed(order []*state, data []series.Series, events *deploys, known map[string]*detect.Peers, first func(i int) int64) *feed {
	f := &feed{order: order, data: data, there: make([]bitmap, len(order)), of: rolloutsOf(events, order), teams: nil, kinds: map[string][]int{}, peers: known, first: first}
	replicas := map[string]int{}
	for _, s := range order {
		replicas[s.workload]++
	}
	present := presence(data, order, replicas, u.o.Step)
	for i, s := range order {
		f.there[i] = present[s.workload]
		if s.scorer != nil && s.kind != "" {
			f.kinds[s.kind] = append(f.kinds[s.kind], i)
		}
	}
	for kind, members := range f.kinds {
		peers := known[kind]
		if peers == nil {
			peers = u.newPeers() // of a lone one too: from it on others are newcomers
			known[kind] = peers
		}
		slices.SortFunc(members, func(a, b int) int { return compareStates(order[a], order[b]) })
		t := team{peers: peers, members: members, of: nil, x: make([]float64, len(members)), out: make([]detect.Unlike, len(members))}
		for _, i := range members {
			t.of = append(t.of, &order[i].peer)
		}
		f.teams = append(f.teams, t)
	}
	return f
}

func (u *Unit) newPeers() *detect.Peers {
	p, err := detect.NewPeers(u.o.Detect.Options)
	if err != nil {
		panic(err) // New made a scorer with the same options
	}
	return p
}

// value returns what a series has at grid time t, NaN for nothing.
func (f *feed) value(i int, t int64) float64 {
	if f.excluded != nil && feedback.In(f.excluded[i], t) {
		return math.NaN()
	}
	if k, ok := f.data[i].Index(t); ok && !math.IsInf(f.data[i].Values[k], 0) {
		return f.data[i].Values[k]
	}
	return math.NaN()
}

// atOnce is how many points are compared before they are scored.
const atOnce = 32

// compare compares the teams at the grid points first … last, at most atOnce, and
// returns by place in the order and point what came of it, nil without teams.
func (u *Unit) compare(ctx context.Context, f *feed, first, last int64) ([][]detect.Unlike, error) {
	if len(f.teams) == 0 {
		return nil, nil
	}
	step := u.o.Step.Milliseconds()
	n := int((last-first)/step) + 1
	out := make([][]detect.Unlike, len(f.order))
	err := parallel(ctx, len(f.teams), u.o.Workers, func(_, i int) {
		t := &f.teams[i]
		for k := range n {
			at := first + int64(k)*step
			for j, m := range t.members {
				t.x[j] = f.value(m, at)
			}
			t.peers.Compare(at, t.of, t.x, t.out)
			for j, m := range t.members {
				if t.out[j].Peers == 0 {
					continue
				}
				if out[m] == nil {
					out[m] = make([]detect.Unlike, n)
				}
				out[m][k] = t.out[j]
			}
		}
	})
	return out, err
}

// forgetKinds drops the comparisons of kinds that have no series any more.
func forgetKinds(kinds map[string]*detect.Peers, states map[string]*state) {
	if len(kinds) == 0 {
		return
	}
	left := map[string]bool{}
	for _, s := range states {
		left[s.kind] = true
	}
	for k := range kinds {
		if !left[k] {
			delete(kinds, k)
		}
	}
}

// appendKinds packs the comparisons.
func appendKinds(b []byte, kinds map[string]*detect.Peers) []byte {
	names := make([]string, 0, len(kinds))
	for k := range kinds {
		names = append(names, k)
	}
	slices.Sort(names)
	b = binary.AppendUvarint(b, uint64(len(names)))
	for _, k := range names {
		b = coding.AppendText(b, k)
		b = coding.AppendBytes(b, kinds[k].AppendState(nil))
	}
	return b
}

// readKinds unpacks what appendKinds packed.
func (u *Unit) readKinds(b []byte) (map[string]*detect.Peers, error) {
	r := coding.NewReader(b)
	out := map[string]*detect.Peers{}
	for range r.Count(2) {
		name, state := r.Text(), r.Bytes()
		if u.o.Detect == nil {
			r.Fail()
		}
		if r.Err() != nil {
			break
		}
		p := u.newPeers()
		if err := p.LoadState(state); err != nil {
			return nil, err
		}
		out[name] = p
	}
	if r.Len() > 0 {
		r.Fail()
	}
	return out, r.Err()
}

// compareStates orders states by their labels.
func compareStates(a, b *state) int {
	if c := labels.Compare(a.labels, b.labels); c != 0 {
		return c
	}
	return strings.Compare(a.sourceName, b.sourceName)
}

// kindOf returns the kind of a series whose metric is called name: series of one kind
// have one name.
func kindOf(ls labels.Labels) string {
	k := peerKey(labels.NewBuilder(ls).Del(model.MetricNameLabel).Labels())
	if k == "" {
		return ""
	}
	return ls.Get(model.MetricNameLabel) + "\xff" + k
}
