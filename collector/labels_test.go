package collector

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

func TestHorizonLabel(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"7d": 7 * day, "14d": 14 * day, "1d": day, "36h": 36 * time.Hour, "1h": time.Hour, "10m": 10 * time.Minute,
		"90m": 90 * time.Minute, "90s": 90 * time.Second, "1.5s": 1500 * time.Millisecond, "25h": 25 * time.Hour,
	} {
		if got := HorizonLabel(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

func TestLabels(t *testing.T) {
	f := func(in labels.Labels, legacy, utf8 string) {
		t.Helper()
		got, reason := formOf("s", "", in)
		if reason != "" || got.legacy != `{signal="s"`+legacy || got.utf8 != `{signal="s"`+utf8 {
			t.Errorf("%s:\n legacy %s\n utf8   %s\n reason %q", in, got.legacy, got.utf8, reason)
		}
	}
	// Sorted, escaped; empty values and the name are absent.
	f(labels.FromStrings("b", "2", "a", "1"), `,a="1",b="2"`, `,a="1",b="2"`)
	f(labels.FromStrings("a", "x\"\\\n\r\x00é"), `,a="x\"\\\n`+"\r\x00é\"", `,a="x\"\\\n`+"\r\x00é\"")
	f(labels.FromStrings("__name__", "up", "a", ""), ``, ``)
	// Clashes are renamed, and again where that clashes.
	f(labels.FromStrings("type", "x"), `,source_type="x"`, `,source_type="x"`)
	f(labels.FromStrings("signal", "x", "source_signal", "y"), `,source_signal="y",source_source_signal="x"`, `,source_signal="y",source_source_signal="x"`)
	f(labels.FromStrings("source_name", "x"), `,source_source_name="x"`, `,source_source_name="x"`)
	f(labels.FromStrings("le", "1", "quantile", "2"), `,le="1",quantile="2"`, `,le="1",quantile="2"`)
	// UTF-8 names are quoted, or escaped for those who do not know them. A colon may not stand in a label's name.
	f(labels.FromStrings("k8s.pod", "x"), `,k8s_pod="x"`, `,"k8s.pod"="x"`)
	f(labels.FromStrings("a:b", "x"), `,a_b="x"`, `,"a:b"="x"`)
	f(labels.FromStrings("1a", "x"), `,_a="x"`, `,"1a"="x"`)
	f(labels.FromStrings("ü\"\\", "x"), `,___="x"`, `,"ü\"\\"="x"`)
	// Escaped names clash with their neighbours and with ours.
	f(labels.FromStrings("a.b", "1", "a_b", "2", "a-b", "3"),
		`,a_b="2",source_a_b="3",source_source_a_b="1"`, `,a_b="2","a-b"="3","a.b"="1"`)
	f(labels.FromStrings("source.name", "x"), `,source_source_name="x"`, `,"source.name"="x"`)
	f(labels.FromStrings("..name..", "x"), `,source___name__="x"`, `,"..name.."="x"`)
}

func TestSourceName(t *testing.T) {
	c := New(Options{})
	ls := labels.FromStrings("i", "a")
	named := func(name string, ls labels.Labels, v float64) series.Result {
		r := result("s", ls, v)
		r.SourceName = name
		return r
	}
	observed := func() map[string]float64 { return only(parsed(t, c, predictions), "upid_observed_value") }

	write(t, c, "s", named("up", ls, 1), named("down", labels.FromStrings("i", "b"), 2))
	check(t, observed(), map[string]float64{ // nothing collides
		`{__name__="upid_observed_value", i="a", signal="s"}`: 1, `{__name__="upid_observed_value", i="b", signal="s"}`: 2,
	})
	write(t, c, "s", named("up", ls, 1), named("down", ls, 2), named("", ls, 3), named("up", ls, 4))
	check(t, observed(), map[string]float64{
		`{__name__="upid_observed_value", i="a", signal="s", source_name="up"}`:   1,
		`{__name__="upid_observed_value", i="a", signal="s", source_name="down"}`: 2,
		`{__name__="upid_observed_value", i="a", signal="s"}`:                     3,
	})
	if got := exported(t, c); got != [2]int{0, 1} {
		t.Errorf("truncated, duplicate: %v", got)
	}
	// A name that cannot be a label leaves a duplicate.
	write(t, c, "s", named(strings.Repeat("x", maxLabelValue+1), ls, 1), named("", ls, 2))
	check(t, observed(), map[string]float64{`{__name__="upid_observed_value", i="a", signal="s"}`: 2})
}

// exported returns how many series were truncated and how many were duplicate.
func exported(t *testing.T, c *Collector) [2]int {
	t.Helper()
	got := parsed(t, c, "?collect[]=self")
	return [2]int{int(got[`{__name__="upid_export_truncated_series"}`]), int(got[`{__name__="upid_export_duplicate_series"}`])}
}

func TestDuplicates(t *testing.T) {
	c := New(Options{})
	same := labels.FromStrings("a", "x")
	// Exactly equal; and equal only for scrapers without UTF-8 names: the first in order wins.
	write(t, c, "one", result("s", same, 1), result("s", same, 2),
		result("s", labels.FromStrings("k_b", "x"), 3), result("s", labels.FromStrings("k.b", "x"), 4))
	// Another task of the same signal adds what is new and speaks for nothing.
	write(t, c, "two", result("s", same, 5), result("s", labels.FromStrings("new", "x"), 6))
	check(t, only(parsed(t, c, predictions), "upid_observed_value"), map[string]float64{
		`{__name__="upid_observed_value", a="x", signal="s"}`:   1,
		`{__name__="upid_observed_value", k_b="x", signal="s"}`: 4, // "k.b" sorts before k_b
		`{__name__="upid_observed_value", new="x", signal="s"}`: 6,
	})
	if got := exported(t, c); got != [2]int{0, 4} { // 2 of one; of two the series and the signal
		t.Errorf("truncated, duplicate: %v", got)
	}
	// With the owner gone the other takes over, at its next write.
	c.Drop("one")
	write(t, c, "two", result("s", same, 5), result("s", labels.FromStrings("new", "x"), 6))
	check(t, only(parsed(t, c, predictions), "upid_observed_value"), map[string]float64{
		`{__name__="upid_observed_value", a="x", signal="s"}`: 5, `{__name__="upid_observed_value", new="x", signal="s"}`: 6,
	})
	if got := exported(t, c); got != [2]int{0, 0} {
		t.Errorf("truncated, duplicate: %v", got)
	}
}

func TestMaxSeries(t *testing.T) {
	c := New(Options{MaxSeries: 3})
	rs := func(signal string, names ...string) []series.Result {
		out := make([]series.Result, len(names))
		for i, n := range names {
			out[i] = result(signal, labels.FromStrings("i", n), 1)
		}
		return out
	}
	admitted := func() string {
		var out []string
		for k := range only(parsed(t, c, predictions), "upid_observed_value") {
			_, rest, _ := strings.Cut(k, ` i="`)
			out = append(out, rest[:1])
		}
		slices.Sort(out)
		return strings.Join(out, "")
	}
	f := func(task, in, want string, truncated int) {
		t.Helper()
		write(t, c, task, rs(task, strings.Split(in, "")...)...)
		if got := admitted(); got != want {
			t.Errorf("admitted %s, want %s", got, want)
		}
		if got := exported(t, c); got != [2]int{truncated, 0} {
			t.Errorf("truncated, duplicate: %v, want %d, 0", got, truncated)
		}
	}
	f("one", "zcd", "cdz", 0)
	f("one", "abcdz", "cdz", 2) // a and b sort first, and come too late
	f("one", "abcz", "acz", 1)  // d makes room for one, in order
	f("two", "x", "acz", 2)
	f("one", "az", "az", 1) // the room goes to who writes next
	f("two", "x", "axz", 0)
	c.Drop("one")
	f("two", "xy", "xy", 0)
	f("two", "ef", "ef", 0) // all replaced at once
}

// FuzzExposition has hostile label sets written and the page read by the
// official parsers.
func FuzzExposition(f *testing.F) {
	f.Add("s", "up", "a.b", "x", "a_b", "y", 1.5)
	f.Add("s\"", "", "type", "\\\n\"", "source_type", "}", 0.0)
	f.Add("", "é", "__name__", "\x00", "le", "# EOF", -1e-300)
	f.Add("s\xff", "x", "a\x00b", "y", "{", "z", 1e300)
	c := New(Options{})
	f.Fuzz(func(t *testing.T, signal, source, n1, v1, n2, v2 string, v float64) {
		r := result(signal, labels.FromStrings(n1, v1, n2, v2), v)
		if n1 == n2 {
			r.Labels = labels.FromStrings(n1, v1)
		}
		r.Horizons = []series.Horizon{{Horizon: time.Duration(v), Value: v, Lower: v, Upper: v, Peak: v}}
		r.Findings = []series.Finding{finding("spike", "info", v)}
		other := r
		other.SourceName = source
		plain := result(signal, labels.FromStrings(n2, v2), v)
		write(t, c, "t", r, other, plain)
		parsed(t, c, predictions)
		c.Drop("t")
	})
}
