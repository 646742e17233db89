package forecast

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
)

// countdown is a context that is done from the n-th time on that it is asked.
type countdown struct {
	context.Context
	asked, n int
}

func (c *countdown) Err() error {
	c.asked++
	if c.asked > c.n {
		return context.Canceled
	}
	return nil
}

func month5m() series.Series {
	y := hourly(28*288, func(i int) float64 { return daily(i/12) + float64(i*i%7) })
	y.Step = minutes5
	return y
}

// Wherever it is cancelled a forecast ends with the error of the context, and leaves the working
// memory fit for the next one.
func TestCancelAnywhere(t *testing.T) {
	for _, name := range []string{"auto", "seasonal_naive", "mstl"} {
		model, y, h := mustNew(t, name), hourly(28*24, weekly), 168
		if name == "auto" {
			y, h = month5m(), 2016
		}
		whole := sized(h, 0.9)
		count := &countdown{Context: context.Background(), asked: 0, n: 1 << 30}
		if err := model.Forecast(whole, y, Calendar{}, new(Scratch).With(count)); err != nil {
			t.Fatal(err)
		}
		if least := map[string]int{"auto": 24, "seasonal_naive": 2, "mstl": 2}[name]; count.asked < least {
			t.Errorf("%s asks %d times, want at least %d", name, count.asked, least)
		}
		var s Scratch
		for n := range count.asked {
			dst := sized(h, 0.9)
			err := model.Forecast(dst, y, Calendar{}, s.With(&countdown{Context: context.Background(), asked: 0, n: n}))
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("%s, cancelled at the %d-th of %d times: %v", name, n+1, count.asked, err)
			}
		}
		again := sized(h, 0.9)
		if err := model.Forecast(again, y, Calendar{}, s.With(context.Background())); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(whole.Point, again.Point) || !slices.Equal(whole.Lower, again.Lower) {
			t.Errorf("%s: after cancelled forecasts the result is another", name)
		}
	}
}

// TestCancelSoon takes the best of several times, as other programs run too: 2,016 steps from 8,064 points, cancelled
// after a millisecond.
func TestCancelSoon(t *testing.T) {
	model, y := mustNew(t, "auto"), month5m()
	var s Scratch
	dst := sized(2016, 0.9)
	best := time.Hour
	var all []time.Duration
	for range 30 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		began := time.Now()
		err := model.Forecast(dst, y, Calendar{}, s.With(ctx))
		took := time.Since(began)
		cancel()
		if err == nil {
			continue // done before
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		best, all = min(best, took), append(all, took)
	}
	if len(all) == 0 {
		t.Skip("every forecast was done within a millisecond")
	}
	if best > 5*time.Millisecond {
		t.Errorf("the soonest return is %v", best)
	}
	slices.Sort(all)
	t.Logf("%d of 30 were cancelled; the soonest return is %v after the beginning, half within %v", len(all), best, all[len(all)/2])
}
