package collector

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/upid/upid/collector/series"
)

var nan = math.NaN()

// result returns a whole result about one series without horizons: observed v,
// expected 0.9·v within 0.5·v and 1.5·v, score 0.25, confidence 0.75.
func result(signal string, ls labels.Labels, v float64) series.Result {
	return series.Result{
		Signal: signal, SourceName: "", Labels: ls, Slot: 60_000, Time: 60_000, Observed: v,
		Forecast: &series.Forecast{
			Band:  series.Band{Start: 0, Step: 0, Point: nil, Lower: nil, Upper: nil, Level: 0.9, Coverage: nan},
			Model: "seasonal_naive", Members: nil,
			Accuracy:   series.Accuracy{MASE: 0.5, NaiveMASE: 1, Skill: 0.5, Coverage: 0.875, Origins: 4},
			Confidence: 0.75, Warnings: nil,
		},
		Horizons: nil,
		Score: &series.Score{
			Observed: v, Expected: 0.9 * v, Lower: 0.5 * v, Upper: 1.5 * v, Value: 0.25, Confidence: 0.5, Type: "",
		},
		Findings: nil, Past: nil, BudgetSpent: nan, Warnings: nil,
	}
}

func finding(typ, severity string, confidence float64) series.Finding {
	f := series.Finding{}
	f.Type, f.Severity, f.Confidence, f.Start = typ, severity, confidence, 60_000
	return f
}

func write(t testing.TB, c *Collector, task string, rs ...series.Result) {
	t.Helper()
	if err := c.Write(context.Background(), task, 60_000, rs); err != nil {
		t.Fatalf("write %s: %v", task, err)
	}
}

// get scrapes c and returns the body, unzipped. query may be empty; headers are
// name, value pairs.
func get(t testing.TB, c *Collector, query string, headers ...string) (string, http.Header) {
	t.Helper()
	req := httptest.NewRequest(http.MethodGet, "/metrics"+query, nil)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	c.ServeHTTP(rec, req)
	if rec.Code != http.StatusOK {
		t.Fatalf("status %d: %s", rec.Code, rec.Body)
	}
	if n := rec.Header().Get("Content-Length"); n != strconv.Itoa(rec.Body.Len()) {
		t.Errorf("Content-Length %s, body has %d bytes", n, rec.Body.Len())
	}
	var body io.Reader = rec.Body
	if rec.Header().Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(rec.Body)
		if err != nil {
			t.Fatalf("gzip: %v", err)
		}
		z.Multistream(false) // one member, as every client understands it
		body = z
	}
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatalf("read body: %v", err)
	}
	return string(b), rec.Header()
}

const (
	predictions = "?collect[]=predictions"
	openMetrics = "application/openmetrics-text;version=1.0.0"
	classic     = "text/plain;version=0.0.4"
	allowUTF8   = ";escaping=allow-utf-8"
)

// samples parses body with Prometheus' own parser for contentType and returns
// value by canonical label set. It fails the test if a family is not contiguous
// or a sample occurs twice.
func samples(t testing.TB, body, contentType string) map[string]float64 {
	t.Helper()
	p, err := textparse.New([]byte(body), contentType, labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		t.Fatalf("parser for %q: %v", contentType, err)
	}
	got, typed := map[string]float64{}, map[string]bool{}
	for {
		e, err := p.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatalf("parse as %s: %v\n%s", contentType, err, body)
		}
		switch e { //nolint:exhaustive // the rest of the entries carry no name
		case textparse.EntryType:
			// The Go collector has a gauge go_memstats_alloc_bytes beside the counter of that name,
			// hence the kind.
			name, kind := p.Type()
			family := string(name) + " " + string(kind)
			if typed[family] {
				t.Errorf("family %s in two places", family)
			}
			typed[family] = true
		case textparse.EntrySeries:
			_, ts, v := p.Series()
			if ts != nil {
				t.Errorf("a sample carries a timestamp")
			}
			var ls labels.Labels
			p.Labels(&ls)
			if _, twice := got[ls.String()]; twice {
				t.Errorf("sample twice: %s", ls)
			}
			if dup, is := ls.HasDuplicateLabelNames(); is {
				t.Errorf("label %s twice in %s", dup, ls)
			}
			got[ls.String()] = v
		}
	}
}

// parsed scrapes c in every format with the official parsers and returns the
// samples of the classic one.
func parsed(t testing.TB, c *Collector, query string) map[string]float64 {
	t.Helper()
	var first map[string]float64
	for i, accept := range []string{classic, openMetrics, classic + allowUTF8, openMetrics + allowUTF8} {
		body, h := get(t, c, query, "Accept", accept)
		zipped, _ := get(t, c, query, "Accept", accept, "Accept-Encoding", "gzip")
		if query == predictions && zipped != body {
			t.Errorf("%s: the zipped body differs", accept)
		}
		got := samples(t, body, h.Get("Content-Type"))
		if i == 0 {
			first = got
		}
		if query == predictions && len(got) != len(first) {
			t.Errorf("%s: %d samples, %d in the classic format", accept, len(got), len(first))
		}
		if strings.HasPrefix(accept, classic) {
			scheme := model.LegacyValidation
			if strings.HasSuffix(accept, allowUTF8) {
				scheme = model.UTF8Validation
			}
			tp := expfmt.NewTextParser(scheme)
			if _, err := tp.TextToMetricFamilies(strings.NewReader(body)); err != nil {
				t.Fatalf("expfmt: %v\n%s", err, body)
			}
		}
	}
	return first
}

// check asserts that got holds exactly want.
func check(t testing.TB, got, want map[string]float64) {
	t.Helper()
	for k, v := range want {
		if g, ok := got[k]; !ok || g != v {
			t.Errorf("%s = %v (there: %v), want %v", k, g, ok, v)
		}
	}
	var extra []string
	for k := range got {
		if _, ok := want[k]; !ok {
			extra = append(extra, k)
		}
	}
	sort.Strings(extra)
	for _, k := range extra {
		t.Errorf("unexpected %s = %v", k, got[k])
	}
}

// only returns the samples of the metrics with the given names.
func only(got map[string]float64, names ...string) map[string]float64 {
	out := map[string]float64{}
	for k, v := range got {
		for _, n := range names {
			if strings.Contains(k, `__name__="`+n+`"`) {
				out[k] = v
			}
		}
	}
	return out
}

const day = 24 * time.Hour
