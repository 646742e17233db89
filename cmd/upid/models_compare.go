package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/forecast/features"
)

type modelsCompareCmd struct {
	modelFlags   `embed:""`
	ModelType    string `arg:"" name:"model-type" placeholder:"TYPE" help:"Of which type: ${model_types}."`
	A            string `arg:"" placeholder:"A" help:"A version, such as v1."`
	B            string `arg:"" placeholder:"B" help:"The version it is compared with."`
	TrainingData string `placeholder:"FILE" help:"Rows with targets and timestamps; those that either has learned from are left out. (default those that a sidecar judged both on live)"`
	Output       string `short:"o" default:"table" enum:"table,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`
}

// Help is shown by --help.
func (modelsCompareCmd) Help() string {
	return `Judges two versions on the same rows, by a paired test (Diebold and Mariano) in which each time counts once and targets that overlap hang together. Too few different times give no verdict.

A running sidecar judges the versions in the shadow and the canary live, beside the active one: without --training-data that is shown. Not those of security_threat and anomaly_detection, which are judged by labels, and a server has none: they take --training-data with one target, 1 for an attack or an anomaly and 0 for what is ordinary.

Examples:

    upid models compare resource_prediction v1 v2
    upid models compare resource_prediction v1 v2 --training-data newer.json

CSV columns: ` + strings.Join(compareColumns, ", ") + `. The verdict is that of B against A: better, worse or open.
`
}

// Validate is called by kong.
func (c *modelsCompareCmd) Validate() error { return oneOf("MODEL_TYPE", c.ModelType, features.Types) }

var compareColumns = []string{"target", "unit", "loss", "rows", "times", "times_needed", "loss_a", "loss_b", "p", "verdict"}

// Run compares.
func (c *modelsCompareCmd) Run(ctx context.Context, e *env) error {
	r, err := c.registry()
	if err != nil {
		return err
	}
	var cs []models.Comparison
	if c.TrainingData == "" {
		cs, err = c.comparedLive(c.ModelType, c.A, c.B)
	} else {
		cs, err = compareVersions(ctx, e, r, c.ModelType, c.A, c.B, c.TrainingData)
	}
	if err != nil {
		return fmt.Errorf("compare %s %s and %s: %w", c.ModelType, c.A, c.B, err)
	}
	switch format := output.Format(c.Output); format { //nolint:exhaustive // a table follows
	case output.JSON, output.YAML:
		return output.Objects(e.stdout, format, cs)
	case output.CSV:
		schema := output.NewSchema(format, compareColumns...)
		w, rows := output.NewWriter(e.stdout, schema), schema.Rows(nil)
		for _, x := range cs {
			for _, s := range []string{x.Target, x.Unit, x.Loss} {
				rows.Text(s)
			}
			for _, n := range []int{x.Rows, x.Times, x.Least} {
				rows.Int(n)
			}
			for _, v := range []*float64{x.A, x.B, x.P} {
				rows.Number(value(v))
			}
			rows.Text(x.Verdict)
		}
		return errors.Join(w.Write(rows.Bytes()), w.Close())
	}
	g := &output.Grid{
		Head:  []string{"TARGET", "LOSS", strings.ToUpper(c.A), strings.ToUpper(c.B), "ROWS", "TIMES", "NEEDED", "P", c.B + " IS"},
		Right: []bool{false, false, true, true, true, true, true, true, false}, Width: e.width(),
	}
	for _, x := range cs {
		p := "-"
		if x.P != nil {
			p = fmt.Sprintf("%.2g", *x.P)
		}
		g.Add(output.Printable(x.Target), x.Loss, output.Human(value(x.A)), output.Human(value(x.B)), output.Count(x.Rows), output.Count(x.Times), output.Count(x.Least), p, x.Verdict)
	}
	return g.Write(e.stdout, e.style())
}

func compareVersions(ctx context.Context, e *env, r *models.Registry, typ, a, b, file string) ([]models.Comparison, error) {
	va, err := r.Get(typ, a)
	if err != nil {
		return nil, noVersion(typ, err)
	}
	vb, err := r.Get(typ, b)
	if err != nil {
		return nil, noVersion(typ, err)
	}
	rows, err := readRows(ctx, e, file)
	if err != nil {
		return nil, fmt.Errorf("--training-data: %w", err)
	}
	return r.Compare(ctx, va, vb, rows)
}

// errNotLive says that two versions were not judged beside one another.
var errNotLive = errors.New("no running sidecar has judged both live: one of them must be active, the other its canary or in the shadow")

// comparedLive returns how a sidecar compared two versions live, of which a was active.
func (f *modelFlags) comparedLive(typ, a, b string) ([]models.Comparison, error) {
	if why := models.NotLive(typ); why != "" {
		return nil, errors.New(why)
	}
	j, err := f.judgedLive(typ)
	if err != nil {
		return nil, err
	}
	p, ok := j.Pair(a, b)
	switch {
	case !ok:
		return nil, errNotLive
	case p.Error != "":
		return nil, errors.New(p.Error)
	}
	return p.Comparisons, nil
}
