package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/audit"
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/collector/store"
	"github.com/upid/upid/forecast/features"
)

// changeFlags are those of commands that change which models are in use.
type changeFlags struct {
	modelFlags `embed:""`
	AuditFile  string `name:"audit.log-file" placeholder:"FILE" help:"Audit trail that the change is written to. (default audit.jsonl in the data directory)"`
}

// open returns the versions in the data directory, and what writes to its audit trail.
func (f *changeFlags) open() (*models.Registry, models.Journal, error) {
	r, err := f.registry()
	if err != nil {
		return nil, models.Journal{}, err
	}
	path := f.AuditFile
	if path == "" {
		at, err := f.where()
		if err != nil {
			return nil, models.Journal{}, err
		}
		path = filepath.Join(at.dir, audit.FileName)
	}
	return r, models.Journal{Trail: audit.New(path), Actor: actor(), Source: "cli"}, nil
}

// actor names the user of the system who runs upid.
func actor() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "uid " + strconv.Itoa(os.Getuid())
}

type modelsPromoteCmd struct {
	changeFlags  `embed:""`
	ModelType    string  `arg:"" name:"model-type" placeholder:"TYPE" help:"Of which type: ${model_types}."`
	Version      string  `arg:"" placeholder:"NAME" help:"Which version, such as v2."`
	Stage        string  `default:"active" enum:"shadow,canary,active" placeholder:"STAGE" help:"Into which stage: ${enum}. shadow answers nothing, canary answers for a share of the rows, active answers. (default ${default})"`
	Share        float64 `default:"0.1" placeholder:"SHARE" help:"Share of the rows a canary answers for. (default ${default})"`
	TrainingData string  `placeholder:"FILE" help:"Rows with targets on which it must be better than the active version."`
	Force        bool    `help:"Make it active without a verdict, or against one; the audit trail says so."`
}

// Help is shown by --help.
func (modelsPromoteCmd) Help() string {
	return `A version answers once it is active. It takes the place of another one only if it is better on the same rows, none of which either has learned from (upid models compare), or by --force. Rolling back is instant: upid models rollback.

Nothing judges a version in the shadow or a canary live: upid models compare does, on rows you give.

Examples:

    upid models promote resource_prediction v2 --training-data newer.json
    upid models promote resource_prediction v2 --stage canary --share 0.2
    upid models promote resource_prediction v2 --force
`
}

// Validate is called by kong.
func (c *modelsPromoteCmd) Validate() error {
	err := oneOf("MODEL_TYPE", c.ModelType, features.Types)
	if c.Stage == "canary" && !(c.Share > 0 && c.Share < 1) {
		err = errors.Join(err, fmt.Errorf("--share is %g, want between 0 and 1", c.Share))
	}
	return err
}

// Run promotes.
func (c *modelsPromoteCmd) Run(ctx context.Context, e *env) error {
	r, j, err := c.open()
	if err != nil {
		return err
	}
	stages, err := r.Stages(c.ModelType)
	if err != nil {
		return err
	}
	object := c.ModelType + "/" + c.Version
	detail := "to " + c.Stage
	if c.Stage == models.Canary {
		detail += fmt.Sprintf(" for %g of the rows", c.Share)
	}
	if c.Stage == models.Active && stages.Active != "" && stages.Active != c.Version {
		why, err := c.evidence(ctx, e, r, stages.Active)
		if err != nil {
			if !c.Force {
				return errors.Join(err, j.Note(audit.Promote, object, audit.Refused, err.Error()))
			}
			why = "by force: " + err.Error()
		}
		detail += " in the place of " + stages.Active + ", " + why
	}
	err = j.Do(audit.Promote, object, detail, func() error {
		_, _, err := r.Promote(c.ModelType, c.Version, c.Stage, c.Share)
		return err
	})
	if err != nil {
		return noVersion(c.ModelType, err)
	}
	fmt.Fprintf(e.stdout, "%s %s: %s\n", c.ModelType, c.Version, detail)
	return nil
}

