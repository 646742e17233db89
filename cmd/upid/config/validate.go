package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	commonconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"gopkg.in/yaml.v3"
)

// validator turns raw structs into checked ones and notes every mistake.
type validator struct {
	*problems
	checks    Checks
	roads     *roads
	calendars []Calendar
}

// roads are the two ways an alert takes to an Alertmanager: upid posts it, or
// Prometheus does, by the shipped rules. On both it would arrive twice.
type roads struct {
	post, rules bool // of signals that say nothing
	urls        bool // there is somebody to post to
	twice       int  // signals that say nothing and would take both
}

func (v *validator) config(raw *rawConfig) *Config {
	v.roads = &roads{
		post: raw.Alertmanager.Post == nil || *raw.Alertmanager.Post, rules: raw.Alertmanager.Rules,
		urls: len(raw.Alertmanager.URLs) > 0,
	}
	cfg := &Config{
		Prometheus: Prometheus{
			URL:         v.server(raw.Prometheus.URL, DefaultURL, "prometheus", "url"),
			HTTP:        v.http(raw.Prometheus.HTTP, "prometheus", "http"),
			Timeout:     v.duration(raw.Prometheus.Timeout, DefaultTimeout, time.Second, "prometheus", "timeout"),
			Concurrency: DefaultConcurrency,
		},
		Alertmanager: Alertmanager{
			HTTP:        v.http(raw.Alertmanager.HTTP, "alertmanager", "http"),
			ResendDelay: v.duration(raw.Alertmanager.ResendDelay, DefaultResend, time.Second, "alertmanager", "resend_delay"),
			Watchdog:    raw.Alertmanager.Watchdog,
			Post:        v.roads.post,
			Rules:       v.roads.rules,
		},
		Storage: Storage{Path: or(raw.Storage.Path, DefaultStorage), EncryptionKeyFile: raw.Storage.EncryptionKeyFile},
		Web:     Web{ListenAddress: or(raw.Web.ListenAddress, DefaultListen), EnableLifecycle: raw.Web.EnableLifecycle},
	}
	v.listenAddress(cfg.Web.ListenAddress)
	if n := raw.Prometheus.Concurrency; n != nil {
		cfg.Prometheus.Concurrency = *n
		if *n < 1 || *n > 20 {
			v.at(fmt.Sprintf("%d, want 1 to 20 (Prometheus itself runs 20 queries at once)", *n), "prometheus", "concurrency")
		}
	}
	seen := map[string]int{}
	for i, u := range raw.Alertmanager.URLs {
		u = v.server(u, "", "alertmanager", "urls", i)
		if j, dup := seen[u]; dup && u != "" {
			v.at(fmt.Sprintf("the same as urls[%d]", j), "alertmanager", "urls", i)
		}
		seen[u] = i
		cfg.Alertmanager.URLs = append(cfg.Alertmanager.URLs, u)
	}
	// All below it commented out: the key asks for it, with every default.
	if raw.Recommendations == nil && v.named("recommendations") {
		raw.Recommendations = &rawRecommendations{} //nolint:exhaustruct // nothing is given
	}
	if raw.Threats == nil && v.named("threats") {
		raw.Threats = &rawThreats{} //nolint:exhaustruct // nothing is given
	}
	cfg.Costs, cfg.Recommendations = v.costs(raw.Costs), v.recommendations(raw.Recommendations)
	cfg.Threats = v.threats(raw.Threats)
	cfg.Models = v.models(raw.Models)
	cfg.Privacy = v.privacy(raw.Privacy)
	v.readCalendars(raw.Calendars)
	cfg.Calendars = v.calendars
	names := map[string]string{} // name → where it was defined
	for i, p := range raw.Presets {
		cfg.Signals = append(cfg.Signals, v.preset(p, i, names)...)
	}
	for i, rs := range raw.Signals {
		s := v.signal(rs, "signals", i)
		s.Line = v.line("signals", i)
		v.unique(s.Name, fmt.Sprintf("line %d", s.Line), names, "signals", i, "name")
		cfg.Signals = append(cfg.Signals, s)
	}
	cfg.Maintenance = v.maintenance(raw.Maintenance, names)
	if v.roads.twice > 0 {
		v.at("Prometheus' rules are to alert, and so is upid, on alertmanager.urls: every alert would come twice; set alertmanager.post: false, or rules: false", "alertmanager", "rules")
	}
	if len(raw.Signals) == 0 && len(raw.Presets) == 0 && raw.Recommendations == nil && raw.Threats == nil && raw.Models == nil && len(v.list) == 0 {
		v.add(0, "", "nothing to do; name a preset (presets: [node, prometheus]), a signal, threats, models or recommendations")
	}
	return cfg
}

