package features

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/upid/upid/collector/series"
)

// TestContract counts and names the 18 features that resource_prediction promises.
func TestContract(t *testing.T) {
	want := strings.Fields(`
		cpu_usage_24h_avg cpu_usage_7d_avg cpu_usage_30d_avg
		memory_usage_24h_avg memory_usage_7d_avg memory_usage_30d_avg
		network_io_24h_avg network_io_7d_avg network_io_30d_avg
		request_count_24h request_count_7d request_count_30d
		error_rate_24h error_rate_7d error_rate_30d
		cost_per_hour_24h_avg cost_per_hour_7d_avg cost_per_hour_30d_avg`)
	got := Of(ResourcePrediction).Contract
	if len(got) != 18 || len(want) != 18 {
		t.Fatalf("%d features, want exactly 18", len(got))
	}
	for i, f := range got {
		if f.Name != want[i] {
			t.Errorf("feature %d is %s, want %s", i, f.Name, want[i])
		}
	}
}

// TestTables: every feature says what it is, no name comes twice, every query is
// PromQL, and every base that is named exists.
func TestTables(t *testing.T) {
	p := parser.NewParser(parser.Options{})
	for _, typ := range Types {
		table := Of(typ)
		if table.Type != typ || len(table.Contract) == 0 || len(table.Further) == 0 {
			t.Errorf("%s: %d and %d features of %s", typ, len(table.Contract), len(table.Further), table.Type)
		}
		seen := map[string]bool{}
		for _, f := range table.All() {
			if seen[f.Name] {
				t.Errorf("%s: %s twice", typ, f.Name)
			}
			seen[f.Name] = true
			if f.Unit == "" || f.Formula() == "" || f.Missing() == "" {
				t.Errorf("%s: %s has unit %q, formula %q, missing %q", typ, f.Name, f.Unit, f.Formula(), f.Missing())
			}
			if (f.PromQL() == "") != (f.Reduce == Given) {
				t.Errorf("%s: %s has PromQL %q", typ, f.Name, f.PromQL())
			}
			for _, expr := range []string{f.PromQL(), f.HalfThere()} {
				if expr == "" {
					continue
				}
				if _, err := p.ParseExpr(expr); err != nil {
					t.Errorf("%s: %s: %v\n%s", typ, f.Name, err, expr)
				}
			}
			if got, ok := Lookup(typ, f.Name); !ok || got != f {
				t.Errorf("%s: %s is not found", typ, f.Name)
			}
		}
		for _, name := range table.BaseNames() {
			if Bases[name].PromQL == "" {
				t.Errorf("%s: no base %s", typ, name)
			}
		}
		for _, g := range table.Targets {
			if TargetUnit(typ, g.Name) != g.Unit || g.Unit == "" || g.Formula == "" || g.Until <= g.From || g.Factor == 0 {
				t.Errorf("%s: target %+v", typ, g)
			}
		}
	}
	if _, ok := Lookup("none", "x"); ok || TargetUnit("none", "x") != "" || TargetUnit(SecurityThreat, "x") != "" {
		t.Error("an unknown type has features")
	}
}

const t0 = 1_700_000_000_000 / hour * hour

// hourly is a base whose point i, at t0 + i hours, is value(i), for i from −n to after.
func hourly(n, after int, value func(i int) float64) series.Series {
	y := series.Series{Start: t0 - int64(n-1)*hour, Step: hour}
	for i := 1 - n; i <= after; i++ {
		y.Values = append(y.Values, value(i))
	}
	return y
}

func feature(t *testing.T, typ, name string) Feature {
	t.Helper()
	f, ok := Lookup(typ, name)
	if !ok {
		t.Fatal(name)
	}
	return f
}

func TestCompute(t *testing.T) {
	rising := func(i int) float64 { return float64(i) } // 0 at t0, 1 more each hour
	h := History{
		"cpu":      hourly(40*24, 200, rising),
		"requests": hourly(40*24, 0, func(int) float64 { return 2 }),
		"errors":   hourly(40*24, 0, func(i int) float64 { return 0.02 * float64((i+4000)%2) }),
		"logins":   hourly(2, 0, func(int) float64 { return 0 }),
	}
	for _, c := range []struct {
		typ, name string
		want      float64
	}{
		{ResourcePrediction, "cpu_usage_24h_avg", -11.5},
		{ResourcePrediction, "cpu_usage_7d_avg", -83.5},
		{ResourcePrediction, "cpu_usage_30d_avg", -359.5},
		{ResourcePrediction, "request_count_24h", 2 * 86400},
		{ResourcePrediction, "request_count_30d", 2 * 30 * 86400},
		{ResourcePrediction, "error_rate_7d", 0.005},
		{ResourcePrediction, "cpu_usage_lag_7d", -11.5 - 168},
		{ResourcePrediction, "cpu_usage_7d_max", 0},
		{ResourcePrediction, "cpu_usage_slope_7d", 24},
		{AnomalyDetection, "cpu_usage", 0},
		{AnomalyDetection, "cpu_usage_change", 1},
		{ResourcePrediction, "memory_usage_24h_avg", math.NaN()}, // no base at all
		{AnomalyDetection, "failed_login_rate", math.NaN()},      // nothing to divide by
		{SecurityThreat, "failed_logins_1h", math.NaN()},         // given, not computed
	} {
		got := Compute([]Feature{feature(t, c.typ, c.name)}, h, t0, time.UTC)[0].Value
		if math.IsNaN(got) != math.IsNaN(c.want) || math.Abs(got-c.want) > 1e-6 {
			t.Errorf("%s = %v, want %v", c.name, got, c.want)
		}
	}
	cpu := Of(ResourcePrediction).Targets[0]
	if got := cpu.Compute(h, t0).Value; got != 144+12.5 { // hours 145 to 168 ahead
		t.Errorf("target %v, want 156.5", got)
	}
}

// TestCoverage: fewer days are the mean of what there is, with their share; under
// half is missing and never 0.
func TestCoverage(t *testing.T) {
	f := feature(t, ResourcePrediction, "cpu_usage_30d_avg")
	for _, c := range []struct {
		days     int
		want     float64
		coverage float64
	}{{30, 3, 1}, {20, 3, 2.0 / 3}, {15, 3, 0.5}, {14, math.NaN(), 14.0 / 30}, {0, math.NaN(), 0}} {
		h := History{"cpu": hourly(c.days*24, 0, func(int) float64 { return 3 })}
		got := Compute([]Feature{f}, h, t0, time.UTC)[0]
		if math.IsNaN(got.Value) != math.IsNaN(c.want) || !math.IsNaN(c.want) && got.Value != c.want || math.Abs(got.Coverage-c.coverage) > 0.002 {
			t.Errorf("%d days: %+v, want %v of %v", c.days, got, c.want, c.coverage)
		}
	}
}

// TestCalendar is in local time.
func TestCalendar(t *testing.T) {
	loc, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 28, 20, 0, 0, 0, time.UTC).UnixMilli() // Saturday; Sunday 05:00 in Tokyo
	for _, c := range []struct {
		name       string
		utc, tokyo float64
	}{{"hour_of_day", 20, 5}, {"day_of_week", 6, 0}} {
		f := []Feature{feature(t, ResourcePrediction, c.name)}
		if u, l := Compute(f, nil, at, time.UTC)[0].Value, Compute(f, nil, at, loc)[0].Value; u != c.utc || l != c.tokyo {
			t.Errorf("%s: %v and %v, want %v and %v", c.name, u, l, c.utc, c.tokyo)
		}
	}
}
