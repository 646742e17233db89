package source

import (
	"strings"
	"testing"
)

func TestCheckExpr_ok(t *testing.T) {
	f := func(expr string) {
		t.Helper()
		if err := CheckExpr(expr); err != nil {
			t.Errorf("CheckExpr(%q) = %v, want nil", expr, err)
		}
	}
	f(`up`)
	f(`42`)
	f(`scalar(up)`)
	f(`sum by (job) (rate(http_requests_total{job="a"}[5m]))`)
	f(`irate(x_count[5m])`)
	f(`max_over_time(rate(x_total[5m])[1h:1m])`)
	f(`histogram_quantile(0.99, sum by (le) (rate(x_bucket[5m])))`)
	f(`rate(x_sum[5m]) / rate(x_count[5m])`)
	f(`increase(x_total[1h]) > 3`)
	f(`count(x_total)`)
	f(`group by (job) (x_total)`)
	f(`absent(x_total)`)
	f(`time() - timestamp(x_total)`)
	f(`last_over_time(files_count[5m])`)
	f(`sum(last_over_time(files_total{a="b"}[10m]))`)
	f(`job:http_requests_total`) // a recording rule
	f(`x_total - x_total offset 5m`)
	f(`sum(x_total) - (sum(x_total offset 1h))`)
	f(`x_total{a="b"} offset 5m - x_total{a="b"} offset 1h`)
	f(`up and x_total`)
	f(`up unless on (job) x_total`)
	f(`x_total > bool 0`)
	f(`node_memory_MemTotal_bytes`) // _total only as a suffix
	f(`{__name__=~"node_.*"}`)
	f(`{"my.gauge"}`)
	f(`mad_over_time(up[5m])`) // experimental: the server decides
}

func TestCheckExpr_refused(t *testing.T) {
	f := func(expr string, want ...string) {
		t.Helper()
		err := CheckExpr(expr)
		if err == nil {
			t.Errorf("CheckExpr(%q) = nil, want an error", expr)
			return
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("CheckExpr(%q) = %q, want it to contain %q", expr, err, w)
			}
		}
	}
	// Syntax, with its place.
	f(`sum(up`, "1:7: parse error: unclosed left parenthesis")
	f("sum(\n  foo bar)", "2:7: parse error")
	f(``, "no expression found")
	f(`rate(up)`, "parse error", "expected type range vector")
	// Types.
	f(`up[5m]`, "1:1: a range vector has no single value at a time", "avg_over_time(up[5m])")
	f(`"hello"`, "1:1: a string cannot be forecast")
	// Raw counters.
	f(`http_requests_total`,
		"1:1: http_requests_total looks like a counter: write rate(http_requests_total[5m]); if it is a gauge, say so with last_over_time(http_requests_total[5m])")
	f(`sum(http_requests_total{job="a"} offset 5m)`, "1:5: http_requests_total looks", `rate(http_requests_total{job="a"}[5m])`)
	f(`max_over_time(x_total[1h])`, "1:15: x_total looks like a counter")
	f(`predict_linear(x_total[1h], 60)`, "x_total looks like a counter")
	f(`histogram_quantile(0.9, x_bucket)`, "histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))")
	f(`x_sum / x_count`, "1:1: x_sum looks", "1:9: x_count looks") // both at once
	f(`x_total - y_total offset 5m`, "x_total looks", "y_total looks")
	f(`x_total - x_total`, "x_total looks")
	f(`x_total > 0`, "x_total looks")
	f(`x_total and up`, "x_total looks")
	f(`topk(5, x_total)`, "x_total looks")
	f(`{__name__="x_total"}`, "x_total looks")
	f(`{__name__=~"(http|grpc)_requests_total"}`, "_requests_total looks")
	f(`{"my.requests_total"}`, `my.requests_total looks`)
	f(`label_replace(x_total, "a", "b", "c", "d")`, "x_total looks")
}
