package threat

import "container/list"

// An lru maps entities to their state and forgets the one that was not seen for longest
// when there are more than most.
type lru[V any] struct {
	most  int
	order *list.List // of entry[V], the newest first
	at    map[string]*list.Element
}

type entry[V any] struct {
	key   string
	value V
}

func newLRU[V any](most int) *lru[V] {
	return &lru[V]{most: max(most, 1), order: list.New(), at: make(map[string]*list.Element)}
}

// get returns the state of key and makes it the newest.
func (l *lru[V]) get(key string) (v V, ok bool) {
	e, ok := l.at[key]
	if !ok {
		return v, false
	}
	l.order.MoveToFront(e)
	return e.Value.(entry[V]).value, true
}

// put adds a key that is not there; it reports whether another was forgotten for it.
func (l *lru[V]) put(key string, v V) (evicted bool) {
	if l.order.Len() >= l.most {
		old := l.order.Back()
		l.order.Remove(old)
		delete(l.at, old.Value.(entry[V]).key)
		evicted = true
	}
	l.at[key] = l.order.PushFront(entry[V]{key, v})
	return evicted
}

// set puts a key that may be there, and makes it the newest.
func (l *lru[V]) set(key string, v V) {
	if e, ok := l.at[key]; ok {
		e.Value = entry[V]{key, v}
		l.order.MoveToFront(e)
		return
	}
	l.put(key, v)
}

func (l *lru[V]) len() int { return l.order.Len() }