// listenAddress checks that an address has a host, which may be empty, and a port.
func (v *validator) listenAddress(addr string) {
	_, port, err := net.SplitHostPort(addr)
	if n, nerr := strconv.ParseUint(port, 10, 16); err == nil && nerr == nil && n <= math.MaxUint16 {
		return
	}
	v.at(fmt.Sprintf("%q, want host:port, such as :9877 or 127.0.0.1:9877", addr), "web", "listen_address")
}

// preset returns the signals of a shipped file, which is checked like the user's.
func (v *validator) preset(name string, i int, names map[string]string) []Signal {
	b, ok := v.checks.Preset(name)
	if !ok {
		v.at(fmt.Sprintf("%q, want one of %s", name, strings.Join(v.checks.Presets, ", ")), "presets", i)
		return nil
	}
	raw, p, err := decode("preset "+name, b)
	if err != nil {
		v.at(err.Error(), "presets", i)
		return nil
	}
	inner := &validator{problems: p, checks: v.checks, roads: v.roads, calendars: v.calendars}
	var out []Signal
	for k, rs := range raw.Signals {
		s := inner.signal(rs, "signals", k)
		s.Preset = name
		v.unique(s.Name, "preset "+name, names, "presets", i)
		out = append(out, s)
	}
	if err := p.err(); err != nil {
		v.at(err.Error(), "presets", i)
	}
	return out
}

func (v *validator) unique(name, where string, names map[string]string, path ...any) {
	if name == "" {
		return
	}
	if first, dup := names[name]; dup {
		v.at(fmt.Sprintf("%q is already defined by %s", name, first), path...)
		return
	}
	names[name] = where
}

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

var signalName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

