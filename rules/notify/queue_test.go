package notify

import (
	"fmt"
	"strings"
	"testing"
)

func TestQueue(t *testing.T) {
	r := func(key string) ref { return ref{"t", key} }
	one := func(key string) []ref { return []ref{r(key)} }
	q := newQueue(4)
	show := func(is []item) string {
		var b strings.Builder
		for _, i := range is {
			b.WriteString(i.key)
			if i.joined {
				b.WriteByte('+')
			}
		}
		return b.String()
	}
	f := func(what string, dropped, wantDropped int, want string) {
		t.Helper()
		if got := show(q.items); got != want || dropped != wantDropped || q.len() != len(q.queued) {
			t.Errorf("%s: %s, %d dropped, want %s, %d dropped (%d places, %d names)", what, got, dropped, want, wantDropped, q.len(), len(q.queued))
		}
	}
	f("in order", q.push(one("a"), one("b"), one("c")), 0, "abc")
	f("once each", q.push(one("b"), one("c"), one("d")), 0, "abcd")
	f("the oldest goes", q.push(one("e"), one("f")), 2, "cdef")
	f("a pair moves to the end", q.push([]ref{r("f"), r("c")}), 0, "def+c")
	f("a new pair", q.push([]ref{r("x"), r("y")}), 2, "f+cx+y")

	batch := q.pop(1)
	f("a pair is not parted", len(batch), 2, "x+y")
	if got := show(batch); got != "f+c" {
		t.Errorf("batch %s, want f+c", got)
	}
	q.push(one("c"))
	f("back to the head, not twice", q.unpop(batch), 0, "f+x+yc")
	f("back to a full queue", q.unpop([]item{{r("g"), false}, {r("h"), false}}), 2, "f+x+yc")
	f("all", len(q.pop(10)), 4, "")
	f("none", len(q.pop(10)), 0, "")
	for i := range 1000 {
		q.push(one(fmt.Sprint(i)))
	}
	f("bounded", 0, 0, "996997998999")
}
