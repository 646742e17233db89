package config

import (
	"fmt"
	"slices"
	"time"
)

// Maintenance is a time in which no alert opens: on attacks, such as that of a penetration test,
// or on signals, such as that of a migration.
type Maintenance struct {
	Name     string
	Signals  []string // whose anomalies it is about, AllSignals for every one; nil: attacks
	Dates    []string // see forecast.ParseDates
	Location *time.Location
}

// AllSignals stands for every signal.
const AllSignals = "all"

// MaintenanceOf returns the times of maintenance of a signal; "" are those of attacks.
func (c *Config) MaintenanceOf(signal string) []Maintenance {
	var out []Maintenance
	for _, m := range c.Maintenance {
		if signal == "" && m.Signals == nil || signal != "" && (slices.Contains(m.Signals, signal) || slices.Contains(m.Signals, AllSignals)) {
			out = append(out, m)
		}
	}
	return out
}

type rawMaintenance struct {
	Name     string   `yaml:"name"`
	Signals  []string `yaml:"signals"`
	Dates    []string `yaml:"dates"`
	Timezone string   `yaml:"timezone"`
}

// maintenance checks the times of maintenance; names are the signals that there are.
func (v *validator) maintenance(raw []rawMaintenance, names map[string]string) []Maintenance {
	var out []Maintenance
	for i, r := range raw {
		m := Maintenance{Name: r.Name, Signals: r.Signals, Dates: r.Dates, Location: time.UTC}
		if r.Name == "" {
			v.at("missing", "maintenance", i, "name")
		}
		if r.Signals != nil && len(r.Signals) == 0 {
			v.at("empty; name signals, or all; leave it out for attacks", "maintenance", i, "signals")
		}
		for k, s := range r.Signals {
			if names[s] == "" && s != AllSignals {
				v.at(fmt.Sprintf("%q is no signal of this file; want names of signals, or all", s), "maintenance", i, "signals", k)
			}
		}
		if len(r.Dates) == 0 {
			v.at("missing; give days or stretches such as 2026-03-14T22:00..2026-03-15T02:00", "maintenance", i, "dates")
		}
		for k, d := range r.Dates {
			if err := v.checks.Dates(d); err != nil {
				v.at(err.Error(), "maintenance", i, "dates", k)
			}
		}
		if r.Timezone != "" {
			loc, err := time.LoadLocation(r.Timezone)
			if err != nil {
				v.at(fmt.Sprintf("%q is no IANA time zone such as Europe/Berlin", r.Timezone), "maintenance", i, "timezone")
			} else {
				m.Location = loc
			}
		}
		out = append(out, m)
	}
	return out
}

type shownMaintenance struct {
	Name     string   `yaml:"name"`
	Signals  []string `yaml:"signals,flow,omitempty"`
	Dates    []string `yaml:"dates,flow"`
	Timezone string   `yaml:"timezone"`
}

func showMaintenance(ms []Maintenance) []shownMaintenance {
	var out []shownMaintenance
	for _, m := range ms {
		out = append(out, shownMaintenance{Name: m.Name, Signals: m.Signals, Dates: m.Dates, Timezone: m.Location.String()})
	}
	return out
}
