package config

import (
	"fmt"
	"time"
)

// Maintenance is a time in which attacks are not alerted on, such as that of a penetration test.
type Maintenance struct {
	Name     string
	Dates    []string // see forecast.ParseDates
	Location *time.Location
}

type rawMaintenance struct {
	Name     string   `yaml:"name"`
	Dates    []string `yaml:"dates"`
	Timezone string   `yaml:"timezone"`
}

func (v *validator) maintenance(raw []rawMaintenance) []Maintenance {
	var out []Maintenance
	for i, r := range raw {
		m := Maintenance{Name: r.Name, Dates: r.Dates, Location: time.UTC}
		if r.Name == "" {
			v.at("missing", "maintenance", i, "name")
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
	Dates    []string `yaml:"dates,flow"`
	Timezone string   `yaml:"timezone"`
}

func showMaintenance(ms []Maintenance) []shownMaintenance {
	var out []shownMaintenance
	for _, m := range ms {
		out = append(out, shownMaintenance{Name: m.Name, Dates: m.Dates, Timezone: m.Location.String()})
	}
	return out
}
