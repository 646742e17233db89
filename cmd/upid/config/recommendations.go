package config

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Costs says what things cost where no OpenCost says it, and what may be spent.
type Costs struct {
	Given    bool
	Currency string  // ISO 4217
	Budget   float64 // a month; 0: none
	Prices   Prices
}

// Prices are list prices in Currency.
type Prices struct {
	CPUHour, MemoryGiBHour, StorageGiBHour, GPUHour float64
}

// Recommendations say what is looked at, and how.
type Recommendations struct {
	Enabled bool
	Policy  string        // cost, balanced or safe
	Kinds   []string      // empty: all
	History time.Duration // what is learned from
	Every   time.Duration // how often it is said anew; capacity every hour
	Queries map[string]string
	Limits  []CustomLimit
}

// CustomLimit is something that is used up, by two expressions with the same labels.
type CustomLimit struct {
	Name, Used, Limit, Unit string
}

// Defaults of the two keys. The prices are those that OpenCost takes where it knows
// none: of a cloud's general machines on demand.
const (
	DefaultCurrency    = "USD"
	DefaultPolicy      = "balanced"
	DefaultAdviceEvery = 6 * time.Hour
)

// DefaultPrices are OpenCost's.
var DefaultPrices = Prices{CPUHour: 0.031611, MemoryGiBHour: 0.004237, StorageGiBHour: 0.00005479452, GPUHour: 0.95}

// Policies are the trade-offs of sizing.
var Policies = []string{"cost", "balanced", "safe"}

type rawCosts struct {
	Currency string    `yaml:"currency"`
	Budget   *float64  `yaml:"budget"`
	Prices   rawPrices `yaml:"prices"`
}

type rawPrices struct {
	CPUHour        *float64 `yaml:"cpu_hour"`
	MemoryGiBHour  *float64 `yaml:"memory_gib_hour"`
	StorageGiBHour *float64 `yaml:"storage_gib_hour"`
	GPUHour        *float64 `yaml:"gpu_hour"`
}

type rawRecommendations struct {
	Enabled *bool             `yaml:"enabled"`
	Policy  string            `yaml:"policy"`
	Kinds   []string          `yaml:"kinds"`
	History string            `yaml:"history"`
	Every   string            `yaml:"every"`
	Queries map[string]string `yaml:"queries"`
	Limits  []rawLimit        `yaml:"limits"`
}

type rawLimit struct {
	Name  string `yaml:"name"`
	Used  string `yaml:"used"`
	Limit string `yaml:"limit"`
	Unit  string `yaml:"unit"`
}

var currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)

func (v *validator) costs(raw *rawCosts) Costs {
	out := Costs{Given: raw != nil, Currency: DefaultCurrency, Budget: 0, Prices: DefaultPrices}
	if raw == nil {
		return out
	}
	out.Currency = or(raw.Currency, DefaultCurrency)
	if !currencyCode.MatchString(out.Currency) {
		v.at(fmt.Sprintf("%q, want three capital letters such as USD or EUR", raw.Currency), "costs", "currency")
	}
	price := func(to *float64, from *float64, path ...any) {
		if from == nil {
			return
		}
		if !(*from >= 0) || math.IsInf(*from, 0) {
			v.at(fmt.Sprintf("%v, want a number of at least 0", *from), path...)
		}
		*to = *from
	}
	price(&out.Budget, raw.Budget, "costs", "budget")
	p := raw.Prices
	price(&out.Prices.CPUHour, p.CPUHour, "costs", "prices", "cpu_hour")
	price(&out.Prices.MemoryGiBHour, p.MemoryGiBHour, "costs", "prices", "memory_gib_hour")
	price(&out.Prices.StorageGiBHour, p.StorageGiBHour, "costs", "prices", "storage_gib_hour")
	price(&out.Prices.GPUHour, p.GPUHour, "costs", "prices", "gpu_hour")
	return out
}

