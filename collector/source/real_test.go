//go:build unix

package source

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/collector/testserver"
)

// TestReal asks a real Prometheus about back-filled data.
func TestReal(t *testing.T) {
	// 14 days of one sample a minute ending some hours ago, so 20,160 points:
	// more than one request may have.
	const points = 14 * 24 * 60
	start := time.Now().Add(-15*24*time.Hour).Truncate(time.Minute).Unix() * 1000
	value := func(i int) float64 { return 10 + float64(i%1440)/7 }
	var om strings.Builder
	om.WriteString("# TYPE load gauge\n")
	for i := range points {
		if i%1000 == 500 { // a gap longer than the lookback is cut out below
			continue
		}
		fmt.Fprintf(&om, "load{host=\"a\",name=\"gr\\\"ün\"} %v %d\n", value(i), start/1000+int64(i)*60)
	}
	om.WriteString("# TYPE requests counter\n")
	for i := range points {
		fmt.Fprintf(&om, "requests_total{code=\"200\"} %d %d\n", i*30, start/1000+int64(i)*60)
	}
	om.WriteString("# EOF\n")
	srv := testserver.Prometheus(t, testserver.Options{
		OpenMetrics: strings.NewReader(om.String()),
		ExtraFlags:  []string{"--query.max-samples=30000"},
	})
	p, err := New(Options{URL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	end := start + (points-1)*minute

	t.Run("ping", func(t *testing.T) {
		if err := p.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("A18 chunks are stitched", func(t *testing.T) {
		// last_over_time[1m] is exactly the newest sample of each grid point.
		d, err := p.Query(t.Context(), `last_over_time(load[1m])`, start, end, minute)
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Series) != 1 || d.Partial {
			t.Fatalf("%+v", d)
		}
		s := d.Series[0]
		if s.Labels.Get("name") != `gr"ün` || s.Start != start || len(s.Values) != points {
			t.Fatalf("labels %s, start %d, %d points, want %d from %d", s.Labels, s.Start, len(s.Values), points, start)
		}
		for i, v := range s.Values {
			want := value(i)
			if i%1000 == 500 {
				// 2.42 takes a range as closed on both sides, later ones as half
				// open: the sample before counts, or none.
				if !math.IsNaN(v) && v != value(i-1) {
					t.Fatalf("point %d is %v, want a gap or the point before", i, v)
				}
				continue
			}
			if v != want {
				t.Fatalf("point %d is %v, want %v", i, v, want)
			}
		}
	})
	t.Run("rate", func(t *testing.T) {
		d, err := p.Query(t.Context(), `rate(requests_total[5m])`, start+10*minute, start+20*minute, minute)
		if err != nil || len(d.Series) != 1 || len(d.Series[0].Values) != 11 {
			t.Fatalf("%+v, %v", d, err)
		}
		for _, v := range d.Series[0].Values { // 30 a minute
			if math.Abs(v-0.5) > 1e-9 {
				t.Errorf("rate %v, want 0.5", v)
			}
		}
	})
	t.Run("A11 bad query", func(t *testing.T) {
		_, err := p.Query(t.Context(), `sum(`, start, end, minute)
		failure(t, err, ReasonBadQuery)
		contains(t, err, "bad_data", "parse error")
	})
	t.Run("A14 too many samples: smaller chunks", func(t *testing.T) {
		// Five offsets of one series need more than 30,000 samples in 10,000 steps.
		var terms []string
		for i := range 5 {
			terms = append(terms, fmt.Sprintf(`label_replace(load offset %dm, "i", "%d", "", "")`, i+1, i))
		}
		d, err := p.Query(t.Context(), strings.Join(terms, " or "), start+10*minute, end, minute)
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Series) != 5 {
			t.Fatalf("%d series, want 5", len(d.Series))
		}
		for _, s := range d.Series {
			for i, v := range s.Values {
				if math.IsNaN(v) {
					t.Fatalf("%s: point %d is missing", s.Labels, i)
				}
			}
		}
	})
	t.Run("A14 many-to-many", func(t *testing.T) {
		_, err := p.Query(t.Context(), `load * on () (load or load offset 1m or label_replace(load, "x", "y", "", ""))`, start+minute, start+minute, minute)
		failure(t, err, ReasonBadQuery)
		contains(t, err, "execution: ")
	})
	t.Run("A23 empty", func(t *testing.T) {
		d, err := p.Query(t.Context(), `no_such_metric`, start, end, minute)
		if err != nil || len(d.Series) != 0 || d.Partial {
			t.Errorf("%+v, %v", d, err)
		}
	})
	t.Run("B1 not finite", func(t *testing.T) {
		d, err := p.Query(t.Context(), `load / 0 or label_replace(load * NaN, "a", "b", "", "")`, start+minute, start+2*minute, minute)
		if err != nil || len(d.Series) != 2 || d.Ignored["inf"] != 2 || d.Ignored["nan"] != 2 {
			t.Fatalf("%+v, %v", d, err)
		}
		for _, s := range d.Series {
			wantFloats(t, s.Labels.String(), s.Values, []float64{nan})
		}
	})
	t.Run("scalar", func(t *testing.T) {
		d, err := p.Query(t.Context(), `scalar(load) * 0 + 3`, start, start+minute, minute)
		if err != nil || len(d.Series) != 1 || !d.Series[0].Labels.IsEmpty() {
			t.Fatalf("%+v, %v", d, err)
		}
		wantFloats(t, "scalar", d.Series[0].Values, []float64{3, 3})
	})
	t.Run("instant", func(t *testing.T) {
		d, err := p.Instant(t.Context(), `load`, start+7*minute)
		if err != nil || len(d.Series) != 1 {
			t.Fatalf("%+v, %v", d, err)
		}
		wantFloats(t, "load", d.Series[0].Values, []float64{value(7)})
		if d, err = p.Instant(t.Context(), `42`, start); err != nil || len(d.Series) != 1 || d.Series[0].Values[0] != 42 {
			t.Errorf("42: %+v, %v", d, err)
		}
	})
	t.Run("A1 gone and back", func(t *testing.T) {
		srv.Stop()
		q, err := New(Options{URL: srv.URL, Attempts: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		_, err = q.Query(t.Context(), "load", start, start, minute)
		failure(t, err, ReasonConnect)
		srv.Start()
		// The source that had connections open finds its way too.
		if _, err := p.Query(t.Context(), "load", start, start, minute); err != nil {
			t.Error(err)
		}
	})
}
