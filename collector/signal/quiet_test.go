package signal

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

// In a time of maintenance no finding opens, one that is open stays, and what still lasts afterwards opens then.
func TestQuiet(t *testing.T) {
	begin := epoch + 5*day
	from, to := begin+2*hour, begin+4*hour // of the maintenance
	live := func(quiet bool, bad func(t int64) bool) map[int64]series.Finding {
		w := world{step: minute, pods: []pod{{labels.FromStrings("job", "db"), func(t int64) float64 {
			v := 100 + 2*rand.New(rand.NewPCG(uint64(t), 3)).NormFloat64()
			if bad(t) {
				v += 60
			}
			return v
		}}}}
		o := options()
		o.Forecast = nil
		if quiet {
			o.Quiet = func(t int64) bool { return t >= from && t < to }
		}
		u := newUnit(t, o)
		fit(t, u, w, begin)
		found := map[int64]series.Finding{}
		for end := begin + 10*minute; end <= begin+8*hour; end += 10 * minute {
			rs, err := u.Step(context.Background(), end, w.input(u.Position()+minute, end))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range rs[0].Findings {
				found[f.Start] = f
			}
		}
		return found
	}
	between := func(a, b int64) func(int64) bool { return func(t int64) bool { return t >= a && t < b } }
	f := func(name string, a, b, want int64) {
		t.Helper()
		if all := live(false, between(a, b)); len(all) == 0 {
			t.Errorf("%s: nothing is found without maintenance: the test shows little", name)
		}
		all := live(true, between(a, b))
		if want == 0 && len(all) > 0 {
			t.Errorf("%s: %+v", name, all)
		}
		for start := range all {
			if want != 0 && (start < want || start > want+2*minute || len(all) > 1) {
				t.Errorf("%s: %+v, want one from %d", name, all, want)
			}
		}
		if want != 0 && len(all) == 0 {
			t.Errorf("%s: nothing is found", name)
		}
	}
	f("a quarter of an hour of it", from+30*minute, from+45*minute, 0)
	f("it began before", from-10*minute, from+30*minute, from-10*minute)
	f("it lasts", to-10*minute, to+30*minute, to)
}
