package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// ThreatPreset is a file of threat detectors over the metrics of one exporter.
type ThreatPreset struct {
	Name       string
	EntityType []string   // of each of Entity
	Entity     [][]string // labels that make the entity: the first that all exist count; none of them: there is one entity
	Metrics    []string   // any of them must exist
	Having     Having     // labels that one of them must have: for metrics whose name says little
	Step       time.Duration
	Detectors  []ThreatDetector
}

// Having are regular expressions for the whole value of labels, by their names.
type Having map[string]*regexp.Regexp

// Match reports whether all of the labels are as they should; value returns that of a label.
func (h Having) Match(value func(label string) string) bool {
	for l, re := range h {
		if !re.MatchString(value(l)) {
			return false
		}
	}
	return true
}

// ThreatDetector is one detector as it is written.
type ThreatDetector struct {
	Name, Model, Family, Threat, Technique, After, Catalogue string

	Anonymous []string
	Labels    map[string]string // of a query's answer: verb, resource, code, rule, priority
	Windows   []time.Duration
	Min       float64
	Inputs    map[string]string // PromQL by input, see presets.Expand
}

type rawThreatPreset struct {
	EntityType  string              `yaml:"entity_type"`
	EntityTypes []string            `yaml:"entity_types"`
	Entity      [][]string          `yaml:"entity"`
	Metrics     []string            `yaml:"metrics"`
	Having      map[string]string   `yaml:"having"`
	Step        string              `yaml:"step"`
	Detectors   []rawThreatDetector `yaml:"detectors"`
}

type rawThreatDetector struct {
	Name      string            `yaml:"name"`
	Model     string            `yaml:"model"`
	Family    string            `yaml:"family"`
	Threat    string            `yaml:"threat"`
	Technique string            `yaml:"technique"`
	After     string            `yaml:"after"`
	Catalogue string            `yaml:"catalogue"`
	Anonymous []string          `yaml:"anonymous"`
	Labels    map[string]string `yaml:"labels"`
	Windows   []string          `yaml:"windows"`
	Min       float64           `yaml:"min"`
	Inputs    map[string]string `yaml:"inputs"`
}

// ThreatChecks are what a preset of detectors is checked against.
type ThreatChecks struct {
	Threats, Families, Catalogues []string
	// Inputs returns the inputs a model needs and may have; ok is false for one there is
	// not.
	Inputs func(model string) (need, may []string, ok bool)
}

// ParseThreatPreset reads a file of detectors strictly: unknown keys, and all mistakes at
// once.
func ParseThreatPreset(name string, content []byte, c ThreatChecks) (ThreatPreset, error) {
	var raw rawThreatPreset
	dec := yaml.NewDecoder(bytes.NewReader(content))
	dec.KnownFields(true)
	if err := dec.Decode(&raw); err != nil {
		return ThreatPreset{}, fmt.Errorf("preset %s: %w", name, err)
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return ThreatPreset{}, fmt.Errorf("preset %s: more than one YAML document", name)
	}
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("preset %s: "+format, append([]any{name}, args...)...))
	}
	step, err := ParseDuration(raw.Step)
	if err != nil || step < time.Second {
		bad("step is %q, want a duration of 1s or more", raw.Step)
	}
	p := ThreatPreset{Name: name, EntityType: raw.EntityTypes, Entity: raw.Entity, Metrics: raw.Metrics, Having: Having{}, Step: step, Detectors: nil}
	for l, expr := range raw.Having {
		re, err := regexp.Compile("^(?s:" + expr + ")$")
		if err != nil || !labelName.MatchString(l) {
			bad("having: %s: %q is no regular expression for a label", l, expr)
			continue
		}
		p.Having[l] = re
	}
	if len(p.EntityType) == 0 {
		p.EntityType = slices.Repeat([]string{raw.EntityType}, len(p.Entity))
	}
	switch {
	case raw.EntityType == "":
		bad("entity_type is missing")
	case len(p.Entity) == 0:
		bad("entity needs at least one list of labels, [] for none")
	case len(p.EntityType) != len(p.Entity):
		bad("%d entity_types for %d lists of labels", len(p.EntityType), len(p.Entity))
	}
	if len(p.Metrics) == 0 || len(raw.Detectors) == 0 {
		bad("metrics and detectors are needed")
	}
	for i, r := range raw.Detectors {
		d, err := threatDetector(r, c)
		if err != nil {
			bad("detectors[%d]: %w", i, err)
		}
		p.Detectors = append(p.Detectors, d)
	}
	return p, errors.Join(errs...)
}

func threatDetector(r rawThreatDetector, c ThreatChecks) (ThreatDetector, error) {
	d := ThreatDetector{
		Name: r.Name, Model: r.Model, Family: r.Family, Threat: r.Threat, Technique: r.Technique, After: r.After, Catalogue: r.Catalogue,
		Anonymous: r.Anonymous, Labels: r.Labels, Windows: nil, Min: r.Min, Inputs: r.Inputs,
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !signalName.MatchString(r.Name) {
		bad("name is %q, want lower-case letters, digits, - and _", r.Name)
	}
	one := func(key, v string, of []string) {
		if !slices.Contains(of, v) {
			bad("%s is %q, want one of %s", key, v, strings.Join(of, ", "))
		}
	}
	one("family", r.Family, c.Families)
	one("threat", r.Threat, c.Threats)
	need, may, ok := c.Inputs(r.Model)
	if !ok {
		bad("there is no model %q", r.Model)
	}
	for _, in := range need {
		if r.Inputs[in] == "" {
			bad("the model %s needs the input %s", r.Model, in)
		}
	}
	for in := range r.Inputs {
		if ok && !slices.Contains(need, in) && !slices.Contains(may, in) {
			bad("the model %s has no input %s", r.Model, in)
		}
	}
	if r.Catalogue != "" {
		one("catalogue", r.Catalogue, c.Catalogues)
	}
	for key := range r.Labels {
		one("labels", key, []string{"verb", "resource", "code", "rule", "priority"})
	}
	for _, w := range r.Windows {
		v, err := ParseDuration(w)
		if err != nil || v <= 0 {
			bad("window %q is no duration", w)
		}
		d.Windows = append(d.Windows, v)
	}
	if !(r.Min >= 0) {
		bad("min is %g, want 0 or more", r.Min)
	}
	return d, errors.Join(errs...)
}
