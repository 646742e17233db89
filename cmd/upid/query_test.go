package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// asked is what a fake Prometheus was asked for.
type asked struct {
	query            string
	start, end, step float64
	authorization    string
}

// fakePrometheus answers range queries with one series, the wave of a day, and
// remembers what it was asked for.
func fakePrometheus(t *testing.T, got *[]asked) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/query_range" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		number := func(name string) float64 {
			v, err := strconv.ParseFloat(r.FormValue(name), 64)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			return v
		}
		a := asked{query: r.FormValue("query"), start: number("start"), end: number("end"), step: number("step"), authorization: r.Header.Get("Authorization")}
		*got = append(*got, a)
		var points []string
		for at := a.start; at <= a.end; at += a.step {
			points = append(points, fmt.Sprintf(`[%.0f,"%g"]`, at, wave(int(at)/3600)))
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"load","job":"api"},"values":[%s]}]}}`,
			strings.Join(points, ","))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestQuery_forecast(t *testing.T) {
	var got []asked
	url := fakePrometheus(t, &got)
	o := upid(t, "", "forecast --query load --prometheus.url "+url+" --model seasonal_naive --lookback 14d --horizon 6h --end 2023-11-27T00:07:30Z -o csv")
	o.want(t, exitOK)
	rows := strings.Split(strings.TrimSpace(o.stdout), "\n")[1:]
	if len(rows) != 6 {
		t.Fatalf("%d rows, want 6:\n%s", len(rows), o.stdout)
	}
	for h, row := range rows {
		// The newest whole hour is 23:00 to 24:00, so the first forecast is for 00:00.
		want := fmt.Sprintf(`"load{job=""api""}",%d,%g,`, monday+14*86400+3600*h, wave(h))
		if !strings.HasPrefix(row, want) {
			t.Errorf("row %d is %s, want %s…", h, row, want)
		}
	}
	// Hourly means of samples five minutes apart, on a grid aligned to Unix time.
	if got[0].query != "load" || got[0].step != 300 || math.Mod(got[0].start, 300) != 0 {
		t.Errorf("asked for %+v", got[0])
	}
	if end := got[len(got)-1].end; end != monday+14*86400+300 {
		t.Errorf("asked up to %.0f, want 00:05", end)
	}
	if got[0].start != monday+300 {
		t.Errorf("asked from %.0f, want 14 d before", got[0].start)
	}
}

func TestQuery_detect(t *testing.T) {
	var got []asked
	url := fakePrometheus(t, &got)
	o := upidArgs(t, nil, "detect", "--query", "sum(rate(load_total[5m]))", "--prometheus.url", url, "--lookback", "3d", "--end", strconv.Itoa(monday), "-o", "csv")
	o.want(t, exitOK)
	if n := strings.Count(o.stdout, "\n"); n != 1+3*1440+1 {
		t.Errorf("%d lines, want a header and a row for each minute, both ends included", n)
	}
	if got[0].step != 60 {
		t.Errorf("step %g, want 60", got[0].step)
	}
}

func TestQuery_steps(t *testing.T) {
	f := func(step string, want time.Duration) {
		t.Helper()
		var d duration
		if step != "" {
			if err := d.UnmarshalText([]byte(step)); err != nil {
				t.Fatal(err)
			}
		}
		if got := (&gridFlags{Step: d}).queryStep(); got != want {
			t.Errorf("--step %q asks every %s, want %s", step, got, want)
		}
	}
	f("", 5*time.Minute)
	f("1d", 5*time.Minute)
	f("5m", 5*time.Minute)
	f("1m", time.Minute)
	f("7m", 7*time.Minute) // five minutes do not divide it
}

func TestQuery_httpConfig(t *testing.T) {
	var got []asked
	url := fakePrometheus(t, &got)
	path := filepath.Join(t.TempDir(), "http.yaml")
	if err := os.WriteFile(path, []byte("authorization: {credentials: open-sesame}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := upid(t, "", "backtest --query load --prometheus.url "+url+" --prometheus.http-config "+path+" --model seasonal_naive --horizon 1d -o csv")
	o.want(t, exitOK)
	if got[0].authorization != "Bearer open-sesame" {
		t.Errorf("Authorization: %q", got[0].authorization)
	}
	if err := os.WriteFile(path, []byte("autorization: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o = upid(t, "", "forecast --query load --prometheus.url "+url+" --prometheus.http-config "+path)
	o.want(t, exitUsage, "--prometheus.http-config", "autorization")
}

func TestQuery_badUsage(t *testing.T) {
	f := func(query string, args string, stderr ...string) {
		t.Helper()
		o := upidArgs(t, nil, append([]string{"forecast", "--query", query}, strings.Fields(args)...)...)
		o.want(t, exitUsage, stderr...)
	}
	f("rate(x[5m", "", "--query: 1:10: parse error")
	f("http_requests_total", "", "looks like a counter", "rate(http_requests_total[5m])")
	f("up", "--prometheus.url localhost:9090", "--prometheus.url", "http://")
	f("up", "--end yesterday", `--end is "yesterday"`)
}

// What the server can do to us.
func TestQuery_failures(t *testing.T) {
	f := func(code int, answer string, wantCode int, stderr ...string) {
		t.Helper()
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			io.WriteString(w, answer)
		}))
		defer s.Close()
		o := upid(t, "", "forecast --query up --prometheus.url "+s.URL+" -o csv")
		o.want(t, wantCode, stderr...)
		if o.stdout != "" {
			t.Errorf("stdout: %s", o.stdout)
		}
	}
	f(400, `{"status":"error","errorType":"bad_data","error":"unknown function"}`, exitFailure, "unknown function")
	f(200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`, exitFailure, `query "up": no data in the last 28d`)
	f(404, "not here", exitUnreachable, "404")
}

