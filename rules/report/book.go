package report

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

const (
	hour = int64(3_600_000)
	day  = 24 * hour
	week = 7 * day
)

// book is an input whose series are about what upid is about: without the labels that
// Prometheus added when it scraped upid, and replicas made one.
type book struct {
	in     Input
	from   int64 // whole hours: what hourly queries are asked of, next before in.From and in.To
	to     int64
	own    map[string]bool // label and value of upid's own targets
	tracks map[string][]series.Series
}

func newBook(in Input) *book {
	b := &book{in: in, from: in.From / hour * hour, to: in.To / hour * hour, own: map[string]bool{}, tracks: map[string][]series.Series{}}
	for _, query := range builds {
		for _, s := range in.Answers[query].Series {
			for _, n := range []string{"job", "instance"} {
				if v := s.Labels.Get(n); v != "" {
					b.own[n+"\xff"+v] = true
				}
			}
		}
	}
	return b
}

// builds are the queries that show that upid was scraped: at the hours, and at the end.
var builds = [...]string{"build", "build_at_end"}

// scraped reports whether Prometheus has any metric of upid.
func (b *book) scraped() bool {
	for _, query := range builds {
		if len(b.in.Answers[query].Series) > 0 {
			return true
		}
	}
	return false
}

// why says why there is no answer to a query; otherwise is said where it was answered
// with nothing and upid was scraped.
func (b *book) why(query, otherwise string) string {
	if f := b.in.Failed[query]; f != "" {
		return "the query failed: " + f
	}
	if !b.scraped() {
		utc := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }
		return "this Prometheus has no metrics of upid from " + utc(HistoryFrom(b.in.From)) + " to " + utc(b.in.To) + ": let it scrape upid's /metrics with honor_labels: true"
	}
	return otherwise
}

// of returns the series of a query, one for each set of labels, ordered by these. Where two say
// something about a time the higher value holds.
func (b *book) of(query string) []series.Series {
	if t, ok := b.tracks[query]; ok {
		return t
	}
	at := map[string]int{}
	var out []series.Series
	for _, s := range b.in.Answers[query].Series {
		s.Labels = b.clean(s.Labels)
		k := s.Labels.String()
		i, ok := at[k]
		if !ok {
			at[k] = len(out)
			out = append(out, s)
			continue
		}
		out[i] = merge(out[i], s)
	}
	slices.SortFunc(out, func(x, y series.Series) int { return labels.Compare(x.Labels, y.Labels) })
	b.tracks[query] = out
	return out
}

// clean drops the name, and the job and instance of upid.
func (b *book) clean(ls labels.Labels) labels.Labels {
	l := labels.NewBuilder(ls)
	l.Del(model.MetricNameLabel)
	for _, n := range []string{"job", "instance"} {
		if b.own[n+"\xff"+ls.Get(n)] {
			l.Del(n)
		}
	}
	return l.Labels()
}

// merge returns the higher of a and b, which are on one grid.
func merge(a, b series.Series) series.Series {
	from, to := min(a.Start, b.Start), max(a.End(), b.End())
	out := series.Series{Labels: a.Labels, Start: from, Step: a.Step, Values: make([]float64, (to-from)/a.Step)}
	for i := range out.Values {
		x, y := at(a, out.At(i)), at(b, out.At(i))
		switch {
		case math.IsNaN(x) || y > x:
			out.Values[i] = y
		default:
			out.Values[i] = x
		}
	}
	return out
}

// at returns the value of s at t, NaN if there is none.
func at(s series.Series, t int64) float64 {
	if i, ok := s.Index(t); ok {
		return s.Values[i]
	}
	return math.NaN()
}

// select1 returns the series whose labels have the values given by name and value in turn.
func select1(all []series.Series, pairs ...string) []series.Series {
	var out []series.Series
	for _, s := range all {
		ok := true
		for i := 0; i < len(pairs); i += 2 {
			ok = ok && s.Labels.Get(pairs[i]) == pairs[i+1]
		}
		if ok {
			out = append(out, s)
		}
	}
	return out
}

// last returns the newest value of s that is not after t, and its time.
func last(s series.Series, t int64) (v float64, when int64) {
	for i, v := range slices.Backward(s.Values) {
		if when := s.At(i); when <= t && !math.IsNaN(v) {
			return v, when
		}
	}
	return math.NaN(), 0
}

// first returns the time of the first value of s from t on; ok is false if there is none.
func first(s series.Series, t int64) (when int64, ok bool) {
	for i, v := range s.Values {
		if s.At(i) >= t && !math.IsNaN(v) {
			return s.At(i), true
		}
	}
	return 0, false
}

// key joins the values of labels.
func key(ls labels.Labels, names ...string) string {
	var b strings.Builder
	for _, n := range names {
		b.WriteString(ls.Get(n) + "\xff")
	}
	return b.String()
}

// labelMap returns labels as JSON has them.
func labelMap(ls labels.Labels, without ...string) map[string]string {
	out := map[string]string{}
	ls.Range(func(l labels.Label) {
		if !slices.Contains(without, l.Name) {
			out[l.Name] = l.Value
		}
	})
	return out
}

// median returns that of values, NaN of none. It sorts them.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	slices.SortFunc(values, cmp.Compare[float64])
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
