package detect

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestNewRefuses(t *testing.T) {
	f := func(name string, change func(*Options), want string) {
		t.Helper()
		o := options()
		change(&o)
		_, err := New(name, o)
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	f("oracle", func(*Options) {}, `detector "oracle": unknown, want one of ["stream"]`)
	f("", func(o *Options) { o.Step = 0 }, `detector "stream": step is 0s, want 1s to 168h0m0s`)
	f("stream", func(o *Options) { o.Step = 8 * 24 * time.Hour }, `detector "stream": step is 192h0m0s, want 1s to 168h0m0s`)
	f("stream", func(o *Options) { o.Step += time.Microsecond }, `detector "stream": step is 1m0.000001s, want whole milliseconds`)
	f("stream", func(o *Options) { o.Budget = 0 }, `detector "stream": budget is 0 alerts a week, want more than 0`)
	f("stream", func(o *Options) { o.Budget = math.NaN() }, `detector "stream": budget is NaN alerts a week, want more than 0`)
	f("stream", func(o *Options) { o.Direction = "sideways" }, `detector "stream": direction is "sideways", want "both", "up" or "down"`)
	f("stream", func(o *Options) { o.MinDeviation = -1 }, `detector "stream": minimum deviation is -1, want 0 or more`)
	f("stream", func(o *Options) { o.MinRelative = math.Inf(1) }, `detector "stream": minimum relative deviation is +Inf, want 0 or more`)
}

// Every model can be made, under its own name, with default options.
func TestModels(t *testing.T) {
	for _, name := range Names() {
		if _, err := New(name, options()); err != nil {
			t.Error(err)
		}
	}
	if !slices.Contains(Names(), Default) {
		t.Errorf("the default %q is not in %q", Default, Names())
	}
}
