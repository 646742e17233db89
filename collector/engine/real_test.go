//go:build unix

package engine_test

import (
	"bytes"
	"fmt"
	"math"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"

	"github.com/upid/upid/collector/demo"
	"github.com/upid/upid/collector/engine"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/source"
	"github.com/upid/upid/collector/testserver"
)

// both stores samples in an engine and as OpenMetrics. Ends of series are left
// out: the text has no form for them.
type both struct {
	batch *engine.Batch
	text  *bytes.Buffer
}

func (b both) Append(ref uint64, ls labels.Labels, t int64, v float64) (uint64, error) {
	if value.IsStaleNaN(v) {
		return ref, nil
	}
	pairs := strings.ReplaceAll(ls.DropReserved(func(n string) bool { return n == model.MetricNameLabel }).String(), `", `, `",`)
	fmt.Fprintf(b.text, "%s%s %v %d.%03d\n", ls.Get(model.MetricNameLabel), pairs, v, t/1000, t%1000)
	return b.batch.Append(ref, ls, t, v)
}

// TestAgainstPrometheus asks the engine and a real, older Prometheus with the
// same samples the same questions.
func TestAgainstPrometheus(t *testing.T) {
	const minutes = 12 * 60
	// Seven seconds past the minute: 2.42 takes a range as closed on both sides,
	// later ones as half open, so no sample may lie on an edge.
	end := time.Now().Add(-12*time.Hour).Truncate(time.Hour).UnixMilli() + 7000
	e, err := engine.Open(engine.Options{Dir: filepath.Join(t.TempDir(), "tsdb")})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	text := &bytes.Buffer{}
	to := both{e.Batch(t.Context()), text}
	outage := demo.Incidents[slices.IndexFunc(demo.Incidents, func(in demo.Incident) bool { return in.Name == "outage" })]
	outage.Start = -2 * time.Hour // pods that go and come
	c := demo.New(demo.Options{Seed: 7, Now: end, Incidents: []demo.Incident{outage}})
	for i := range int64(minutes) {
		if err := c.Scrape(end-(minutes-1-i)*60_000, to); err != nil {
			t.Fatal(err)
		}
	}
	if err := to.batch.Commit(); err != nil {
		t.Fatal(err)
	}
	text.WriteString("# EOF\n")
	real := testserver.Prometheus(t, testserver.Options{OpenMetrics: text})
	ours := httptest.NewServer(e.Handler())
	defer ours.Close()

	ask := func(url, query string, step int64) series.Data {
		p, err := source.New(source.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		to := end / step * step
		d, err := p.Query(t.Context(), query, to-6*3600_000, to, step)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(d.Series, func(a, b series.Series) int { return labels.Compare(a.Labels, b.Labels) })
		return d
	}
	for _, query := range []string{
		// Pods that were there before: how far the rate of a counter that just began
		// is extrapolated has changed between the two versions.
		`sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{container!="",namespace=~"monitoring|kube-system"}[5m]))`,
		`container_memory_working_set_bytes{namespace="shop"}`,
		`sum by (namespace, workload) (label_replace(container_memory_working_set_bytes, "workload", "$1", "pod", "(.+?)-[a-z0-9]+(-[a-z0-9]{5})?"))`,
		`container_cpu_allocation * on (node) group_left () node_cpu_hourly_cost`,
		`1 - avg without (cpu, mode) (rate(node_cpu_seconds_total{mode="idle"}[5m]))`,
		`up and on (job, instance) last_over_time(node_uname_info[1h:10m])`,
		`sum by (service) (rate(http_requests_total{code=~"5.."}[5m])) / sum by (service) (rate(http_requests_total[5m]))`,
		`topk(2, avg_over_time(node_load5[10m]))`,
		`histogram_quantile(0.9, http_requests_total) or vector(time())`,
		`absent(no_such_metric)`,
	} {
		for _, step := range []int64{60_000, 300_000} {
			got, want := ask(ours.URL, query, step), ask(real.URL, query, step)
			if len(got.Series) != len(want.Series) || len(want.Series) == 0 {
				t.Errorf("%s: %d series, Prometheus has %d", query, len(got.Series), len(want.Series))
				continue
			}
			for i, w := range want.Series {
				g := got.Series[i]
				if !labels.Equal(g.Labels, w.Labels) || g.Start != w.Start || len(g.Values) != len(w.Values) {
					t.Errorf("%s: %s from %d with %d points, Prometheus has %s from %d with %d", query, g.Labels, g.Start, len(g.Values), w.Labels, w.Start, len(w.Values))
					break
				}
				for k, v := range w.Values {
					if d := math.Abs(g.Values[k] - v); d > 1e-9*math.Abs(v) || math.IsNaN(v) != math.IsNaN(g.Values[k]) {
						t.Errorf("%s: %s: point %d is %v, Prometheus has %v", query, g.Labels, k, g.Values[k], v)
						break
					}
				}
			}
		}
	}
}
