package views

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/upid/upid/collector"
)

// params are the parameters of a request, read one by one. A mistake is noted,
// and done reports all of them: also parameters that nobody read, as a misspelt
// filter must not answer with everything.
type params struct {
	q    url.Values
	read []string
	errs []error
}

func readParams(query string) (*params, error) {
	q, err := url.ParseQuery(query)
	if err != nil {
		return nil, fmt.Errorf("query string: %w", err)
	}
	return &params{q: q}, nil
}

func (p *params) fail(format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf(format, args...))
}

// done returns every mistake.
func (p *params) done() error {
	for _, name := range slices.Sorted(maps.Keys(p.q)) {
		switch {
		case !slices.Contains(p.read, name) && len(p.read) == 0:
			p.fail("unknown parameter %q, want none", name)
		case !slices.Contains(p.read, name):
			p.fail("unknown parameter %q, want one of %s", name, strings.Join(p.read, ", "))
		case len(p.q[name]) > 1 && name != "label":
			p.fail("%s: given %d times, want once", name, len(p.q[name]))
		}
	}
	return errors.Join(p.errs...)
}

// text returns a parameter, "" if it is not there.
func (p *params) text(name string) string {
	p.read = append(p.read, name)
	return p.q.Get(name)
}

func (p *params) oneOf(name string, values []string) string {
	got := p.text(name)
	if got != "" && !slices.Contains(values, got) {
		p.fail("%s: %q, want one of %s", name, got, strings.Join(values, ", "))
	}
	return got
}

// page returns the place of the first object and how many are wanted; the default
// is as many as there may be.
func (p *params) page() (offset, limit int) {
	return p.number("offset", 0, 0, math.MaxInt32), p.number("limit", MaxLimit, 1, MaxLimit)
}

func (p *params) number(name string, def, least, most int) int {
	s := p.text(name)
	if s == "" {
		return def
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		p.fail("%s: %q, want a whole number from %d to %d", name, s, least, most)
	}
	return n
}

// horizon returns a horizon as predictions have it: 24h is 1d.
func (p *params) horizon() string {
	s := p.text("horizon")
	if s == "" || s == now || s == collector.MonthEnd {
		return s
	}
	d, err := model.ParseDuration(s)
	if err != nil || d == 0 {
		p.fail("horizon: %q, want a duration such as 1h or 7d", s)
		return ""
	}
	return collector.HorizonLabel(time.Duration(d))
}

// labels returns the labels wanted.
func (p *params) labels() map[string]string {
	p.read = append(p.read, "label")
	out := map[string]string{}
	for _, pair := range p.q["label"] {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			p.fail("label: %q, want name=value", pair)
		}
		out[name] = value
	}
	return out
}

// since returns a time given as RFC 3339 or Unix seconds, in Unix milliseconds.
func (p *params) since() int64 {
	s := p.text("since")
	if s == "" {
		return 0
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(f) < 1e11 {
		return int64(f * 1000)
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		p.fail("since: %q, want Unix seconds or RFC 3339", s)
	}
	return t.UnixMilli()
}
