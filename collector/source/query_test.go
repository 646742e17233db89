package source

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/upid/upid/collector/series"
)

// wantSeries checks one series: its labels, the grid point it starts at
// (counted from t0, in minutes) and its values.
func wantSeries(t *testing.T, s series.Series, ls string, start int, values ...float64) {
	t.Helper()
	if s.Labels.String() != ls || s.Start != t0+int64(start)*minute || s.Step != minute {
		t.Errorf("series %s from %d step %d, want %s from %d", s.Labels, (s.Start-t0)/minute, s.Step, ls, start)
	}
	wantFloats(t, "values of "+ls, s.Values, values)
}

func TestQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := fake(t, Options{Name: "main"}, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost || r.URL.Path != "/prefix/api/v1/query_range" || r.Header.Get("Accept-Encoding") != "gzip" {
				t.Errorf("%s %s, Accept-Encoding %q", r.Method, r.URL.Path, r.Header.Get("Accept-Encoding"))
			}
			if user, pass, _ := r.BasicAuth(); user != "user" || pass != "canary" {
				t.Errorf("basic auth %q %q", user, pass)
			}
			io.WriteString(w, `{"status":"success","data":{"resultType":"matrix","result":[`+
				`{"metric":{"a":"whole"},"values":[[1767225600,"1"],[1767225660,"2"],[1767225720,"3"],[1767225780,"4"]]},`+
				`{"metric":{"a":"part"},"values":[[1767225660,"2"],[1767225720,"NaN"]]},`+
				`{"metric":{"a":"gaps"},"values":[[1767225600,"NaN"],[1767225660,"+Inf"],[1767225780,"5"]]},`+
				`{"metric":{"a":"odd"},"values":[[1767225780,"4"],[1767225600,"1"],[1767225600,"9"],[1767225780,"6"]]},`+
				`{"metric":{"a":"nothing"},"values":[[1767225600,"NaN"],[1767225660,"-Inf"]]},`+
				`{"metric":{"a":"whole"},"values":[[1767225600,"7"]]},`+
				`{"metric":{"a":"`+"\xff"+`"},"values":[[1767225600,"7"]]},`+
				`{"metric":{"a":"empty"},"values":[]},`+
				`{"metric":{"a":"mixed"},"values":[[1767225600,"8"]],"histograms":[[1767225660,{}]]}`+
				`]}}`) //nolint:errcheck // seen by the client
		})
		// The end is rounded down to the grid.
		d, err := u.Query(t.Context(), `up{a="b c"}`, t0, t0+3*minute+59_999, minute)
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Series) != 6 {
			t.Fatalf("%d series: %+v", len(d.Series), d.Series)
		}
		wantSeries(t, d.Series[0], `{a="whole"}`, 0, 1, 2, 3, 4)
		wantSeries(t, d.Series[1], `{a="part"}`, 1, 2, nan, nan)
		wantSeries(t, d.Series[2], `{a="gaps"}`, 3, 5)
		wantSeries(t, d.Series[3], `{a="odd"}`, 0, 9, nan, nan, 6)
		wantSeries(t, d.Series[4], `{a="nothing"}`, 3, nan)
		wantSeries(t, d.Series[5], `{a="mixed"}`, 0, 8, nan, nan, nan)
		if got := fmt.Sprint(d.Ignored); got != "map[duplicate:2 histogram:1 inf:2 nan:3 out_of_order:1]" {
			t.Errorf("ignored %s", got)
		}
		if got := fmt.Sprint(d.Dropped); got != "map[duplicate:1 utf8:1]" {
			t.Errorf("dropped %s", got)
		}
		if d.Partial || len(d.Infos) != 0 || len(d.Warnings) != 1 {
			t.Errorf("partial %v, infos %q, warnings %q", d.Partial, d.Infos, d.Warnings)
		}
		want := map[string]string{"query": `up{a="b c"}`, "start": "1767225600", "end": "1767225780", "step": "60", "timeout": "108.000"}
		if got := u.requests()[0]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("asked %v, want %v", got, want)
		}
		if up, n := u.metric(t, "upid_upstream_up", "upstream=main"), u.metric(t, "upid_upstream_samples_fetched_total"); up != 1 || n != 18 {
			t.Errorf("up %v, samples %v, want 1 and 18", up, n)
		}
	})
}

func TestQuery_badRange(t *testing.T) {
	p, err := New(Options{URL: "http://prom.example", MaxSamples: 100})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Query(t.Context(), "up", t0, t0-1, minute); err == nil {
		t.Error("end before start: no error")
	}
	if _, err := p.Query(t.Context(), "up", t0, t0, 0); err == nil {
		t.Error("no step: no error")
	}
	_, err = p.Query(t.Context(), "up", t0, t0+100*minute, minute)
	failure(t, err, ReasonTooLarge)
	contains(t, err, "more than 100 grid points")
}

func TestInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		u := fake(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
			if n++; n == 1 {
				w.WriteHeader(500)
				return
			}
			if r.URL.Path != "/prefix/api/v1/query" || r.Form.Get("time") != "1767225600.5" {
				t.Errorf("asked %s %v", r.URL.Path, r.Form)
			}
			io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1767225600.5,"3"]}]}}`) //nolint:errcheck // seen by the client
		})
		d, err := u.Instant(t.Context(), "up", t0+500)
		if err != nil || len(d.Series) != 1 {
			t.Fatalf("%+v, %v", d, err)
		}
		if s := d.Series[0]; s.Start != t0+500 || s.Step != 1 || len(s.Values) != 1 || s.Values[0] != 3 || s.Labels.Get("a") != "b" {
			t.Errorf("series %+v", s)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		u := fake(t, Options{}, status(400, "application/json", `{"status":"error","errorType":"bad_data","error":"x"}`))
		_, err := u.Instant(t.Context(), "up", t0)
		failure(t, err, ReasonBadQuery)
		contains(t, err, `query "up": query http://prom.example/prefix: bad_data: x`)
	})
	synctest.Test(t, func(t *testing.T) {
		u := fake(t, Options{}, status(200, "application/json", `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1767225600,{}]}]}}`))
		_, err := u.Instant(t.Context(), "up", t0)
		failure(t, err, ReasonBadQuery)
	})
}

func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := false
		u := fake(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
			if down {
				w.WriteHeader(503)
				return
			}
			io.WriteString(w, `{"status":"success","data":{"resultType":"scalar","result":[0,"1"]}}`) //nolint:errcheck // seen by the client
		})
		if err := u.Ping(t.Context()); err != nil || u.metric(t, "upid_upstream_up") != 1 {
			t.Errorf("ping: %v", err)
		}
		down = true
		failure(t, u.Ping(t.Context()), ReasonHTTP5xx)
		if n := len(u.requests()); n != 2 || u.metric(t, "upid_upstream_up") != 0 {
			t.Errorf("%d requests, want 2: a ping tries once", n)
		}
		if u.URL() != "http://prom.example/prefix" {
			t.Errorf("URL() = %s", u.URL())
		}
	})
}

// TestFault_A18_chunks: whatever the range, the chunks say what one query would.
// Series come and go, have gaps, and (A26) every chunk has them in another order
// and not all of them.
func TestFault_A18_A26_chunks(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for round := range 60 {
		var all []fakeSeries
		for i := range 1 + rng.IntN(6) {
			from, to, mod := rng.Int64N(200), rng.Int64N(400), 2+rng.Int64N(5)
			all = append(all, fakeSeries{fmt.Sprintf(`{"i":"%d","b":"c"}`, i), func(ms int64) (float64, bool) {
				k := (ms - t0) / minute
				return float64(ms%1_000_003) + float64(i), k >= from && k <= to && k%mod != 0
			}})
		}
		points := 1 + rng.Int64N(300)
		run := func(t *testing.T, size int) (series.Data, int) {
			var d series.Data
			var n int
			synctest.Test(t, func(t *testing.T) {
				shuffle := rand.New(rand.NewPCG(uint64(round), uint64(size)))
				u := fake(t, Options{MaxPointsPerChunk: size}, func(w http.ResponseWriter, r *http.Request) {
					order := append([]fakeSeries(nil), all...)
					shuffle.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
					writeRange(w, r, "", order...)
				})
				var err error
				if d, err = u.Query(t.Context(), "x", t0, t0+(points-1)*minute, minute); err != nil {
					t.Fatal(err)
				}
				next := int64(t0)
				for _, a := range u.requests() {
					start, end := ms(t, a["start"]), ms(t, a["end"])
					if start != next || (end-start)/minute+1 > int64(size) {
						t.Errorf("chunk %d to %d, want it to start at %d and have at most %d points", start, end, next, size)
					}
					next = end + minute
				}
				if next != t0+points*minute {
					t.Errorf("the chunks end at %d, want %d", next, t0+points*minute)
				}
				n = len(u.requests())
			})
			return d, n
		}
		whole, one := run(t, 10_000)
		size := 1 + rng.IntN(40)
		cut, n := run(t, size)
		if one != 1 || n != (int(points)+size-1)/size {
			t.Fatalf("%d and %d requests for %d points in chunks of %d", one, n, points, size)
		}
		want := map[string]series.Series{}
		for _, s := range whole.Series {
			want[s.Labels.String()] = s
		}
		if len(cut.Series) != len(want) {
			t.Fatalf("%d series in chunks, %d in one", len(cut.Series), len(want))
		}
		for _, s := range cut.Series {
			w := want[s.Labels.String()]
			if s.Start != w.Start || !sameFloats(s.Values, w.Values) {
				t.Fatalf("round %d, size %d, %s: in chunks from %d %v\nin one from %d %v", round, size, s.Labels, s.Start, s.Values, w.Start, w.Values)
			}
			if s.End() != t0+points*minute || math.IsNaN(s.Values[0]) {
				t.Fatalf("%s from %d to %d", s.Labels, s.Start, s.End())
			}
		}
	}
}

func ms(t *testing.T, s string) int64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return int64(math.Round(v * 1000))
}

