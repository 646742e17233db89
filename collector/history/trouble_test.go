package history

import (
	"testing"
	"time"
)

// TestTrouble: a disk that is almost full is told once, not many times a second.
func TestTrouble(t *testing.T) {
	var tr trouble
	now := time.Unix(1_700_000_000, 0)
	f := func(after time.Duration, bad, failed, mended bool) {
		t.Helper()
		now = now.Add(after)
		if gotFailed, gotMended := tr.note(bad, now); gotFailed != failed || gotMended != mended {
			t.Errorf("failure %v: said %v and %v, want %v and %v", bad, gotFailed, gotMended, failed, mended)
		}
	}
	f(0, false, false, false)
	f(0, true, true, false)
	f(time.Second, true, false, false)
	f(time.Second, false, false, true) // over at once
	f(time.Second, true, true, false)  // and back
	for range 100 {
		f(time.Second, false, false, false)
		f(0, true, false, false)
	}
	f(calm-time.Second, false, false, false)
	f(time.Second, false, false, true) // nothing for a while
	f(calm, true, true, false)         // new trouble
	f(time.Second, false, false, true)
}
