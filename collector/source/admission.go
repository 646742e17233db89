package source

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
)

// entry is one series on the grid of the whole query.
type entry struct {
	ls     labels.Labels
	hash   uint64
	seq    int // order of arrival
	start  int // cell of values[0]
	values []float64
	next   *entry // of the same hash
}

// before is the order in which series are admitted: by hash, so that it does not
// depend on the order of arrival.
func (e *entry) before(o *entry) bool {
	if e.hash != o.hash {
		return e.hash < o.hash
	}
	return labels.Compare(e.ls, o.ls) < 0
}

// admission keeps at most max series: the first ones in the order of before.
// Which these are depends on the set of series only, so that a limit cuts off
// the same series in every answer. The memory it takes is bounded by max.
type admission struct {
	max     int
	seq     int
	byHash  map[uint64]*entry
	all     entryHeap // a heap once it is full
	heaped  bool
	refused map[uint64]struct{} // hashes of what was left out
	known   int                 // so many of them at most
	more    int                 // left out beyond that
}

// maxRefused bounds the hashes kept to count left out series once although they
// appear in several chunks: 16 MiB or so.
const maxRefused = 1 << 20

func newAdmission(max int) *admission {
	return &admission{max: max, known: maxRefused, byHash: map[uint64]*entry{}}
}

// find returns the series with labels ls, or nil.
func (a *admission) find(hash uint64, ls labels.Labels) *entry {
	for e := a.byHash[hash]; e != nil; e = e.next {
		if labels.Equal(e.ls, ls) {
			return e
		}
	}
	return nil
}

// add admits e, which is not there yet. It returns false if e is left out;
// else another series may have lost its place.
func (a *admission) add(e *entry) bool {
	if len(a.all) >= a.max {
		if !a.heaped {
			heap.Init(&a.all)
			a.heaped = true
		}
		if a.max == 0 || !e.before(a.all[0]) {
			a.refuse(e.hash)
			return false
		}
		last := heap.Pop(&a.all).(*entry)
		a.unlink(last)
		a.refuse(last.hash)
		last.values = nil
	}
	e.seq = a.seq
	a.seq++
	e.next = a.byHash[e.hash]
	a.byHash[e.hash] = e
	if a.heaped {
		heap.Push(&a.all, e)
	} else {
		a.all = append(a.all, e)
	}
	return true
}

func (a *admission) unlink(e *entry) {
	head := a.byHash[e.hash]
	if head == e {
		if e.next == nil {
			delete(a.byHash, e.hash)
		} else {
			a.byHash[e.hash] = e.next
		}
		return
	}
	for ; head.next != e; head = head.next {
	}
	head.next = e.next
}

func (a *admission) refuse(hash uint64) {
	if len(a.refused) >= a.known {
		if _, ok := a.refused[hash]; !ok {
			a.more++
		}
		return
	}
	if a.refused == nil {
		a.refused = map[uint64]struct{}{}
	}
	a.refused[hash] = struct{}{}
}

// left returns how many series were left out.
func (a *admission) left() int { return len(a.refused) + a.more }

// ordered returns the series in the order of arrival.
func (a *admission) ordered() []*entry {
	es := slices.Clone(a.all)
	slices.SortFunc(es, func(x, y *entry) int { return cmp.Compare(x.seq, y.seq) })
	return es
}

// entryHeap has the last series, in the order of before, on top.
type entryHeap []*entry

func (h entryHeap) Len() int           { return len(h) }
func (h entryHeap) Less(i, j int) bool { return h[j].before(h[i]) }
func (h entryHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *entryHeap) Push(x any)        { *h = append(*h, x.(*entry)) }
func (h *entryHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}