func (v *validator) signal(raw rawSignal, path ...any) Signal {
	at := func(text string, sub ...any) { v.at(text, slices.Concat(path, sub)...) }
	dur := func(s string, def, least time.Duration, sub ...any) time.Duration {
		return v.duration(s, def, least, slices.Concat(path, sub)...)
	}
	s := Signal{
		Name: raw.Name, Type: or(raw.Type, "resource"), Query: strings.TrimSpace(raw.Query), Unit: raw.Unit,
		Step:     dur(raw.Step, DefaultStep, time.Second, "step"),
		Every:    dur(raw.Every, 0, time.Second, "every"),
		History:  dur(raw.History, DefaultHistory, time.Hour, "history"),
		Location: time.UTC,
		Forecast: v.forecast(raw.Forecast, path),
	}
	family := v.checks.Family(s.Type, s.Unit)
	s.Detect, s.Alert = v.detect(raw.Detect, family, path), v.alert(raw.Alert, family, path)
	s.Offset = dur(raw.Offset, min(s.Step, maxOffset), 0, "query_offset")
	if !signalName.MatchString(s.Name) {
		at(fmt.Sprintf("%q, want 1 to 63 lower-case letters, digits, _ or -, such as checkout_cpu", s.Name), "name")
	}
	if !slices.Contains(Types, s.Type) {
		at(fmt.Sprintf("%q, want one of %s", s.Type, strings.Join(Types, ", ")), "type")
	}
	if s.Query == "" {
		at("missing; give a PromQL expression", "query")
	} else if err := v.checks.Expr(s.Query); err != nil {
		at(err.Error(), "query")
	}
	if q := strings.TrimSpace(raw.Rollouts.Query); q != "" {
		s.Rollouts = Rollouts{Query: q, Grace: dur(raw.Rollouts.Grace, DefaultGrace, 0, "rollouts", "grace")}
		if err := v.checks.Expr(q); err != nil {
			at(err.Error(), "rollouts", "query")
		}
	} else if raw.Rollouts.Grace != "" {
		at("missing; give a PromQL expression whose series appear or change with a rollout", "rollouts", "query")
	}
	if s.Step%time.Millisecond != 0 || s.Step > 24*time.Hour {
		at(fmt.Sprintf("%v, want at most 1d in whole milliseconds", s.Step), "step")
	}
	if s.Every != 0 && s.Every%s.Step != 0 {
		at(fmt.Sprintf("%v is no multiple of step %v", s.Every, s.Step), "every")
	}
	if s.History < 2*s.Step {
		at(fmt.Sprintf("%v, want at least two steps of %v", s.History, s.Step), "history")
	}
	if raw.Timezone != "" {
		loc, err := time.LoadLocation(raw.Timezone)
		if err != nil {
			at(fmt.Sprintf("%q is no IANA time zone such as Europe/Berlin", raw.Timezone), "timezone")
		} else {
			s.Location = loc
		}
	}
	s.Calendars, s.Events = v.calendarsOf(raw.Calendars, path...)
	if s.Forecast.Enabled && s.Forecast.Every < s.Step {
		at(fmt.Sprintf("%v, want at least the step %v", s.Forecast.Every, s.Step), "forecast", "every")
	}
	if s.Alert.Post && s.Alert.Rules && s.Alerts() && v.roads.urls {
		if raw.Alert.Post == nil && raw.Alert.Rules == nil {
			v.roads.twice++
		} else {
			at("Prometheus' rules are to alert on it, and so is upid, on alertmanager.urls: every alert would come twice; set alert.post: false, or alert.rules: false", "alert")
		}
	}
	if !s.Forecast.Enabled && !s.Detect.Enabled {
		at("neither forecast nor detect is enabled")
	}
	return s
}

func (v *validator) forecast(raw rawForecast, path []any) Forecast {
	path = slices.Concat(path, []any{"forecast"})
	sub := func(key ...any) []any { return slices.Concat(path, key) }
	f := Forecast{
		Enabled: raw.Enabled == nil || *raw.Enabled, Level: DefaultLevel, Max: raw.Max, Model: or(raw.Model, "auto"),
		Every: v.duration(raw.Every, DefaultFitEvery, time.Minute, sub("every")...),
	}
	if raw.Level != nil {
		f.Level = *raw.Level
		if !(f.Level >= 0.5 && f.Level <= 0.99) {
			v.at(fmt.Sprintf("%v, want 0.5 to 0.99", f.Level), sub("level")...)
		}
	}
	if m := raw.Max; m != nil && (math.IsNaN(*m) || math.IsInf(*m, 0)) {
		v.at(fmt.Sprintf("%v, want a number; leave it out if there is no limit", *m), sub("max")...)
	}
	if !slices.Contains(v.checks.Forecasters, f.Model) {
		v.at(fmt.Sprintf("%q, want one of %s", f.Model, strings.Join(v.checks.Forecasters, ", ")), sub("model")...)
	}
	for i, h := range raw.Horizons {
		d := v.duration(h, 0, time.Minute, sub("horizons", i)...)
		if d > 28*24*time.Hour {
			v.at(fmt.Sprintf("%v, want at most 28d", model.Duration(d)), sub("horizons", i)...)
		}
		if slices.Contains(f.Horizons, d) {
			v.at(h+" is listed twice", sub("horizons", i)...)
		}
		f.Horizons = append(f.Horizons, d)
	}
	if len(raw.Horizons) == 0 {
		f.Horizons = slices.Clone(DefaultHorizons)
	}
	slices.Sort(f.Horizons)
	f.Breach = v.breach(raw.Breach, f, sub("breach"))
	return f
}

// breach checks the limits that a forecast should not reach. They are looked at a day ahead, or as far as
// the longest horizon, if nothing else is said.
func (v *validator) breach(raw *rawBreach, f Forecast, path []any) *Breach {
	if raw == nil {
		return nil
	}
	sub := func(key string) []any { return slices.Concat(path, []any{key}) }
	longest := f.Horizons[len(f.Horizons)-1]
	b := &Breach{Above: raw.Above, Below: raw.Below, Within: v.duration(raw.Within, min(longest, 24*time.Hour), time.Minute, sub("within")...)}
	for key, limit := range map[string]*float64{"above": b.Above, "below": b.Below} {
		if limit != nil && (math.IsNaN(*limit) || math.IsInf(*limit, 0)) {
			v.at(fmt.Sprintf("%v, want a number; leave it out if there is no such limit", *limit), sub(key)...)
		}
	}
	switch {
	case !f.Enabled:
		v.at("forecast.enabled is false: there is nothing to reach a limit", path...)
	case b.Above == nil && b.Below == nil:
		v.at("neither above nor below is set: say what the forecast should not reach", path...)
	case b.Above != nil && b.Below != nil && *b.Above <= *b.Below:
		v.at(fmt.Sprintf("above is %v and below is %v: want above higher than below", *b.Above, *b.Below), path...)
	}
	if b.Within > longest {
		v.at(fmt.Sprintf("%v, want at most the longest horizon, %v", model.Duration(b.Within), model.Duration(longest)), sub("within")...)
	}
	return b
}

func (v *validator) detect(raw rawDetect, family Family, path []any) Detect {
	at := func(text, key string) { v.at(text, slices.Concat(path, []any{"detect", key})...) }
	d := Detect{
		Enabled: raw.Enabled == nil || *raw.Enabled, Budget: or(raw.Budget, DefaultBudget),
		Direction: or(raw.Direction, family.Direction), Transform: or(raw.Transform, family.Transform),
		MinDeviation: family.MinDeviation, MinRelative: family.MinRelative, Model: raw.Model,
	}
	if raw.MinDeviation != nil {
		d.MinDeviation = *raw.MinDeviation
	}
	if raw.MinRelative != nil {
		d.MinRelative = *raw.MinRelative
	}
	if err := v.checks.Budget(d.Budget); err != nil {
		at(err.Error(), "budget")
	}
	if !slices.Contains([]string{"both", "up", "down"}, d.Direction) {
		at(fmt.Sprintf("%q, want both, up or down", d.Direction), "direction")
	}
	if !slices.Contains(v.checks.Transforms, d.Transform) {
		at(fmt.Sprintf("%q, want one of %s", d.Transform, strings.Join(v.checks.Transforms, ", ")), "transform")
	}
	if !(d.MinDeviation >= 0) || math.IsInf(d.MinDeviation, 0) {
		at(fmt.Sprintf("%v, want a number of at least 0", d.MinDeviation), "min_deviation")
	}
	if !(d.MinRelative >= 0) || math.IsInf(d.MinRelative, 0) {
		at(fmt.Sprintf("%v, want a number of at least 0 (0.1 is 10 %%)", d.MinRelative), "min_relative")
	}
	if d.Model != "" && !slices.Contains(v.checks.Detectors, d.Model) {
		at(fmt.Sprintf("%q, want one of %s", d.Model, strings.Join(v.checks.Detectors, ", ")), "model")
	}
	return d
}

func (v *validator) alert(raw rawAlert, family Family, path []any) Alert {
	a := Alert{Enabled: raw.Enabled == nil || *raw.Enabled, Severity: or(raw.Severity, family.Severity), RunbookURL: raw.RunbookURL}
	a.Post = a.Enabled && choose(raw.Post, v.roads.post)
	a.Rules = a.Enabled && choose(raw.Rules, v.roads.rules)
	if !slices.Contains([]string{"info", "warning", "critical"}, a.Severity) {
		v.at(fmt.Sprintf("%q, want info, warning or critical", a.Severity), slices.Concat(path, []any{"alert", "severity"})...)
	}
	if a.RunbookURL != "" {
		v.url(a.RunbookURL, "", slices.Concat(path, []any{"alert", "runbook_url"})...)
	}
	return a
}

// duration parses s in Prometheus' or Go's notation; empty is def.
func (v *validator) duration(s string, def, least time.Duration, path ...any) time.Duration {
	if s == "" {
		return def
	}
	d, err := ParseDuration(s)
	if err != nil {
		v.at(err.Error(), path...)
		return def
	}
	if d < least {
		v.at(fmt.Sprintf("%s, want at least %v", s, least), path...)
		return def
	}
	return d
}

// ParseDuration reads 90s, 1h30m, 7d or 1w as Prometheus does, else as Go does.
func ParseDuration(s string) (time.Duration, error) {
	if d, err := model.ParseDuration(s); err == nil {
		return time.Duration(d), nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return d, nil
	}
	return 0, fmt.Errorf("%q is no duration such as 30s, 5m or 7d", s)
}

// server is url for an address that paths are put behind.
func (v *validator) server(s, def string, path ...any) string {
	if err := CheckServerURL(s); s != "" && err != nil {
		v.at(err.Error(), path...)
		return def
	}
	return v.url(s, def, path...)
}

// CheckServerURL reports what is wrong with the address of a server. The error
// shows nothing of it: it may hold a secret.
func CheckServerURL(s string) error {
	u, err := url.Parse(s)
	if err != nil {
		return errors.New("cannot be parsed as a URL") // the cause quotes it
	}
	switch {
	case (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return errors.New("want an http or https URL such as http://host:port")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("has a query or a fragment; only a path may follow the host")
	case u.User != nil:
		return errors.New("has a user or password in it; put them under http: basic_auth")
	}
	return nil
}

func (v *validator) url(s, def string, path ...any) string {
	if s == "" {
		if def == "" {
			v.at("missing", path...)
		}
		return def
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		v.at("cannot be parsed as a URL", path...) // the cause quotes it
	case (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		v.at("want an http or https URL such as http://localhost:9090", path...)
	case u.User != nil:
		v.at("has a user or password in it; put them under http: basic_auth", path...)
	}
	return strings.TrimRight(s, "/")
}

// http decodes the settings of prometheus/common for one upstream. Redirects are
// not followed unless asked for: to another port they would carry credentials.
func (v *validator) http(d deferred, path ...any) (c commonconfig.HTTPClientConfig) {
	c = commonconfig.DefaultHTTPClientConfig
	c.FollowRedirects = false
	if d.decode == nil {
		return c
	}
	defer c.SetDirectory(filepath.Dir(v.file)) // *_file is relative to the configuration
	err := d.decode((*plainHTTP)(&c))
	if te, ok := errors.AsType[*yaml.TypeError](err); ok {
		v.typeErrors(te, false)
	} else if err != nil {
		v.at(err.Error(), path...)
	} else if err := c.Validate(); err != nil {
		v.at(err.Error(), path...)
	}
	return c
}

// plainHTTP has the fields but not the UnmarshalYAML of its model, which would
// set the default of follow_redirects again.
type plainHTTP commonconfig.HTTPClientConfig

// choose returns *b, or def if there is none.
func choose(b *bool, def bool) bool {
	if b == nil {
		return def
	}
	return *b
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
