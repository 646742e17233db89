package main

import (
	"errors"
	"fmt"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/forecast/features"
)

type modelsVerifyCmd struct {
	modelFlags `embed:""`
	ModelType  string `arg:"" optional:"" name:"model-type" placeholder:"TYPE" help:"Only these: ${model_types}. (default all)"`
	Output     string `short:"o" default:"table" enum:"table,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`
}

// Help is shown by --help.
func (modelsVerifyCmd) Help() string {
	return `Reads every version in whole and says what is wrong with it: damaged, exposed (others could have written it), no_key, not_sealed, other_version. Nothing is moved. Exits 1 if something is wrong.

Examples:

    upid models verify
`
}

// Validate is called by kong.
func (c *modelsVerifyCmd) Validate() error { return oneOf("MODEL_TYPE", c.ModelType, features.Types) }

// Run verifies.
func (c *modelsVerifyCmd) Run(e *env) error {
	types := features.Types
	if c.ModelType != "" {
		types = []string{c.ModelType}
	}
	r, err := c.registry()
	if err != nil {
		return err
	}
	all := []models.Verified{}
	bad := 0
	var errs []error
	for _, typ := range types {
		some, err := r.Verify(typ)
		all, errs = append(all, some...), append(errs, err)
		for _, v := range some {
			if !v.OK {
				bad++
			}
		}
	}
	err = errors.Join(errs...)
	if format := output.Format(c.Output); len(all) > 0 || err == nil || format != output.Table { // what cannot be read is not none
		if err := verifiedOut(e, format, all); err != nil {
			return err
		}
	}
	if bad > 0 {
		err = errors.Join(err, fmt.Errorf("verify: %d of %d versions are not as they were written", bad, len(all)))
	}
	return err
}

func verifiedOut(e *env, format output.Format, all []models.Verified) error {
	switch format { //nolint:exhaustive // a table follows
	case output.JSON, output.YAML:
		return output.Objects(e.stdout, format, all)
	case output.CSV:
		schema := output.NewSchema(format, "model_type", "version", "state", "ok", "reason", "error")
		w, rows := output.NewWriter(e.stdout, schema), schema.Rows(nil)
		for _, v := range all {
			ok := 0
			if v.OK {
				ok = 1
			}
			rows.Text(v.ModelType)
			rows.Text(v.Version)
			rows.Text(v.State)
			rows.Int(ok)
			rows.Text(v.Reason)
			rows.Text(v.Error)
		}
		return errors.Join(w.Write(rows.Bytes()), w.Close())
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(e.stdout, "no versions; upid train makes one")
		return err
	}
	g := &output.Grid{Head: []string{"TYPE", "VERSION", "STATE", "IS", "WHY"}, Right: make([]bool, 5), Width: e.width(), Give: 4}
	for _, v := range all {
		is := "whole"
		if !v.OK {
			is = v.Reason
		}
		g.Add(v.ModelType, v.Version, v.State, is, output.Printable(v.Error))
	}
	return g.Write(e.stdout, e.style())
}
