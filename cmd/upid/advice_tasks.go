package main

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector/advice"
	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/views"
	"github.com/upid/upid/forecast"
	"github.com/upid/upid/rules"
	"github.com/upid/upid/rules/presets"
	"github.com/upid/upid/rules/recommend"
)

// adviceStep is the grid of what capacity, cost and recommendations look at.
const adviceStep = time.Hour

// monthOfHistory is what the spend of a month so far takes.
const monthOfHistory = 32 * 24 * time.Hour

// adviceNames are the tasks behind recommendations.
var adviceNames = []string{presets.TaskCapacity, presets.TaskCosts, presets.TaskRecommendations, presets.TaskSizing}

// adviceKinds returns the kinds of recommendations.
func adviceKinds() []string {
	var out []string
	for k := range recommend.Kinds {
		out = append(out, string(k))
	}
	slices.Sort(out)
	return out
}

// adviceTasks returns the tasks behind recommendations, and what is said about them.
func adviceTasks(cfg *config.Config) ([]pipeline.Task, map[string]views.Signal, error) {
	rc := cfg.Recommendations
	if !rc.Enabled {
		return nil, nil, nil
	}
	var out []pipeline.Task
	signals := map[string]views.Signal{}
	history := max(rc.History, monthOfHistory)
	add := func(name, kind string, every time.Duration, more map[string]string, advisors ...advice.Advisor) error {
		queries, _ := adviceQueries(rc, name)
		maps.Copy(queries, more)
		unit, err := advice.New(name, adviceStep, every, queries, advisors...)
		if err != nil {
			return err
		}
		t := pipeline.Task{
			Name: name, Queries: queries, After: nil, Every: adviceStep, FitEvery: every, Step: adviceStep, Offset: 30 * time.Second, History: history,
			Key: fmt.Sprintf("%+v %+v %v\n%s", rc, cfg.Costs, queries, scope(cfg)), Unit: unit,
		}
		out = append(out, t)
		signals[name] = adviceSignal(cfg, &t, kind)
		return nil
	}
	pairs := slices.Clone(advice.Pairs)
	custom := map[string]string{}
	for _, l := range rc.Limits {
		used, limit := "limit/"+l.Name+"/used", "limit/"+l.Name
		custom[used], custom[limit] = l.Used, l.Limit
		pairs = append(pairs, advice.Pair{Kind: "custom", Used: used, Limit: limit, Unit: l.Unit})
	}
	if err := add(presets.TaskCapacity, "resource", adviceStep, custom, only(rc, advice.Capacity(pairs), advice.Certificates, advice.Leaks)...); err != nil {
		return nil, nil, err
	}
	model, err := forecast.New("auto", nil)
	if err != nil {
		return nil, nil, err
	}
	prices := advice.Prices{
		Currency: cfg.Costs.Currency, CPUHour: cfg.Costs.Prices.CPUHour, MemoryGiBHour: cfg.Costs.Prices.MemoryGiBHour, StorageGiBHour: cfg.Costs.Prices.StorageGiBHour, GPUHour: cfg.Costs.Prices.GPUHour, Budget: cfg.Costs.Budget,
	}
	if err := add(presets.TaskCosts, "cost", rc.Every, nil, only(rc, advice.Costs(prices, model))...); err != nil {
		return nil, nil, err
	}
	if err := add(presets.TaskRecommendations, "performance", rc.Every, nil, only(rc, advice.Health)...); err != nil {
		return nil, nil, err
	}
	if len(rc.Kinds) == 0 || slices.Contains(rc.Kinds, string(recommend.RightSize)) {
		t, err := sizingTask(cfg, prices)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, t)
		signals[t.Name] = adviceSignal(cfg, &t, "resource")
	}
	return out, signals, nil
}

// adviceQueries returns the inputs of a task, those of its grid points and those of the newest, as the
// configuration has them.
func adviceQueries(rc config.Recommendations, task string) (points, newest map[string]string) {
	points, newest = presets.Advice(task)
	for _, queries := range []map[string]string{points, newest} {
		for input := range queries {
			if q, ok := rc.Queries[input]; ok {
				queries[input] = q
			}
		}
	}
	return points, newest
}

// adviceSignal is what is said about a task.
func adviceSignal(cfg *config.Config, t *pipeline.Task, kind string) views.Signal {
	return views.Signal{
		SignalInfo: rules.SignalInfo{
			Name: t.Name, Type: kind, Unit: "", Query: "", Every: t.Every, PrometheusURL: cfg.Prometheus.URL, RunbookURL: "", Location: nil,
			Muted: !cfg.Alertmanager.Post,
		},
		Scope: scope(cfg), Step: t.Step, FitEvery: t.FitEvery, History: t.History, Horizons: nil, Level: 0, Budget: "",
	}
}

// Sizes are learned from four weeks, day by day, and the day under way.
const (
	sizingStep    = 5 * time.Minute
	sizingPiece   = 24 * time.Hour
	sizingHistory = 29 * 24 * time.Hour
	// sizingFit is how often four weeks are learned anew, so that processes which started at different times
	// agree. In between days are learned as they end.
	sizingFit = 7 * 24 * time.Hour
)

// sizingTask returns the task that sizes containers.
func sizingTask(cfg *config.Config, p advice.Prices) (pipeline.Task, error) {
	rc := cfg.Recommendations
	points, newest := adviceQueries(rc, presets.TaskSizing)
	all := maps.Clone(points)
	maps.Copy(all, newest)
	unit, err := advice.NewSizes(advice.SizesOptions{Name: presets.TaskSizing, Step: sizingStep, Policy: rc.Policy, Prices: p, Costs: presets.TaskCosts, Queries: all})
	if err != nil {
		return pipeline.Task{}, err
	}
	return pipeline.Task{
		Name: presets.TaskSizing, Queries: points, Newest: newest, Piece: sizingPiece, After: []string{presets.TaskCosts},
		Every: sizingStep, FitEvery: sizingFit, Step: sizingStep, Offset: 30 * time.Second, History: sizingHistory,
		Key: fmt.Sprintf("%+v %+v %v\n%s", rc, cfg.Costs, all, scope(cfg)), Unit: unit,
	}, nil
}

// only returns the advisors with the recommendations of the kinds wanted.
func only(rc config.Recommendations, advisors ...advice.Advisor) []advice.Advisor {
	if len(rc.Kinds) == 0 {
		return advisors
	}
	out := make([]advice.Advisor, len(advisors))
	for i, a := range advisors {
		out[i] = advice.Only(a, rc.Kinds)
	}
	return out
}
