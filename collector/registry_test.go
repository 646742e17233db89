package collector

import (
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestInfo: while the set is replaced, every scrape sees one whole set, and never
// two of a signal or none.
func TestInfo(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	info := NewInfo(reg, "upid_signal_info")
	read := func() map[string]string { // unit by signal
		t.Helper()
		families, err := reg.Gather()
		if err != nil {
			t.Error(err)
		}
		units := map[string]string{}
		for _, f := range families {
			for _, m := range f.Metric {
				labels := map[string]string{}
				for _, l := range m.Label {
					labels[l.GetName()] = l.GetValue()
				}
				if _, twice := units[labels["signal"]]; twice || m.GetGauge().GetValue() != 1 {
					t.Errorf("%v", m)
				}
				units[labels["signal"]] = labels["unit"]
			}
		}
		return units
	}
	if got := read(); len(got) != 0 {
		t.Errorf("%v before anything is known", got)
	}
	sets := [][][]string{
		{{"a", "resource", "s"}, {"b", "cost", "USD"}},
		{{"a", "resource", "ms"}, {"b", "cost", "EUR"}},
	}
	info.Set(sets[0])
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
				info.Set(sets[i%2])
			}
		}
	})
	for range 200 {
		got := read()
		if len(got) != 2 || (got["a"] == "s") != (got["b"] == "USD") {
			t.Errorf("%v is neither the old set nor the new one", got)
		}
	}
	close(done)
	wg.Wait()
}
