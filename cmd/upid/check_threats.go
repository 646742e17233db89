package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/upid/upid/cmd/upid/config"
)

// threats says which presets of threat detectors match what the server has, by which entity, and
// runs every query of them over the newest three slots.
func (c *checkCmd) threats(ctx context.Context, e *env, cfg *config.Config) error {
	if !cfg.Threats.Enabled {
		return nil
	}
	client, err := configuredServer(e, cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	policy, err := newLabelPolicy(&cfg.Privacy)
	if err != nil {
		return err
	}
	found, missing, err := resolveThreats(ctx, client.Query, &cfg.Threats, policy, time.Now())
	if unreachable(err) {
		return gone(err)
	}
	if err != nil {
		return err
	}
	var errs []error
	for i := range found {
		r := &found[i]
		o, err := threatOptions(&cfg.Threats, r)
		if err != nil {
			return err
		}
		series, end, queries := 0, time.Now().Add(-threatOffset).Truncate(o.Step).UnixMilli(), o.Queries()
		for _, name := range slices.Sorted(maps.Keys(queries)) {
			d, err := client.Query(ctx, queries[name], end-2*o.Step.Milliseconds(), end, o.Step.Milliseconds())
			if err != nil {
				errs = append(errs, fmt.Errorf("threats, preset %s: %s: %w", r.preset.Name, name, err))
			}
			series += len(d.Series)
		}
		fmt.Fprintf(e.stderr, "upid: threats: preset %s: %s by %s, slots of %s, %s\n", r.preset.Name, r.entityType, r.by(), duration(o.Step), plural(series, "series", "series"))
	}
	for _, m := range missing {
		if !slices.Contains(cfg.Threats.Presets, config.AutoPresets) {
			e.warnf("threats: preset %s: %s", m.preset, m.why)
		}
	}
	if len(found) == 0 {
		e.warnf("threats: no preset's metrics are there: nothing is watched")
	}
	return errors.Join(errs...)
}