// evidence returns why the version may take the place of the active one.
func (c *modelsPromoteCmd) evidence(ctx context.Context, e *env, r *models.Registry, active string) (string, error) {
	if c.TrainingData == "" {
		return "", fmt.Errorf("%s is active, and nothing shows that %s is better: give rows that neither has learned from with --training-data, or --force", active, c.Version)
	}
	cs, err := compareVersions(ctx, e, r, c.ModelType, active, c.Version, c.TrainingData)
	if err != nil {
		return "", err
	}
	said := models.Say(cs)
	if models.Sum(cs) != models.Better {
		return "", fmt.Errorf("%s is not shown to be better than %s: %s. Promote it all the same with --force", c.Version, active, said)
	}
	return said, nil
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
	return models.Compare(va, vb, rows)
}

type modelsRollbackCmd struct {
	changeFlags `embed:""`
	ModelType   string `arg:"" name:"model-type" placeholder:"TYPE" help:"Of which type: ${model_types}."`
}

// Help is shown by --help.
func (modelsRollbackCmd) Help() string {
	return `Makes the version active that was active before; the one that is active now is kept. At once, and without questions.

Examples:

    upid models rollback resource_prediction
`
}

// Validate is called by kong.
func (c *modelsRollbackCmd) Validate() error { return oneOf("MODEL_TYPE", c.ModelType, features.Types) }

// Run rolls back.
func (c *modelsRollbackCmd) Run(e *env) error {
	r, j, err := c.open()
	if err != nil {
		return err
	}
	was, err := r.Stages(c.ModelType)
	if err != nil {
		return err
	}
	if was.Active == "" {
		return noVersion(c.ModelType, fmt.Errorf("%s: %w is active", c.ModelType, models.ErrNoVersion))
	}
	var after store.Stages
	err = j.Do(audit.Rollback, c.ModelType+"/"+was.Active, "to the version that was active before", func() (err error) {
		_, after, err = r.Rollback(c.ModelType)
		return err
	})
	if err != nil {
		return fmt.Errorf("roll back %s: %w", c.ModelType, err)
	}
	fmt.Fprintf(e.stdout, "%s: %s is active again, %s is kept\n", c.ModelType, after.Active, was.Active)
	return nil
}

type modelsCompareCmd struct {
	modelFlags   `embed:""`
	ModelType    string `arg:"" name:"model-type" placeholder:"TYPE" help:"Of which type: ${model_types}."`
	A            string `arg:"" placeholder:"A" help:"A version, such as v1."`
	B            string `arg:"" placeholder:"B" help:"The version it is compared with."`
	TrainingData string `required:"" placeholder:"FILE" help:"Rows with targets and timestamps; those that either has learned from are left out."`
	Output       string `short:"o" default:"table" enum:"table,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`
}

