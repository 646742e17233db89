package views

import (
	"testing"
	"time"

	"github.com/upid/upid/collector/pipeline"
)

// TestState: a query without series is waited for before the first fit, and a failure
// after it.
func TestState(t *testing.T) {
	f := func(want string, st pipeline.Status) {
		t.Helper()
		if got := status(configured("a", "resource", ""), st).State; got != want {
			t.Errorf("%+v is %s, want %s", st, got, want)
		}
	}
	none := map[pipeline.Pass]pipeline.PassStatus{pipeline.Fit: {Ended: time.UnixMilli(noon), Err: "no data", Reason: "no_data"}}
	f("learning", pipeline.Status{})
	f("waiting", pipeline.Status{Passes: none})
	f("failing", pipeline.Status{Fitted: true, Slot: noon, Passes: none})
	f("failing", pipeline.Status{Passes: map[pipeline.Pass]pipeline.PassStatus{pipeline.Fit: {Err: "HTTP 503", Reason: "server_error"}}})
	f("active", pipeline.Status{Fitted: true, Slot: noon})
	f("stale", pipeline.Status{Fitted: true})
}
