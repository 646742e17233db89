package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/collector/store"
	"github.com/upid/upid/forecast/features"
)

type modelsStateCmd struct {
	modelFlags `embed:""`
	ModelType  string `arg:"" optional:"" name:"model-type" placeholder:"TYPE" help:"Only these: ${model_types}. (default all)"`
	Output     string `short:"o" default:"table" enum:"table,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`
}

// Help is shown by --help.
func (modelsStateCmd) Help() string {
	return `How every model is: untrained, training, shadow, canary, active, degraded, parked or quarantined, and why. It is read from the data directory, whether a sidecar runs or not; JSON and YAML hold the steps of the newest training and what was judged live too.

Examples:

    upid models state
    upid models state resource_prediction -o json

CSV columns: ` + strings.Join(stateColumns, ", ") + `.
`
}

var stateColumns = []string{"model_type", "version", "stage", "state", "reason"}

// Validate is called by kong.
func (c *modelsStateCmd) Validate() error { return oneOf("MODEL_TYPE", c.ModelType, features.Types) }

// shownState is the state of a type in JSON and YAML.
type shownState struct {
	ModelType string              `json:"model_type"`
	States    []models.ModelState `json:"states"`
	NotLive   string              `json:"not_live"` // why its versions are not compared live, "" if they are
	Pipeline  *models.Progress    `json:"pipeline"` // null: it was never trained by itself nor judged live
}

// progress returns how far the pipelines of the types are, as the sidecar wrote it down.
func (f *modelFlags) progress() (map[string]*models.Progress, error) {
	at, keys, err := f.open()
	if err != nil {
		return nil, err
	}
	return models.ReadProgress(models.ProgressFile(at.dir, keys))
}

// Run prints the states.
func (c *modelsStateCmd) Run(e *env) error {
	r, err := c.registry()
	if err != nil {
		return err
	}
	progress, err := c.progress()
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return err
	}
	if err != nil {
		e.warnf("%v", err)
	}
	types := features.Types
	if c.ModelType != "" {
		types = []string{c.ModelType}
	}
	all := []shownState{}
	for _, typ := range types {
		p := progress[typ]
		s := shownState{ModelType: typ, NotLive: models.NotLive(typ), Pipeline: p}
		if p == nil {
			p = &models.Progress{ModelType: typ}
		}
		var err error
		if s.States, err = r.States(typ, p); err != nil {
			e.warnf("%v", err)
		}
		all = append(all, s)
	}
	return writeStates(e, output.Format(c.Output), all)
}

func writeStates(e *env, format output.Format, all []shownState) error {
	switch format { //nolint:exhaustive // a table follows
	case output.JSON, output.YAML:
		return output.Objects(e.stdout, format, all)
	case output.CSV:
		schema := output.NewSchema(format, stateColumns...)
		w, rows := output.NewWriter(e.stdout, schema), schema.Rows(nil)
		for _, s := range all {
			for _, m := range s.States {
				for _, cell := range []string{m.ModelType, m.Version, m.Stage, m.State, m.Reason} {
					rows.Text(cell)
				}
			}
		}
		return errors.Join(w.Write(rows.Bytes()), w.Close())
	}
	g := &output.Grid{Head: []string{"TYPE", "VERSION", "STATE", "WHY"}, Right: make([]bool, 4), Width: e.width(), Give: 3}
	for _, s := range all {
		for _, m := range s.States {
			version := m.Version
			if version == "" {
				version = "-"
			}
			g.Add(m.ModelType, version, m.State, output.Printable(m.Reason))
		}
	}
	return g.Write(e.stdout, e.style())
}

// writePipeline prints the steps of the newest training of a type, and what was judged live.
func writePipeline(e *env, p *models.Progress) error {
	if p == nil {
		return nil
	}
	if len(p.Steps) > 0 {
		title := "What the sidecar did by itself:"
		if p.StartedAt != nil {
			title = "The newest training by itself (cause: " + p.Cause + "), and what became of its version:"
		}
		fmt.Fprintln(e.stdout, "\n"+title)
		for _, s := range p.Steps {
			fmt.Fprintf(e.stdout, "%s  %-9s %s\n", output.Timestamp(int64(s.At*1000), e.loc), s.Step, output.Printable(s.Detail))
		}
	}
	switch {
	case p.Waits != "":
		fmt.Fprintf(e.stdout, "The next one waits: %s.\n", output.Printable(p.Waits))
	case p.NextAt != nil && p.EndedAt != nil:
		fmt.Fprintf(e.stdout, "The next one is due %s.\n", output.Timestamp(int64(*p.NextAt*1000), e.loc))
	}
	return writeLive(e, p.Live)
}

func writeLive(e *env, j *models.Judged) error {
	switch {
	case j == nil:
		return nil
	case j.Error != "":
		fmt.Fprintf(e.stdout, "\nVersions could not be judged live of late: %s\n", output.Printable(j.Error))
	}
	if len(j.Live) == 0 {
		return nil
	}
	fmt.Fprintf(e.stdout, "\nJudged live %s, on rows newer than all a version has seen:\n", output.Timestamp(int64(j.At*1000), e.loc))
	g := &output.Grid{
		Head:  []string{"VERSION", "STAGE", "TARGET", "ROWS", "TIMES", "ERROR", "NAIVE", "SKILL", "COVERAGE", "ALERTS"},
		Right: []bool{false, false, false, true, true, true, true, true, true, true}, Width: e.width(),
	}
	for _, l := range j.Live {
		g.Add(l.Version, l.Stage, output.Printable(l.Target), output.Count(l.Rows), output.Count(l.Times), output.Human(value(l.Loss)), output.Human(value(l.Naive)), figure(value(l.Skill)), figure(value(l.Coverage)), output.Count(l.Alerts))
	}
	if err := g.Write(e.stdout, e.style()); err != nil {
		return err
	}
	for _, p := range j.Pairs {
		said := p.Error
		if said == "" {
			said = models.Say(p.Comparisons)
		}
		fmt.Fprintf(e.stdout, "%s (%s) beside %s: %s\n", p.Version, p.Stage, p.Active, output.Printable(said))
	}
	if j.Drift != "" {
		fmt.Fprintf(e.stdout, "Drift of %s\n", output.Printable(j.Drift))
	}
	return nil
}

// judgedLive returns what was judged live of a type, nil if nothing was.
func (f *modelFlags) judgedLive(typ string) (*models.Judged, error) {
	progress, err := f.progress()
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return nil, err
	}
	if p := progress[typ]; p != nil {
		return p.Live, nil
	}
	return nil, nil //nolint:nilnil // nothing is known
}
