package pipeline

import "sync"

// job is one pass of one task, due at slot.
type job struct {
	task *entry
	pass Pass
	slot int64
}

// queue is the bounded work queue. Score jobs go first, oldest first; each task
// has at most one job of each pass waiting. When it is full the oldest fit job
// is dropped, never a score job: its capacity is at least the number of tasks.
type queue struct {
	mu         sync.Mutex
	ready      sync.Cond
	score, fit []job
	capacity   int
	maxFits    int // fits that may run at once, so that scoring always has a worker
	fits       int // fits running
	closed     bool
}

func newQueue(capacity, maxFits int) *queue {
	q := &queue{capacity: capacity, maxFits: maxFits}
	q.ready.L = &q.mu
	return q
}

// push adds j. It returns the job that had to go: an earlier slot of the same
// task and pass (superseded), or the oldest fit job (full), which may be j.
func (q *queue) push(j job) (gone job, why string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return j, "closed"
	}
	list := &q.score
	if j.pass == Fit {
		list = &q.fit
	}
	for i, old := range *list {
		if old.task == j.task {
			(*list)[i] = j
			return old, "superseded"
		}
	}
	if len(q.score)+len(q.fit) >= q.capacity {
		if len(q.fit) > 0 {
			gone, why = q.fit[0], "queue_full"
			q.fit = q.fit[1:]
		} else if j.pass == Fit {
			return j, "queue_full"
		}
	}
	if j.pass == Fit { // list may be stale after the drop
		q.fit = append(q.fit, j)
	} else {
		q.score = append(q.score, j)
	}
	q.ready.Signal()
	return gone, why
}

// pop waits for a job. ok is false once the queue is closed. done must be called
// when the job has run.
func (q *queue) pop() (j job, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		switch {
		case q.closed:
			return job{}, false
		case len(q.score) > 0:
			j, q.score = q.score[0], q.score[1:]
			return j, true
		case len(q.fit) > 0 && q.fits < q.maxFits:
			j, q.fit = q.fit[0], q.fit[1:]
			q.fits++
			return j, true
		}
		q.ready.Wait()
	}
}

func (q *queue) done(j job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if j.pass == Fit {
		q.fits--
		q.ready.Signal()
	}
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.ready.Broadcast()
}

// remove takes the jobs of a task out of the queue.
func (q *queue) remove(t *entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, list := range []*[]job{&q.score, &q.fit} {
		kept := (*list)[:0]
		for _, j := range *list {
			if j.task != t {
				kept = append(kept, j)
			}
		}
		*list = kept
	}
}

// grow makes room for at least n jobs.
func (q *queue) grow(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.capacity = max(q.capacity, n)
}

func (q *queue) stats() (length, capacity int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.score) + len(q.fit), q.capacity
}