func (v *validator) recommendations(raw *rawRecommendations) Recommendations {
	out := Recommendations{Enabled: raw != nil && (raw.Enabled == nil || *raw.Enabled), Policy: DefaultPolicy, Kinds: nil, History: DefaultHistory, Every: DefaultAdviceEvery, Queries: nil, Limits: nil}
	if raw == nil {
		return out
	}
	out.Policy = or(raw.Policy, DefaultPolicy)
	if !slices.Contains(Policies, out.Policy) {
		v.at(fmt.Sprintf("%q, want one of %s", out.Policy, strings.Join(Policies, ", ")), "recommendations", "policy")
	}
	for i, k := range raw.Kinds {
		if !slices.Contains(v.checks.Kinds, k) {
			v.at(fmt.Sprintf("%q, want one of %s", k, strings.Join(v.checks.Kinds, ", ")), "recommendations", "kinds", i)
		}
	}
	out.Kinds = raw.Kinds
	out.History = v.duration(raw.History, DefaultHistory, 24*time.Hour, "recommendations", "history")
	out.Every = v.duration(raw.Every, DefaultAdviceEvery, time.Hour, "recommendations", "every")
	for _, name := range slices.Sorted(maps.Keys(raw.Queries)) {
		if !slices.Contains(v.checks.Inputs, name) {
			text := fmt.Sprintf("there is no input %q", name)
			if near := nearest(name, v.checks.Inputs); near != "" {
				text += fmt.Sprintf(", did you mean %q?", near)
			}
			v.at(text, "recommendations", "queries", name)
		}
		v.adviceExpr(raw.Queries[name], "recommendations", "queries", name)
	}
	out.Queries = raw.Queries
	names := map[string]bool{}
	for i, l := range raw.Limits {
		at := func(key string) []any { return []any{"recommendations", "limits", i, key} }
		if !signalName.MatchString(l.Name) {
			v.at(fmt.Sprintf("%q, want lower-case letters, digits, - and _", l.Name), at("name")...)
		}
		if names[l.Name] {
			v.at(fmt.Sprintf("%q is there twice", l.Name), at("name")...)
		}
		names[l.Name] = true
		v.adviceExpr(l.Used, at("used")...)
		v.adviceExpr(l.Limit, at("limit")...)
		out.Limits = append(out.Limits, CustomLimit(l))
	}
	return out
}

// adviceExpr checks an expression.
func (v *validator) adviceExpr(expr string, path ...any) {
	if expr == "" {
		v.at("missing, want PromQL", path...)
		return
	}
	if err := v.checks.Expr(expr); err != nil {
		v.at(err.Error(), path...)
	}
}

type shownCosts struct {
	Currency string  `yaml:"currency"`
	Budget   float64 `yaml:"budget"`
	Prices   struct {
		CPUHour        float64 `yaml:"cpu_hour"`
		MemoryGiBHour  float64 `yaml:"memory_gib_hour"`
		StorageGiBHour float64 `yaml:"storage_gib_hour"`
		GPUHour        float64 `yaml:"gpu_hour"`
	} `yaml:"prices"`
}

func showCosts(c Costs) *shownCosts {
	if !c.Given {
		return nil
	}
	out := &shownCosts{Currency: c.Currency, Budget: c.Budget}
	out.Prices.CPUHour, out.Prices.MemoryGiBHour, out.Prices.StorageGiBHour, out.Prices.GPUHour = c.Prices.CPUHour, c.Prices.MemoryGiBHour, c.Prices.StorageGiBHour, c.Prices.GPUHour
	return out
}

type shownRecommendations struct {
	Enabled bool              `yaml:"enabled"`
	Policy  string            `yaml:"policy"`
	Kinds   []string          `yaml:"kinds,flow"`
	History model.Duration    `yaml:"history"`
	Every   model.Duration    `yaml:"every"`
	Queries map[string]string `yaml:"queries,omitempty"`
	Limits  []shownLimit      `yaml:"limits,omitempty"`
}

type shownLimit struct {
	Name  string `yaml:"name"`
	Used  string `yaml:"used"`
	Limit string `yaml:"limit"`
	Unit  string `yaml:"unit,omitempty"`
}

func showRecommendations(r Recommendations) *shownRecommendations {
	if !r.Enabled {
		return nil
	}
	out := &shownRecommendations{Enabled: true, Policy: r.Policy, Kinds: r.Kinds, History: model.Duration(r.History), Every: model.Duration(r.Every), Queries: r.Queries, Limits: nil}
	for _, l := range r.Limits {
		out.Limits = append(out.Limits, shownLimit(l))
	}
	return out
}
