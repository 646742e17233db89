package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

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

// change returns the versions in the data directory, and what writes to its audit trail.
func (f *changeFlags) change() (*models.Registry, models.Journal, error) {
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
	j := models.Journal{Trail: audit.New(path), Actor: actor(), Source: "cli"}
	r.Audit(j)
	return r, j, nil
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
	TrainingData string  `placeholder:"FILE" help:"Rows with targets on which it must be better than the active version. (default those that a sidecar judged both on live)"`
	Force        bool    `help:"Make it active without a verdict, or against one, or although it is parked; the audit trail says so."`
}

// Help is shown by --help.
func (modelsPromoteCmd) Help() string {
	return `A version answers once it is active. It takes the place of another one only if it is better on the same rows, none of which either has learned from (upid models compare), or by --force. Rolling back is instant: upid models rollback.

A version in the shadow and a canary are judged live by a running sidecar, on the same rows as the active one: without --training-data that is the evidence.

Examples:

    upid models promote resource_prediction v2
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
	r, j, err := c.change()
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
			if u := (*unproven)(nil); errors.As(err, &u) {
				why = "by force: " + u.why
			}
		}
		detail += " in the place of " + stages.Active + ", " + why
	}
	parked, err := r.Parked(c.ModelType, c.Version)
	if err != nil {
		return err
	}
	if parked != nil && c.Force {
		detail += fmt.Sprintf(", by force although it is parked (%s)", parked.Reason)
	}
	err = j.Do(audit.Promote, object, detail, func() error {
		if parked != nil && c.Force {
			if err := r.Unpark(c.ModelType, c.Version); err != nil {
				return err
			}
		}
		_, _, err := r.Promote(c.ModelType, c.Version, c.Stage, c.Share)
		return err
	})
	if err != nil {
		return noVersion(c.ModelType, err)
	}
	fmt.Fprintf(e.stdout, "%s %s: %s\n", c.ModelType, c.Version, detail)
	return nil
}

// unproven says why a version may not take the place of the active one, and what else can be
// done, which is not said of one that was promoted all the same.
type unproven struct{ why, otherwise string }

func (u *unproven) Error() string { return u.why + ". " + u.otherwise }

// evidence returns why the version may take the place of the active one.
func (c *modelsPromoteCmd) evidence(ctx context.Context, e *env, r *models.Registry, active string) (string, error) {
	// As a first version, one needs no evidence where the active one cannot answer any more.
	if _, err := r.Get(c.ModelType, active); errors.Is(err, store.ErrDamaged) || errors.Is(err, models.ErrNoVersion) {
		return "which cannot answer: " + err.Error(), nil
	}
	cs, err := c.compared(ctx, e, r, active)
	if err != nil {
		return "", err
	}
	said := models.Say(cs)
	if models.Sum(cs) != models.Better {
		return "", &unproven{fmt.Sprintf("%s is not shown to be better than %s: %s", c.Version, active, said), "Promote it all the same with --force"}
	}
	return said, nil
}

// compared compares the version with the active one: on the rows given, else as a sidecar
// did live.
func (c *modelsPromoteCmd) compared(ctx context.Context, e *env, r *models.Registry, active string) ([]models.Comparison, error) {
	if _, err := r.Get(c.ModelType, c.Version); errors.Is(err, models.ErrNoVersion) {
		return nil, noVersion(c.ModelType, err)
	}
	if c.TrainingData != "" {
		return compareVersions(ctx, e, r, c.ModelType, active, c.Version, c.TrainingData)
	}
	cs, err := c.comparedLive(c.ModelType, active, c.Version)
	if err != nil {
		return nil, &unproven{
			fmt.Sprintf("%s is active, and nothing shows that %s is better: %s", active, c.Version, err),
			"Give rows that neither has learned from with --training-data, or --force",
		}
	}
	return cs, nil
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
	r, j, err := c.change()
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
