//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// grafanaDashboard is what a dashboard says about queries.
type grafanaDashboard struct {
	Panels []struct {
		Title, Repeat, TimeFrom string
		Targets                 []struct {
			RefID, Expr    string
			Instant, Range bool
		}
	}
	Templating struct {
		List []struct {
			Name, Type, Query, Regex, AllValue string
			Multi, IncludeAll                  bool
			Current                            struct{ Value any }
		}
	}
	Annotations struct {
		List []struct{ Target struct{ Expr string } }
	}
	Time struct{ From, To string }
}

// chosenValue is the value of a variable.
type chosenValue struct {
	values []string
	raw    string // instead of the values, for all of them
	regex  bool   // it is put into a regular expression
}

// grafana runs queries as Grafana does.
type grafana struct {
	prom      string
	now       time.Time
	from, to  time.Time
	variables map[string]chosenValue
	queries   int
}

// asGrafana runs every query of a dashboard, with what is chosen instead of what
// the dashboard chooses. An error or an empty answer is an error.
func asGrafana(prom string, file []byte, choose map[string]string) (*grafana, error) {
	var d grafanaDashboard
	g := &grafana{prom: prom, now: time.Now(), variables: map[string]chosenValue{}}
	if err := json.Unmarshal(file, &d); err != nil {
		return g, err
	}
	var err1, err2 error
	g.from, err1 = g.time(d.Time.From)
	g.to, err2 = g.time(d.Time.To)
	if err := errors.Join(err1, err2); err != nil {
		return g, err
	}
	// upid has run for seconds: on the coarse steps of a longer range the first
	// one with a result would be a minute away.
	if back := g.now.Add(-time.Hour); g.from.Before(back) {
		g.from = back
	}
	if err := g.choose(d, choose); err != nil {
		return g, err
	}
	var errs []error
	for _, a := range d.Annotations.List {
		if err := g.run(a.Target.Expr, false, g.from, g.to); err != nil {
			errs = append(errs, fmt.Errorf("annotation: %w", err))
		}
	}
	for _, p := range d.Panels {
		from, to := g.from, g.to
		if p.TimeFrom != "" {
			var err error
			if from, err = g.time("now-" + p.TimeFrom); err != nil {
				return g, err
			}
			to = g.now
		}
		scopes := []map[string]chosenValue{g.variables}
		if v, ok := g.variables[p.Repeat]; ok {
			scopes = nil
			for _, one := range v.values {
				scope := map[string]chosenValue{}
				maps.Copy(scope, g.variables)
				scope[p.Repeat] = chosenValue{values: []string{one}, regex: true}
				scopes = append(scopes, scope)
			}
		}
		all := g.variables
		for _, g.variables = range scopes {
			for _, q := range p.Targets {
				if err := g.run(q.Expr, q.Instant, from, to); err != nil {
					errs = append(errs, fmt.Errorf("panel %q, query %s: %w", p.Title, q.RefID, err))
				}
			}
		}
		g.variables = all
	}
	return g, errors.Join(errs...)
}

// time reads now, now-1h, now+1d.
func (g *grafana) time(s string) (time.Time, error) {
	rest, ok := strings.CutPrefix(s, "now")
	if !ok {
		return time.Time{}, fmt.Errorf("%q is no time", s)
	}
	if rest == "" {
		return g.now, nil
	}
	d, err := model.ParseDuration(rest[1:])
	if rest[0] == '-' {
		d = -d
	}
	return g.now.Add(time.Duration(d)), err
}

// choose fills the variables in their order: what is to be chosen, else what the
// dashboard has chosen if it is there, else the first.
func (g *grafana) choose(d grafanaDashboard, choose map[string]string) error {
	for _, v := range d.Templating.List {
		var current []string
		switch c := v.Current.Value.(type) {
		case string:
			current = []string{c}
		case []any:
			for _, x := range c {
				current = append(current, fmt.Sprint(x))
			}
		}
		if c := choose[v.Name]; c != "" {
			current = []string{c}
		}
		value := chosenValue{regex: v.Multi || v.IncludeAll}
		switch v.Type {
		case "datasource":
			continue
		case "custom":
			if !slices.Contains(strings.Split(v.Query, ","), current[0]) {
				return fmt.Errorf("variable %s: %q is none of %s", v.Name, current, v.Query)
			}
			value.values = current
		case "query":
			options, err := g.options(v.Query, v.Regex)
			if err != nil {
				return fmt.Errorf("variable %s: %w", v.Name, err)
			}
			if slices.Equal(current, []string{"$__all"}) {
				value.values, value.raw = options, v.AllValue
				break
			}
			for _, c := range current {
				if slices.Contains(options, c) {
					value.values = append(value.values, c)
				} else if choose[v.Name] != "" {
					return fmt.Errorf("variable %s: %q is none of %q", v.Name, c, options)
				}
			}
			if len(value.values) == 0 {
				value.values = options[:1]
			}
		default:
			return fmt.Errorf("variable %s is a %s", v.Name, v.Type)
		}
		g.variables[v.Name] = value
	}
	return nil
}

var variableQuery = regexp.MustCompile(`^(label_values|label_names|query_result)\((.*?)(?:, (\w+|\$\w+))?\)$`)

