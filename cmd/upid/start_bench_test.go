//go:build unix

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// manySeries answers every range query with so many series of noise on a daily
// wave.
func manySeries(b *testing.B, perSignal int) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		start, _ := strconv.ParseFloat(r.FormValue("start"), 64)
		end, _ := strconv.ParseFloat(r.FormValue("end"), 64)
		step, _ := strconv.ParseFloat(r.FormValue("step"), 64)
		w := bufio.NewWriterSize(rw, 1<<18)
		defer w.Flush()
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[`)
		var buf []byte
		for i := range perSignal {
			if i > 0 {
				_ = w.WriteByte(',')
			}
			fmt.Fprintf(w, `{"metric":{"namespace":"shop","workload":"checkout-%d","container":"app","cluster":"one"},"values":[`, i)
			for t := int64(start); t <= int64(end); t += int64(step) {
				x := uint64(t)*2654435761 + uint64(i)*40503
				x ^= x >> 13
				buf = append(buf[:0], '[')
				buf = strconv.AppendInt(buf, t, 10)
				buf = append(buf, `,"`...)
				buf = strconv.AppendFloat(buf, float64(t%86400)/1000+float64(x%1000)/100, 'g', -1, 64)
				buf = append(buf, `"],`...)
				if t+int64(step) > int64(end) {
					buf = buf[:len(buf)-1]
				}
				_, _ = w.Write(buf)
			}
			fmt.Fprint(w, "]}")
		}
		fmt.Fprint(w, "]}}")
	}))
	b.Cleanup(s.Close)
	return s
}

// BenchmarkStart measures how long a sidecar takes from its start until all of
// 10,000 series in 20 signals have scores on /metrics: without state (cold: a day
// of minutes is read, every series is fitted) and with it (warm).
func BenchmarkStart(b *testing.B) {
	const signals, perSignal = 20, 500
	dir, prom := b.TempDir(), manySeries(b, perSignal)
	cfg := filepath.Join(dir, "config.yaml")
	text := "prometheus: {url: " + prom.URL + "}\nsignals:\n"
	for i := range signals {
		text += fmt.Sprintf("  - {name: s%d, query: 'sum by (workload) (x%d)', history: 1d, forecast: {horizons: [1h, 1d], every: 6h}}\n", i, i)
	}
	if err := os.WriteFile(cfg, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	start := func() (took time.Duration, fetched string) {
		l := freeAddr(b)
		ctx, cancel := context.WithCancel(context.Background())
		code := make(chan int, 1)
		var log lockedBuffer
		begin := time.Now()
		go func() {
			code <- execute(ctx, []string{
				"start", "--config", cfg, "--web.listen-address", l, "--storage.path", filepath.Join(dir, "data"), "--shutdown.delay", "0s", "--log.level", "error",
			}, strings.NewReader(""), io.Discard, &log)
		}()
		for took == 0 {
			time.Sleep(20 * time.Millisecond)
			_, page, err := getText("http://" + l + "/metrics")
			switch {
			case time.Since(begin) > 10*time.Minute:
				b.Fatalf("no scores after %v: %v\n%s", time.Since(begin), err, log.String())
			case err == nil && strings.Count(page, "\nupid_anomaly_score{") == signals*perSignal:
				took = time.Since(begin)
				_, fetched, _ = strings.Cut(page, "\nupid_history_samples_fetched_total ")
				fetched, _, _ = strings.Cut(fetched, "\n")
			}
		}
		cancel()
		if c := <-code; c != exitOK {
			b.Fatalf("exit %d\n%s", c, log.String())
		}
		return took, fetched
	}
	for b.Loop() {
		if err := os.RemoveAll(filepath.Join(dir, "data")); err != nil {
			b.Fatal(err)
		}
		cold, all := start()
		warm, missed := start()
		b.ReportMetric(cold.Seconds(), "cold-s")
		b.ReportMetric(warm.Seconds(), "warm-s")
		b.Logf("samples fetched: cold %s, warm %s", all, missed)
	}
}