// Help is shown by --help.
func (modelsCompareCmd) Help() string {
	return `Judges two versions on the same rows, by a paired test (Diebold and Mariano) in which each time counts once and targets that overlap hang together. Too few different times give no verdict.

Examples:

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
	cs, err := compareVersions(ctx, e, r, c.ModelType, c.A, c.B, c.TrainingData)
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

type modelsExportCmd struct {
	changeFlags `embed:""`
	ModelType   string `arg:"" name:"model-type" placeholder:"TYPE" help:"Of which type: ${model_types}."`
	Version     string `arg:"" placeholder:"NAME" help:"Which version, such as v2."`
	File        string `arg:"" placeholder:"FILE" help:"File to write, which must not be there; - for standard output."`
}

// Help is shown by --help.
func (modelsExportCmd) Help() string {
	return `Writes a version to a file of its own, with its checksum. It is never sealed, whatever the data directory is.

Examples:

    upid models export resource_prediction v2 v2.model
`
}

// Validate is called by kong.
func (c *modelsExportCmd) Validate() error { return oneOf("MODEL_TYPE", c.ModelType, features.Types) }

// Run exports.
func (c *modelsExportCmd) Run(e *env) error {
	r, j, err := c.open()
	if err != nil {
		return err
	}
	err = j.Do(audit.Export, c.ModelType+"/"+c.Version, "to "+c.File, func() error {
		if c.File == "-" {
			return r.Export(c.ModelType, c.Version, e.stdout)
		}
		f, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		if err := errors.Join(r.Export(c.ModelType, c.Version, f), f.Close()); err != nil {
			return errors.Join(err, os.Remove(c.File))
		}
		return nil
	})
	if err != nil {
		return noVersion(c.ModelType, fmt.Errorf("export %s %s: %w", c.ModelType, c.Version, err))
	}
	return nil
}

type modelsImportCmd struct {
	changeFlags `embed:""`
	File        string `arg:"" placeholder:"FILE" help:"File that upid models export wrote, - is stdin."`
}

// Help is shown by --help.
func (modelsImportCmd) Help() string {
	return `Takes in a version that was exported elsewhere, under the next free name and in no stage: upid models promote puts it to use.

Examples:

    upid models import v2.model
`
}

// maxImport bounds a file that is taken in.
const maxImport = 64 << 20

// Run imports.
func (c *modelsImportCmd) Run(e *env) error {
	in, name := e.stdin, "standard input"
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return fmt.Errorf("import: %w", err)
		}
		defer f.Close()
		in, name = f, c.File
	}
	b, err := io.ReadAll(io.LimitReader(in, maxImport+1))
	if err == nil && len(b) > maxImport {
		err = fmt.Errorf("more than %d MiB", maxImport>>20)
	}
	if err != nil {
		return fmt.Errorf("import %s: %w", name, err)
	}
	var v *models.Version
	r, j, err := c.open()
	if err != nil {
		return err
	}
	err = j.Do(audit.Import, "model "+filepath.Base(name), fmt.Sprintf("SHA-256 %x", sha256.Sum256(b)), func() (err error) {
		if v, err = r.Import(b, filepath.Base(name)); err != nil {
			return err
		}
		return j.Note(audit.Import, v.ModelType+"/"+v.Version, audit.OK, "from "+filepath.Base(name))
	})
	if err != nil {
		return fmt.Errorf("import %s: %w", name, err)
	}
	fmt.Fprintf(e.stdout, "%s %s: kept, in no stage; upid models promote %s %s puts it to use\n", v.ModelType, v.Version, v.ModelType, v.Version)
	return nil
}

type modelsDeleteCmd struct {
	changeFlags `embed:""`
	ModelType   string `arg:"" name:"model-type" placeholder:"TYPE" help:"Of which type: ${model_types}."`
	Version     string `arg:"" placeholder:"NAME" help:"Which version, such as v2."`
}

// Help is shown by --help.
func (modelsDeleteCmd) Help() string {
	return `Removes a version that is in no stage. Its name is not used again.

Examples:

    upid models delete resource_prediction v1
`
}

// Validate is called by kong.
func (c *modelsDeleteCmd) Validate() error { return oneOf("MODEL_TYPE", c.ModelType, features.Types) }

// Run deletes.
func (c *modelsDeleteCmd) Run(e *env) error {
	r, j, err := c.open()
	if err != nil {
		return err
	}
	err = j.Do(audit.Delete, c.ModelType+"/"+c.Version, "", func() error { return r.Delete(c.ModelType, c.Version) })
	if err != nil {
		return noVersion(c.ModelType, err)
	}
	return nil
}

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
	if err := verifiedOut(e, output.Format(c.Output), all); err != nil {
		return err
	}
	if bad > 0 {
		errs = append(errs, fmt.Errorf("verify: %d of %d versions are not as they were written", bad, len(all)))
	}
	return errors.Join(errs...)
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