func TestFault_A18_limit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := fake(t, Options{}, func(w http.ResponseWriter, r *http.Request) { writeRange(w, r, "", always(`{}`, 1)) })
		if _, err := u.Query(t.Context(), "x", t0, t0+24_999*minute, minute); err != nil {
			t.Fatal(err)
		}
		if asks := u.requests(); len(asks) != 3 || asks[1]["start"] != seconds(t0+10_000*minute) {
			t.Errorf("asked %v, want three chunks of at most 10,000 points", asks)
		}
	})
}

// TestFault_A19: one chunk that fails for good fails the query; one that fails
// once is asked for again, the others are not.
func TestFault_A19_oneChunkFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := 1
		u := fake(t, Options{MaxPointsPerChunk: 10}, func(w http.ResponseWriter, r *http.Request) {
			if r.Form.Get("start") == seconds(t0+10*minute) && fails > 0 {
				fails--
				w.WriteHeader(500)
				return
			}
			writeRange(w, r, "", always(`{}`, 1))
		})
		d, err := u.Query(t.Context(), "x", t0, t0+29*minute, minute)
		if err != nil || len(d.Series) != 1 || len(u.requests()) != 4 {
			t.Errorf("%d series, %d requests, %v", len(d.Series), len(u.requests()), err)
		}
		fails = 1000
		d, err = u.Query(t.Context(), "x", t0, t0+29*minute, minute)
		failure(t, err, ReasonHTTP5xx)
		if len(d.Series) != 0 || len(u.requests()) != 4+1+4 {
			t.Errorf("%d series, %d requests", len(d.Series), len(u.requests()))
		}
	})
}

// TestFault_partial covers A20, A21, A22 and A23: what stands beside the data.
func TestFault_partial(t *testing.T) {
	f := func(row, extra string, partial bool, warnings, infos string) {
		t.Helper()
		t.Run(row, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := fake(t, Options{MaxPointsPerChunk: 2}, func(w http.ResponseWriter, r *http.Request) { writeRange(w, r, extra, always(`{}`, 1)) })
				d, err := u.Query(t.Context(), "x", t0, t0+3*minute, minute)
				if err != nil {
					t.Fatal(err)
				}
				if d.Partial != partial || strings.Join(d.Warnings, "|") != warnings || strings.Join(d.Infos, "|") != infos {
					t.Errorf("partial %v, warnings %q, infos %q", d.Partial, d.Warnings, d.Infos)
				}
				if got := u.metric(t, "upid_upstream_partial_responses_total") > 0; got != partial {
					t.Errorf("partial answers counted: %v", got)
				}
			})
		})
	}
	f("A20", `"warnings":["results truncated due to limit","PromQL info: metric might not be a counter"],`, true,
		"results truncated due to limit", "PromQL info: metric might not be a counter")
	f("A21", `"infos":["PromQL info: a"],"warnings":["PromQL warning: b"],`, false, "", "PromQL warning: b|PromQL info: a")
	f("A22", `"isPartial":true,`, true, "the answer is partial", "")
	f("A22 whole", `"isPartial":false,`, false, "", "")
	t.Run("A23", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u := fake(t, Options{}, func(w http.ResponseWriter, r *http.Request) { writeRange(w, r, "") })
			d, err := u.Query(t.Context(), "x", t0, t0, minute)
			if err != nil || len(d.Series) != 0 || d.Partial || d.Dropped != nil || d.Ignored != nil {
				t.Errorf("%+v, %v", d, err)
			}
		})
	})
}

// TestFault_A25_manySeries: of more series than allowed the same ones stay,
// in whatever order and in however many chunks they come.
func TestFault_A25_manySeries(t *testing.T) {
	const n, limit = 10_000, 100
	run := func(seed uint64, size int) (kept map[string]bool) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			u := fake(t, Options{MaxSeries: limit, MaxPointsPerChunk: size}, func(w http.ResponseWriter, r *http.Request) {
				var all []fakeSeries
				for _, i := range rng.Perm(n) {
					all = append(all, always(fmt.Sprintf(`{"pod":"web-%d"}`, i), float64(i)))
				}
				writeRange(w, r, "", all...)
			})
			d, err := u.Query(t.Context(), "x", t0, t0+3*minute, minute)
			if err != nil || len(d.Series) != limit || d.Dropped[dropLimit] != n-limit {
				t.Fatalf("%d series, dropped %v, %v", len(d.Series), d.Dropped, err)
			}
			if d.Partial || len(d.Warnings) != 1 {
				t.Errorf("partial %v, warnings %q", d.Partial, d.Warnings)
			}
			kept = map[string]bool{}
			for _, s := range d.Series {
				pod := s.Labels.Get("pod")
				kept[pod] = true
				want, _ := strconv.ParseFloat(strings.TrimPrefix(pod, "web-"), 64)
				wantFloats(t, pod, s.Values, []float64{want, want, want, want})
			}
		})
		return kept
	}
	want := run(1, 100)
	for seed, size := range map[uint64]int{2: 100, 3: 3, 4: 1} {
		if got := run(seed, size); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("other series are kept with seed %d in chunks of %d", seed, size)
		}
	}
}