// options runs the query of a variable. No options are an error.
func (g *grafana) options(query, regex string) ([]string, error) {
	text, err := g.interpolate(query)
	if err != nil {
		return nil, err
	}
	m := variableQuery.FindStringSubmatch(text)
	if m == nil {
		return nil, fmt.Errorf("%s is no query of a variable", text)
	}
	at := url.Values{"start": {stamp(g.from)}, "end": {stamp(g.to)}}
	var found []string
	switch m[1] {
	case "label_values":
		at.Set("match[]", m[2])
		err = g.ask("/api/v1/label/"+m[3]+"/values", at, &found)
	case "label_names":
		at.Set("match[]", `{__name__=~".*`+m[2]+`.*"}`)
		err = g.ask("/api/v1/labels", at, &found)
	case "query_result":
		inner := strings.TrimSuffix(strings.TrimPrefix(text, "query_result("), ")")
		var r struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
		err = g.ask("/api/v1/query", url.Values{"query": {inner}, "time": {stamp(g.to)}}, &r)
		for _, s := range r.Result {
			var ls []string
			for k, v := range s.Metric {
				if k != "__name__" {
					ls = append(ls, fmt.Sprintf(`%s="%s"`, k, v)) // Grafana escapes nothing here
				}
			}
			slices.Sort(ls)
			found = append(found, fmt.Sprintf("%s{%s} %v %v", s.Metric["__name__"], strings.Join(ls, ","), s.Value[1], s.Value[0]))
		}
	}
	if err != nil {
		return nil, err
	}
	if regex != "" {
		found = matching(found, regex)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no answer", text)
	}
	return found, nil
}

// matching keeps the first group of what matches. Go knows no (?!…), which is
// written for one name only.
func matching(options []string, regex string) (out []string) {
	regex = strings.Trim(regex, "/")
	not := ""
	if m := regexp.MustCompile(`^\^\(\?!(\w+)\$\)(.*)$`).FindStringSubmatch(regex); m != nil {
		not, regex = m[1], "^"+m[2]
	}
	re := regexp.MustCompile(regex)
	for _, o := range options {
		if m := re.FindStringSubmatch(o); m != nil && o != not {
			out = append(out, m[1])
		}
	}
	return out
}

var (
	variable = regexp.MustCompile(`\$(\w+)|\$\{(\w+)(?::(\w+))?\}`)
	left     = regexp.MustCompile(`\$[{a-z_]`)
	special  = regexp.MustCompile(`[\\^$.*+?()|{}\[\]]`)
)

// interpolate puts the variables into a query. One that is unknown is an error.
func (g *grafana) interpolate(text string) (string, error) {
	step := g.step(g.from, g.to)
	rate := max(step+15*time.Second, 60*time.Second)
	builtin := map[string]time.Duration{"__range": g.to.Sub(g.from), "__interval": step, "__rate_interval": rate}
	out := variable.ReplaceAllStringFunc(text, func(s string) string {
		m := variable.FindStringSubmatch(s)
		name := m[1] + m[2]
		if d, ok := builtin[name]; ok {
			return strconv.Itoa(int(d.Seconds())) + "s"
		}
		v, ok := g.variables[name]
		switch {
		case !ok:
			return s
		case v.raw != "":
			return v.raw
		case m[3] == "raw":
			return strings.Join(v.values, ",")
		case !v.regex:
			return strings.ReplaceAll(v.values[0], `\`, `\\`)
		}
		var escaped []string
		for _, x := range v.values {
			escaped = append(escaped, special.ReplaceAllString(x, `\\$0`))
		}
		if len(escaped) == 1 {
			return escaped[0]
		}
		return "(" + strings.Join(escaped, "|") + ")"
	})
	if left.MatchString(out) {
		return "", fmt.Errorf("%s has a variable that does not exist", out)
	}
	return out, nil
}

// step is that of a panel 1,100 pixels wide.
func (g *grafana) step(from, to time.Time) time.Duration {
	return max((to.Sub(from) / 1100).Round(time.Second), 15*time.Second)
}

// run asks one query of a panel.
func (g *grafana) run(expr string, instant bool, from, to time.Time) error {
	g.queries++
	text, err := g.interpolate(expr)
	if err != nil {
		return err
	}
	var r struct{ Result []any }
	if instant {
		err = g.ask("/api/v1/query", url.Values{"query": {text}, "time": {stamp(to)}}, &r)
	} else {
		step := g.step(from, to)
		err = g.ask("/api/v1/query_range", url.Values{
			"query": {text}, "start": {stamp(from.Truncate(step))}, "end": {stamp(to.Truncate(step))}, "step": {strconv.Itoa(int(step.Seconds()))},
		}, &r)
	}
	if err == nil && len(r.Result) == 0 {
		err = fmt.Errorf("no answer to %s", text)
	}
	return err
}

// ask decodes the data of an answer into to.
func (g *grafana) ask(path string, q url.Values, to any) error {
	_, body, err := getText(g.prom + path + "?" + q.Encode())
	if err != nil {
		return err
	}
	var r struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return err
	}
	if r.Status != "success" {
		return fmt.Errorf("%s: %s", q, r.Error)
	}
	return json.Unmarshal(r.Data, to)
}

func stamp(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }
