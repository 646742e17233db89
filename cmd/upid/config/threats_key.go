package config

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Threats says what is watched for attacks.
type Threats struct {
	Enabled    bool
	Presets    []string // names, or only AutoPresets
	Budget     float64  // false alerts an entity may cost in a week
	History    time.Duration
	Retention  time.Duration  // of findings on disk
	Location   *time.Location // of hours and weekdays
	AlertFrom  float64        // least risk of an alert
	Post       bool           // upid posts its alerts, where there are Alertmanagers
	Rules      bool           // the shipped Prometheus rules alert
	RunbookURL string         // $threat stands for the threat; "" is the page of the technique
	Allow      ThreatAllow
	Overrides  []ThreatOverride
}

// ThreatAllow says whose counters are left out.
type ThreatAllow struct {
	CIDRs             []netip.Prefix
	Users, Namespaces []string // * stands for any text
}

// ThreatOverride changes one preset.
type ThreatOverride struct {
	Preset    string
	Budget    float64       // 0: as for all
	AlertFrom float64       // 0: as for all
	Step      time.Duration // 0: that of the preset
	Entity    []string      // labels; nil: the first of the preset's that all exist
	Without   []string      // detectors
}

// Override returns what is changed of a preset, with what is said for all filled in.
func (t *Threats) Override(preset string) ThreatOverride {
	o := ThreatOverride{Preset: preset, Budget: 0, AlertFrom: 0, Step: 0, Entity: nil, Without: nil}
	if i := slices.IndexFunc(t.Overrides, func(o ThreatOverride) bool { return o.Preset == preset }); i >= 0 {
		o = t.Overrides[i]
	}
	if o.Budget == 0 {
		o.Budget = t.Budget
	}
	if o.AlertFrom == 0 {
		o.AlertFrom = t.AlertFrom
	}
	return o
}

// AutoPresets stands for every preset whose metrics are there.
const AutoPresets = "auto"

// Defaults of the key threats.
const (
	DefaultThreatBudget    = 0.1
	DefaultThreatHistory   = 14 * 24 * time.Hour
	DefaultThreatRetention = 90 * 24 * time.Hour
	DefaultAlertFrom       = 40
)

type rawThreats struct {
	Presets    []string            `yaml:"presets"`
	Budget     *float64            `yaml:"budget"`
	History    string              `yaml:"history"`
	Retention  string              `yaml:"retention"`
	Timezone   string              `yaml:"timezone"`
	AlertFrom  *float64            `yaml:"alert_from"`
	Post       *bool               `yaml:"post"`
	Rules      *bool               `yaml:"rules"`
	RunbookURL string              `yaml:"runbook_url"`
	Allow      rawThreatAllow      `yaml:"allow"`
	Overrides  []rawThreatOverride `yaml:"overrides"`
}

type rawThreatAllow struct {
	CIDRs      []string `yaml:"cidrs"`
	Users      []string `yaml:"users"`
	Namespaces []string `yaml:"namespaces"`
}

type rawThreatOverride struct {
	Preset    string   `yaml:"preset"`
	Budget    *float64 `yaml:"budget"`
	AlertFrom *float64 `yaml:"alert_from"`
	Step      string   `yaml:"step"`
	Entity    []string `yaml:"entity"`
	Without   []string `yaml:"without"`
}

// threats checks the key; nil is not given: nothing is watched.
func (v *validator) threats(raw *rawThreats) Threats {
	t := Threats{
		Enabled: raw != nil, Presets: []string{AutoPresets}, Budget: DefaultThreatBudget, History: DefaultThreatHistory, Retention: DefaultThreatRetention,
		Location: time.UTC, AlertFrom: DefaultAlertFrom, Post: v.roads.post, Rules: v.roads.rules, RunbookURL: "", Allow: ThreatAllow{CIDRs: nil, Users: nil, Namespaces: nil}, Overrides: nil,
	}
	if raw == nil {
		return t
	}
	t.History = v.duration(raw.History, t.History, 24*time.Hour, "threats", "history")
	t.Retention = v.duration(raw.Retention, t.Retention, time.Hour, "threats", "retention")
	t.Budget = v.budget(raw.Budget, t.Budget, "threats", "budget")
	t.AlertFrom = v.risk(raw.AlertFrom, t.AlertFrom, "threats", "alert_from")
	t.Post, t.Rules, t.RunbookURL = choose(raw.Post, t.Post), choose(raw.Rules, t.Rules), raw.RunbookURL
	switch {
	case !t.Post || !t.Rules || !v.roads.urls:
	case raw.Post == nil && raw.Rules == nil:
		v.roads.twice++
	default:
		v.at("Prometheus' rules are to alert on threats, and so is upid, on alertmanager.urls: every alert would come twice; set post: false, or rules: false", "threats")
	}
	if raw.RunbookURL != "" {
		v.url(raw.RunbookURL, "", "threats", "runbook_url")
	}
	if raw.Timezone != "" {
		loc, err := time.LoadLocation(raw.Timezone)
		if err != nil {
			v.at(fmt.Sprintf("%q is no IANA time zone such as Europe/Berlin", raw.Timezone), "threats", "timezone")
		} else {
			t.Location = loc
		}
	}
	if raw.Presets != nil {
		t.Presets = raw.Presets
	}
	for i, name := range raw.Presets {
		switch {
		case name == AutoPresets && len(raw.Presets) > 1:
			v.at("auto takes every preset whose metrics are there; name it alone", "threats", "presets", i)
		case name != AutoPresets && !slices.Contains(v.checks.ThreatNames, name):
			v.at(fmt.Sprintf("%q, want auto or some of %s", name, strings.Join(v.checks.ThreatNames, ", ")), "threats", "presets", i)
		case slices.Contains(raw.Presets[:i], name):
			v.at(name+" is listed twice", "threats", "presets", i)
		}
	}
	for i, s := range raw.Allow.CIDRs {
		p, err := netip.ParsePrefix(s)
		if ip, ierr := netip.ParseAddr(s); ierr == nil {
			p, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		if err != nil {
			v.at(fmt.Sprintf("%q, want a network such as 10.0.0.0/8 or an address", s), "threats", "allow", "cidrs", i)
			continue
		}
		t.Allow.CIDRs = append(t.Allow.CIDRs, p.Masked())
	}
	t.Allow.Users = v.patterns(raw.Allow.Users, "users")
	t.Allow.Namespaces = v.patterns(raw.Allow.Namespaces, "namespaces")
	for i, r := range raw.Overrides {
		t.Overrides = append(t.Overrides, v.override(r, raw.Overrides[:i], i))
	}
	return t
}

// patterns checks an allow-list.
func (v *validator) patterns(list []string, key string) []string {
	for i, s := range list {
		if strings.Trim(s, "*") == "" {
			v.at(fmt.Sprintf("%q leaves everybody out", s), "threats", "allow", key, i)
		}
	}
	return list
}

func (v *validator) budget(raw *float64, def float64, path ...any) float64 {
	if raw == nil {
		return def
	}
	if !(*raw > 0 && *raw <= 100) {
		v.at(fmt.Sprintf("%v, want the false alerts that an entity may cost in a week, above 0 and at most 100", *raw), path...)
	}
	return *raw
}

func (v *validator) risk(raw *float64, def float64, path ...any) float64 {
	if raw == nil {
		return def
	}
	if !(*raw >= 1 && *raw <= 100) || math.IsNaN(*raw) {
		v.at(fmt.Sprintf("%v, want a risk of 1 to 100", *raw), path...)
	}
	return *raw
}

func (v *validator) override(r rawThreatOverride, before []rawThreatOverride, i int) ThreatOverride {
	at := func(text string, sub ...any) { v.at(text, append([]any{"threats", "overrides", i}, sub...)...) }
	o := ThreatOverride{
		Preset: r.Preset, Budget: v.budget(r.Budget, 0, "threats", "overrides", i, "budget"), AlertFrom: v.risk(r.AlertFrom, 0, "threats", "overrides", i, "alert_from"),
		Step: v.duration(r.Step, 0, time.Second, "threats", "overrides", i, "step"), Entity: r.Entity, Without: r.Without,
	}
	if o.Step > time.Hour {
		at(fmt.Sprintf("%s, want at most 1h", r.Step), "step")
	}
	if slices.ContainsFunc(before, func(b rawThreatOverride) bool { return b.Preset == r.Preset }) {
		at(fmt.Sprintf("%q has an override already", r.Preset), "preset")
	}
	file, ok := []byte(nil), false
	if v.checks.ThreatFile != nil {
		file, ok = v.checks.ThreatFile(r.Preset)
	}
	if !ok {
		at(fmt.Sprintf("%q, want one of %s", r.Preset, strings.Join(v.checks.ThreatNames, ", ")), "preset")
		return o
	}
	p, err := ParseThreatPreset(r.Preset, file, v.checks.Threats)
	if err != nil {
		at(err.Error(), "preset")
		return o
	}
	names := make([]string, len(p.Detectors))
	for k, d := range p.Detectors {
		names[k] = d.Name
	}
	for k, name := range r.Without {
		if !slices.Contains(names, name) {
			at(fmt.Sprintf("%q, want some of %s", name, strings.Join(names, ", ")), "without", k)
		}
	}
	left := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(r.Without, n) })
	if len(left) == 0 {
		at("no detector is left; leave the preset out instead", "without")
	}
	for _, d := range p.Detectors {
		if slices.Contains(left, d.Name) && d.After != "" && !slices.Contains(left, d.After) {
			at(fmt.Sprintf("%s waits for %s; leave it out too", d.Name, d.After), "without")
		}
	}
	for k, l := range r.Entity {
		if !labelName.MatchString(l) {
			at(fmt.Sprintf("%q is no label name", l), "entity", k)
		}
	}
	return o
}

type shownThreats struct {
	Presets    []string              `yaml:"presets,flow"`
	Budget     float64               `yaml:"budget"`
	History    model.Duration        `yaml:"history"`
	Retention  model.Duration        `yaml:"retention"`
	Timezone   string                `yaml:"timezone"`
	AlertFrom  float64               `yaml:"alert_from"`
	Post       bool                  `yaml:"post"`
	Rules      bool                  `yaml:"rules"`
	RunbookURL string                `yaml:"runbook_url,omitempty"`
	Allow      *shownThreatAllow     `yaml:"allow,omitempty"`
	Overrides  []shownThreatOverride `yaml:"overrides,omitempty"`
}

type shownThreatAllow struct {
	CIDRs      []string `yaml:"cidrs,flow,omitempty"`
	Users      []string `yaml:"users,flow,omitempty"`
	Namespaces []string `yaml:"namespaces,flow,omitempty"`
}

type shownThreatOverride struct {
	Preset    string         `yaml:"preset"`
	Budget    float64        `yaml:"budget,omitempty"`
	AlertFrom float64        `yaml:"alert_from,omitempty"`
	Step      model.Duration `yaml:"step,omitempty"`
	Entity    []string       `yaml:"entity,flow,omitempty"`
	Without   []string       `yaml:"without,flow,omitempty"`
}

// showThreats returns the key as a file would have it, nil if it is not given.
func showThreats(t *Threats) *shownThreats {
	if !t.Enabled {
		return nil
	}
	out := &shownThreats{
		Presets: t.Presets, Budget: t.Budget, History: model.Duration(t.History), Retention: model.Duration(t.Retention), Timezone: t.Location.String(),
		AlertFrom: t.AlertFrom, Post: t.Post, Rules: t.Rules, RunbookURL: t.RunbookURL, Allow: nil, Overrides: nil,
	}
	if a := t.Allow; len(a.CIDRs)+len(a.Users)+len(a.Namespaces) > 0 {
		out.Allow = &shownThreatAllow{CIDRs: nil, Users: a.Users, Namespaces: a.Namespaces}
		for _, p := range a.CIDRs {
			out.Allow.CIDRs = append(out.Allow.CIDRs, p.String())
		}
	}
	for _, o := range t.Overrides {
		out.Overrides = append(out.Overrides, shownThreatOverride{
			Preset: o.Preset, Budget: o.Budget, AlertFrom: o.AlertFrom, Step: model.Duration(o.Step), Entity: o.Entity, Without: o.Without,
		})
	}
	return out
}
