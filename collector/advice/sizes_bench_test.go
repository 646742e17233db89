package advice

import (
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
)

// BenchmarkSizes learns four weeks of 5,000 containers at five minutes in pieces of a day, and says what is to be said
// of them. It reports the most memory that is held, the pieces among it.
func BenchmarkSizes(b *testing.B) {
	const containers, days = 5000, 28
	for b.Loop() {
		u, err := NewSizes(SizesOptions{Name: "sizing", Step: 5 * time.Minute, Policy: "balanced", Prices: Prices{Currency: "USD", CPUHour: 0.03, MemoryGiBHour: 0.004}, Costs: "", Queries: nil})
		if err != nil {
			b.Fatal(err)
		}
		var ls []labels.Labels
		for k := range containers {
			ls = append(ls, labels.FromStrings("namespace", fmt.Sprintf("n%d", k/100), "workload", fmt.Sprintf("w%d", k), "container", "app"))
		}
		most := uint64(0)
		seen := func() {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		l := u.Begin(0)
		for d := range days {
			in := pipeline.Input{Start: midMS + int64(d)*dayMS, End: midMS + int64(d+1)*dayMS - fiveMS, Series: series.Set{}}
			var cpu, memory []series.Series
			for k := range containers {
				c, m := make([]float64, 288), make([]float64, 288)
				for i := range c {
					c[i] = (0.2 + float64(k%7)/10) * (1 + 0.5*math.Sin(float64(i+k)/46) + 0.1*math.Sin(float64(i*k*d)))
					m[i] = (100 + float64(k%900)) * (1 << 20) * (1 + 0.05*math.Sin(float64(i+d*k)))
				}
				cpu = append(cpu, series.Series{Labels: ls[k], Start: in.Start, Step: fiveMS, Values: c})
				memory = append(memory, series.Series{Labels: ls[k], Start: in.Start, Step: fiveMS, Values: m})
			}
			in.Series[inputCPU], in.Series[inputMemory] = series.Data{Series: cpu}, series.Data{Series: memory}
			if d == days-1 {
				for _, x := range ls {
					set := flat(x)
					for name, v := range map[string]float64{"sizing_cpu_request": 2, "sizing_memory_request": 4 << 30, "sizing_memory_limit": 4 << 30} {
						in.Series[name] = series.Data{Series: append(in.Series[name].Series, fact(in.End, v, set...))}
					}
					for pod := range 3 {
						in.Series[factPods] = series.Data{Series: append(in.Series[factPods].Series, fact(in.End, 1, append(set, "pod", fmt.Sprintf("%s-%d", x.Get("workload"), pod))...))}
					}
					in.Series["sizing_target"] = series.Data{Series: append(in.Series["sizing_target"].Series, fact(in.End, 3, append(set, "owner_kind", "Deployment")...))}
				}
			}
			if err := l.Learn(b.Context(), in); err != nil {
				b.Fatal(err)
			}
			if d%9 == 0 || d == days-1 {
				seen()
			}
		}
		l.Commit()
		start := time.Now()
		if _, _, err := u.advise(u.fleet, u.facts); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms/advice")
		b.ReportMetric(float64(most)/(1<<20), "MiB")
	}
}
