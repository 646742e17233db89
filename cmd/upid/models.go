package main

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/forecast/features"
)

// modelsCmd groups what there is to see of the learned models.
type modelsCmd struct {
	List modelsListCmd `cmd:"" help:"List the versions of trained models."`
	Show modelsShowCmd `cmd:"" help:"Show a version, or the features that models know by name."`

	State modelsStateCmd `cmd:"" help:"How every model is, and why."`

	Compare  modelsCompareCmd  `cmd:"" help:"Judge two versions on the same rows."`
	Promote  modelsPromoteCmd  `cmd:"" help:"Put a version to use, or into shadow or canary."`
	Rollback modelsRollbackCmd `cmd:"" help:"Go back to the version that was active before."`
	Export   modelsExportCmd   `cmd:"" help:"Write a version to a file."`
	Import   modelsImportCmd   `cmd:"" help:"Take in a version that was exported."`
	Delete   modelsDeleteCmd   `cmd:"" help:"Remove a version that is in no stage."`
	Cancel   modelsCancelCmd   `cmd:"" help:"Cancel the training of a running sidecar."`
	Verify   modelsVerifyCmd   `cmd:"" help:"Check that every version is as it was written."`
}

type modelsShowCmd struct {
	modelFlags `embed:""`
	ModelType  string `arg:"" optional:"" name:"model-type" placeholder:"TYPE" help:"Of which type: ${model_types}. (default all, of features)"`
	Version    string `arg:"" optional:"" placeholder:"NAME" help:"Which version, such as v2. (default the active one)"`
	Features   bool   `help:"Print the table of features: name, unit, formula, PromQL, and what makes one missing."`
	Output     string `short:"o" default:"table" enum:"table,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`
}

// Help is shown by --help.
func (modelsShowCmd) Help() string {
	return `A type without a version: how its models are, the steps of its newest training, what was judged live. A version: how it was trained, what was measured, which features matter.

With --features, the table of features is what a model type is trained on from Prometheus, and the names that files of rows may use. Those of the contract stay; a version of a model keeps the names it was trained with.

Examples:

    upid models show resource_prediction
    upid models show resource_prediction v2 -o json
    upid models show --features
    upid models show resource_prediction --features -o json
`
}

// Validate is called by kong.
func (c *modelsShowCmd) Validate() error {
	switch {
	case !c.Features && c.ModelType == "":
		return errors.New("nothing to show: give a model type, or --features")
	case c.Features && c.Version != "":
		return errors.New("--features shows what a type knows; without it a version shows its own")
	}
	return oneOf("MODEL_TYPE", c.ModelType, features.Types)
}

// shownFeature is a feature in JSON, YAML and CSV.
type shownFeature struct {
	ModelType string `json:"model_type"`
	Name      string `json:"name"`
	Kind      string `json:"kind"` // contract, further or target
	Unit      string `json:"unit"`
	Formula   string `json:"formula"`
	Missing   string `json:"missing"`
	PromQL    string `json:"promql"`
}

// shownFeatures returns the tables of the types in order: contract, further
// features, targets.
func shownFeatures(types []string) []shownFeature {
	var out []shownFeature
	for _, typ := range types {
		t := features.Of(typ)
		add := func(kind string, fs []features.Feature) {
			for _, f := range fs {
				out = append(out, shownFeature{typ, f.Name, kind, f.Unit, f.Formula(), f.Missing(), f.PromQL()})
			}
		}
		add("contract", t.Contract)
		add("further", t.Further)
		for _, g := range t.Targets {
			out = append(out, shownFeature{typ, g.Name, "target", g.Unit, g.Formula, "under half of those hours", ""})
		}
	}
	return out
}

// Run prints a version or the tables.
func (c *modelsShowCmd) Run(e *env) error {
	if !c.Features {
		return c.version(e)
	}
	types := features.Types
	if c.ModelType != "" {
		types = []string{c.ModelType}
	}
	return c.features(e, types)
}

func (c *modelsShowCmd) features(e *env, types []string) error {
	all := shownFeatures(types)
	switch format := output.Format(c.Output); format { //nolint:exhaustive // a table follows
	case output.JSON, output.YAML:
		return output.Objects(e.stdout, format, all)
	case output.CSV:
		schema := output.NewSchema(format, "model_type", "name", "kind", "unit", "formula", "missing", "promql")
		w, rows := output.NewWriter(e.stdout, schema), schema.Rows(nil)
		for _, f := range all {
			for _, cell := range []string{f.ModelType, f.Name, f.Kind, f.Unit, f.Formula, f.Missing, f.PromQL} {
				rows.Text(cell)
			}
		}
		return errors.Join(w.Write(rows.Bytes()), w.Close())
	}
	for i, typ := range types {
		t := features.Of(typ)
		if i > 0 {
			fmt.Fprintln(e.stdout)
		}
		fmt.Fprintf(e.stdout, "%s: %d features, %d further ones\n", e.style().Bold(typ), len(t.Contract), len(t.Further))
		g := &output.Grid{Head: []string{"FEATURE", "UNIT", "FORMULA"}, Right: make([]bool, 3), Width: e.width(), Give: 2, Least: 90}
		for _, f := range all {
			if f.ModelType == typ {
				name := f.Name
				if f.Kind != "contract" {
					name += " (" + f.Kind + ")"
				}
				g.Add(name, f.Unit, f.Formula)
			}
		}
		if err := g.Write(e.stdout, e.style()); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(e.stdout, "\nMissing is missing, never 0: when, and the PromQL, with -o yaml.")
	return err
}

// version prints one version.
func (c *modelsShowCmd) version(e *env) error {
	r, err := c.registry()
	if err != nil {
		return err
	}
	table := output.Format(c.Output) == output.Table
	progress, perr := c.progress()
	if perr != nil && table {
		e.warnf("%v", perr)
	}
	if c.Version == "" && table {
		p := progress[c.ModelType]
		if p == nil {
			p = &models.Progress{ModelType: c.ModelType}
		}
		states, _ := r.States(c.ModelType, p) // the error is in the reason
		if err := writeStates(e, output.Table, []shownState{{ModelType: c.ModelType, States: states}}); err != nil {
			return err
		}
		if err := writePipeline(e, progress[c.ModelType]); err != nil {
			return err
		}
		fmt.Fprintln(e.stdout)
	}
	v, err := r.Get(c.ModelType, c.Version)
	if err != nil {
		return noVersion(c.ModelType, err)
	}
	if err := writeRecords(e, c.Output, []models.Record{v.Record}); err != nil || output.Format(c.Output) != output.Table {
		return err
	}
	recordNotes(e, v.Record)
	g := &output.Grid{Head: []string{"FEATURE"}, Right: []bool{false}, Width: e.width()}
	for _, t := range v.Targets {
		g.Head, g.Right = append(g.Head, strings.ToUpper(t.Name)), append(g.Right, true)
	}
	for j, name := range v.Features {
		cells := []string{name}
		for _, t := range v.Targets {
			share := math.NaN()
			if j < len(t.Report.Importance) {
				share = t.Report.Importance[j]
			}
			cells = append(cells, figure(share))
		}
		g.Add(cells...)
	}
	fmt.Fprintln(e.stdout, "\nImportance of the features, shares of the whole:")
	return g.Write(e.stdout, e.style())
}
