package collector

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

// load returns n results as a node exporter's CPU metrics would give them, with
// 14 samples each: observed, expected 3, score, forecast 4 × 2 horizons, confidence;
// nothing is open.
func load(n int) []series.Result {
	rs := make([]series.Result, n)
	for i := range rs {
		v := 0.1 + float64(i)/7
		ls := labels.FromStrings(
			"cluster", "eu-west-1", "cpu", fmt.Sprint(i%16), "instance", fmt.Sprintf("10.0.%d.%d:9100", i/4096, i/16%256),
			"job", "node-exporter", "mode", "user", "namespace", "monitoring")
		rs[i] = result("cpu", ls, v)
		rs[i].Horizons = []series.Horizon{
			{Horizon: time.Hour, Value: v * 1.01, Lower: v * 0.9, Upper: v * 1.1, Peak: v * 1.2},
			{Horizon: 7 * 24 * time.Hour, Value: v * 1.3, Lower: v * 0.7, Upper: v * 1.9, Peak: v * 2.1},
		}
	}
	return rs
}

// BenchmarkRender renders 300,000 samples, as one task and as twenty. The goal
// is 100 ms and 5 MB.
func BenchmarkRender(b *testing.B) {
	const all = 21_429 // × 14 samples
	for _, tasks := range []int{1, 20} {
		b.Run(fmt.Sprintf("tasks=%d", tasks), func(b *testing.B) {
			c := New(Options{})
			rs := load(all)
			write := func(slot int64) {
				for k := range tasks {
					part := rs[k*all/tasks : (k+1)*all/tasks]
					if err := c.Write(context.Background(), fmt.Sprint(k), slot, part); err != nil {
						b.Fatal(err)
					}
				}
			}
			for i := range 3 { // until buffers are used again
				write(int64(i))
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				rs[i%all].Observed++
				write(int64(i))
			}
			s := c.acquire()
			b.ReportMetric(float64(s.samples), "samples")
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/op")
			c.done(s)
		})
	}
}

// discard is a ResponseWriter to nowhere.
type discard struct {
	header http.Header
	n      int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { d.n += len(b); return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// BenchmarkScrape scrapes 300,000 samples: plain, gzip as every scrape after the
// first sees it, and gzip right after a write.
func BenchmarkScrape(b *testing.B) {
	c := New(Options{})
	rs := load(21_429)
	if err := c.Write(context.Background(), "cpu", 0, rs); err != nil {
		b.Fatal(err)
	}
	for _, kind := range []string{"plain", "gzip-fresh", "gzip"} {
		b.Run(kind, func(b *testing.B) {
			req := httptest.NewRequest(http.MethodGet, "/metrics", nil)
			if kind != "plain" {
				req.Header.Set("Accept-Encoding", "gzip")
			}
			b.ReportAllocs()
			var bytes int
			for b.Loop() {
				if kind == "gzip-fresh" {
					b.StopTimer()
					if err := c.Write(context.Background(), "cpu", 0, rs); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
				w := &discard{header: http.Header{}}
				c.ServeHTTP(w, req)
				bytes = w.n
			}
			b.ReportMetric(float64(bytes), "body-bytes")
		})
	}
}
