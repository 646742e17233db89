package notify

import (
	"slices"
	"sync"
)

// ref names an alert: the task it belongs to and its label set. What the alert
// says is looked up when it is posted, so that a queued one is never out of date.
type ref struct{ task, key string }

// item is a place in a queue.
type item struct {
	ref
	joined bool // posted in one batch with the next item
}

// queue is a bounded queue of alerts, each at most once. When it is full the
// oldest goes. It is safe for concurrent use.
type queue struct {
	capacity int

	mu     sync.Mutex
	items  []item
	queued map[ref]bool
}

func newQueue(capacity int) *queue {
	return &queue{capacity: capacity, queued: map[ref]bool{}}
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}

// push appends groups of alerts and returns how many of the oldest had to go. A
// group of one that is queued already keeps its place; a group of two moves to
// the end, to be posted in one batch, first before second. All of them are
// appended at once, so that they share batches.
func (q *queue) push(groups ...[]ref) (dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, g := range groups {
		switch {
		case len(g) == 2:
			q.pair(g[0], g[1])
		case !q.queued[g[0]]:
			q.items, q.queued[g[0]] = append(q.items, item{g[0], false}), true
		}
	}
	return q.trim()
}

// pair appends two alerts, wherever they were before. The caller holds q.mu.
func (q *queue) pair(first, second ref) {
	if q.queued[first] || q.queued[second] {
		q.items = slices.DeleteFunc(q.items, func(i item) bool { return i.ref == first || i.ref == second })
	}
	q.items = append(q.items, item{first, true}, item{second, false})
	q.queued[first], q.queued[second] = true, true
}

// pop takes the n oldest items, and one more where that would part a pair.
func (q *queue) pop(n int) []item {
	q.mu.Lock()
	defer q.mu.Unlock()
	n = min(n, len(q.items))
	if n > 0 && n < len(q.items) && q.items[n-1].joined {
		n++
	}
	batch := slices.Clone(q.items[:n])
	q.items = slices.Delete(q.items, 0, n)
	for _, i := range batch {
		delete(q.queued, i.ref)
	}
	return batch
}

// unpop puts items back at the head, but for those that were queued again in
// the meantime. It returns how many of the oldest had to go.
func (q *queue) unpop(items []item) (dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	back := make([]item, 0, len(items)+len(q.items))
	for _, i := range items {
		if !q.queued[i.ref] {
			back, q.queued[i.ref] = append(back, i), true
		}
	}
	q.items = append(back, q.items...)
	return q.trim()
}

// trim drops the oldest items above the capacity. The caller holds q.mu.
func (q *queue) trim() int {
	n := len(q.items) - q.capacity
	if n <= 0 {
		return 0
	}
	for _, i := range q.items[:n] {
		delete(q.queued, i.ref)
	}
	q.items = slices.Delete(q.items, 0, n)
	return n
}
