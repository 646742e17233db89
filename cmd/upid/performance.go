package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/forecast/features"
)

type performanceCmd struct {
	modelFlags `embed:""`
	ModelType  string `arg:"" name:"model-type" placeholder:"TYPE" help:"Which models: ${model_types}."`
	Output     string `short:"o" default:"table" enum:"table,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`
}

// Help is shown by --help.
func (performanceCmd) Help() string {
	return `How good the versions of a model type were on rows they had not learned from: for numbers the skill (1 − error ÷ that of the naive prediction), MASE, sMAPE and the share of values the interval held; for threats precision, recall, the areas under ROC and precision-recall curves, the Brier score and how far off probabilities are; for anomalies how many ordinary rows lie above the boundary. The version with a star answers upid predict.

Examples:

    upid performance resource_prediction
    upid performance security_threat -o json

CSV has a line for each version and target; JSON and YAML hold the calibration curves and the importance of the features too.
`
}

// Validate is called by kong.
func (c *performanceCmd) Validate() error {
	return oneOf("MODEL_TYPE", c.ModelType, features.Types)
}

// Run prints the figures.
func (c *performanceCmd) Run(_ context.Context, e *env) error {
	r, err := c.registry()
	if err != nil {
		return err
	}
	records, err := r.Records(c.ModelType)
	if err != nil {
		if len(records) == 0 {
			return err
		}
		e.warnf("%v", err)
	}
	if len(records) == 0 {
		return noVersion(c.ModelType, fmt.Errorf("%s: %w", c.ModelType, models.ErrNoVersion))
	}
	if err := writeRecords(e, c.Output, records); err != nil {
		return err
	}
	if output.Format(c.Output) != output.Table {
		return nil
	}
	for _, r := range records {
		if r.Stage == models.Active {
			recordNotes(e, r)
		}
	}
	return nil
}

type modelsListCmd struct {
	modelFlags `embed:""`
	ModelType  string `arg:"" optional:"" name:"model-type" placeholder:"TYPE" help:"Only these: ${model_types}. (default all)"`
	Output     string `short:"o" default:"table" enum:"table,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`
}

// Help is shown by --help.
func (modelsListCmd) Help() string {
	return `The versions of trained models in the data directory, with what was measured when they were trained.

Examples:

    upid models list
    upid models list resource_prediction -o csv
`
}

// Validate is called by kong.
func (c *modelsListCmd) Validate() error {
	return oneOf("MODEL_TYPE", c.ModelType, features.Types)
}

// Run lists the versions.
func (c *modelsListCmd) Run(e *env) error {
	types := features.Types
	if c.ModelType != "" {
		types = []string{c.ModelType}
	}
	registry, err := c.registry()
	if err != nil {
		return err
	}
	records := []models.Record{}
	var errs []error
	for _, typ := range types {
		some, err := registry.Records(typ)
		records, errs = append(records, some...), append(errs, err)
	}
	if len(records) == 0 && output.Format(c.Output) == output.Table {
		fmt.Fprintln(e.stdout, "no versions; upid train makes one")
	} else if err := writeRecords(e, c.Output, records); err != nil {
		return err
	}
	return errors.Join(errs...)
}