// What the server says beside the data: an incomplete answer is not forecast, a
// remark is passed on.
func TestQuery_warnings(t *testing.T) {
	f := func(field string, wantCode int, stderr ...string) {
		t.Helper()
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var points []string
			for i := range 2 * 288 {
				points = append(points, fmt.Sprintf(`[%d,"%d"]`, monday+300*i, i%7))
			}
			fmt.Fprintf(w, `{"status":"success",%s,"data":{"resultType":"matrix","result":[{"metric":{},"values":[%s]}]}}`, field, strings.Join(points, ","))
		}))
		defer s.Close()
		o := upid(t, "", fmt.Sprintf("forecast --query up --prometheus.url %s --end %d --lookback 2d --horizon 1h --model seasonal_naive", s.URL, monday+2*86400))
		o.want(t, wantCode, stderr...)
	}
	f(`"warnings":["store gateway down"]`, exitFailure, "the answer is incomplete", "store gateway down")
	f(`"infos":["PromQL info: metric might not be a counter"]`, exitOK, "upid: warning: query: PromQL info: metric might not be a counter")
}

func TestQuery_unreachable(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	url := s.URL
	s.Close() // the port is free now
	o := upid(t, "", "forecast --query up --prometheus.url "+url)
	o.want(t, exitUnreachable, `query "up"`, "connection refused", "\nCheck that the server runs, or name another with --prometheus.url\n")
}

// An interrupt ends a command that waits for the server, or for stdin.
func TestInterrupt(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	}))
	defer s.Close()
	defer close(release)
	stdin, w := io.Pipe()
	defer w.CloseWithError(errors.New("test over"))
	for _, args := range []string{"forecast --query up --prometheus.url " + s.URL, "detect --input -"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		time.AfterFunc(50*time.Millisecond, cancel)
		var stdout, stderr strings.Builder
		began := time.Now()
		code := execute(ctx, strings.Fields(args), stdin, &stdout, &stderr)
		if code != exitFailure || stderr.String() != "upid: interrupted\n" || stdout.String() != "" {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", args, code, stdout.String(), stderr.String())
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: took %s", args, took)
		}
	}
}

// TestQuery_young: a Prometheus that has just started has too little history, which is
// not the same as no data.
func TestQuery_young(t *testing.T) {
	began := time.Now().Add(-3 * time.Minute).Unix()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var start, end, step float64
		for name, to := range map[string]*float64{"start": &start, "end": &end, "step": &step} {
			*to, _ = strconv.ParseFloat(r.FormValue(name), 64)
		}
		var points []string
		for at := start; at <= end; at += step {
			if step < 300 && at >= float64(began) { // the 5 minutes began before it did
				points = append(points, fmt.Sprintf(`[%.0f,"1"]`, at))
			}
		}
		result := ""
		if len(points) > 0 && r.FormValue("query") == "up" {
			result = `{"metric":{"job":"a"},"values":[` + strings.Join(points, ",") + `]}`
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[%s]}}`, result)
	}))
	defer s.Close()
	o := upid(t, "", "forecast --query up --prometheus.url "+s.URL)
	o.want(t, exitFailure, `query "up": too little history: the first value is `, "m", "looked at every 5m", "about a day of history, an interval for it five")
	upid(t, "", "forecast --query down --prometheus.url "+s.URL).want(t, exitFailure, `query "down": no data in the last 28d`)
	upid(t, "", "forecast --query down --lookback 1d --end 2023-11-13T00:00:00Z --prometheus.url "+s.URL).want(t, exitFailure, "no data in the 1d before 2023-11-13T00:00:00Z")
}
