package pipeline

import "testing"

func TestQueueOrderAndDrops(t *testing.T) {
	q := newQueue(3, 1)
	e := make([]*entry, 5)
	for i := range e {
		e[i] = &entry{}
	}
	push := func(want string, task int, pass Pass, slot int64) job {
		t.Helper()
		gone, why := q.push(job{e[task], pass, slot})
		if why != want {
			t.Fatalf("push: %q, want %q", why, want)
		}
		return gone
	}
	push("", 0, Fit, 1)
	push("", 1, Fit, 2)
	push("", 2, Score, 3)
	if gone := push("queue_full", 3, Score, 4); gone.task != e[0] {
		t.Error("not the oldest fit was dropped")
	}
	if gone := push("superseded", 3, Score, 5); gone.slot != 4 {
		t.Error("the earlier slot of a waiting task was kept")
	}
	push("queue_full", 4, Score, 6)
	if gone := push("queue_full", 0, Fit, 7); gone.task != e[0] {
		t.Error("a fit pushed a score job out")
	}
	q.grow(5)
	push("", 0, Fit, 7)
	push("", 1, Fit, 8)
	if n, c := q.stats(); n != 5 || c != 5 {
		t.Errorf("length %d capacity %d, want 5 and 5", n, c)
	}
	for _, want := range []int64{3, 5, 6, 7} {
		j, ok := q.pop()
		if !ok || j.slot != want {
			t.Fatalf("popped slot %d, want %d", j.slot, want)
		}
	}
	// One fit runs; the second waits until it is done, a score job does not.
	push("", 2, Score, 9)
	if j, _ := q.pop(); j.slot != 9 {
		t.Errorf("popped slot %d, want the score job", j.slot)
	}
	q.done(job{e[0], Fit, 7})
	if j, _ := q.pop(); j.slot != 8 {
		t.Errorf("popped slot %d, want the second fit", j.slot)
	}
	push("", 2, Score, 10)
	q.remove(e[2])
	q.close()
	if _, ok := q.pop(); ok {
		t.Error("a closed queue gave a job")
	}
	push("closed", 1, Score, 11)
}
