package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector"
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/collector/store"
	"github.com/upid/upid/forecast/features"
)

type performanceCmd struct {
	modelFlags `embed:""`
	ModelType  string `arg:"" name:"model-type" placeholder:"TYPE" help:"Which models: ${model_types}."`
	Address    string `placeholder:"URL" help:"Sidecar to ask for versions and live figures. (default versions of the data directory, live figures of the sidecar that holds it)"`
	Output     string `short:"o" default:"table" enum:"table,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`
}

// Help is shown by --help.
func (performanceCmd) Help() string {
	return `How good the versions of a model type were on rows they had not learned from: for numbers the skill (1 − error ÷ that of the naive prediction), MASE, sMAPE and the share of values the interval held; for threats precision, recall, the areas under ROC and precision-recall curves, the Brier score and how far off probabilities are; for anomalies how many ordinary rows lie above the boundary. The version with a star answers upid predict.

Below are the rows and the time it was trained on, its calibration curve (what an interval or a probability said, and the share that came true), and which features drifted between the rows learned from and those judged on (PSI: above 0.25 they are another population).

Of a running sidecar it shows live figures too: what the versions in use would have said since they were made against what came, and the published forecasts of signals by horizon, each against naive. What is worse than naive for long enough is demoted, and says so.

Examples:

    upid performance resource_prediction
    upid performance security_threat -o json
    upid performance resource_prediction --address http://upid:9877

CSV has a line for each version and target; JSON and YAML are an array of one object, that of /api/v1/performance, with curves, drift, the importance of the features and live figures; signals is null where no sidecar was asked, and live where nothing was judged.
`
}

// Validate is called by kong.
func (c *performanceCmd) Validate() error {
	return errors.Join(oneOf("MODEL_TYPE", c.ModelType, features.Types), (&sidecarFlags{Address: c.Address}).Validate())
}

// Run prints the figures.
func (c *performanceCmd) Run(ctx context.Context, e *env) error {
	p, err := c.figures(ctx, e)
	if err != nil {
		return err
	}
	if len(p.Versions) == 0 && len(p.Signals) == 0 {
		return noVersion(c.ModelType, fmt.Errorf("%s: %w", c.ModelType, models.ErrNoVersion))
	}
	switch f := output.Format(c.Output); f { //nolint:exhaustive // a table follows
	case output.JSON, output.YAML:
		return output.Objects(e.stdout, f, []models.Performance{p})
	case output.CSV:
		return recordsCSV(e, p.Versions)
	}
	if len(p.Versions) == 0 {
		fmt.Fprintf(e.stdout, "%s: no version is trained\n", e.style().Bold(c.ModelType))
	} else if err := recordTable(e, p.Versions); err != nil {
		return err
	}
	if len(p.Versions) > 0 && slices.ContainsFunc(metricColumns(c.ModelType), func(m metricColumn) bool { return m.metric == "mase" }) {
		fmt.Fprintln(e.stdout, "SKILL is against the naive prediction of the same rows; MASE is in units of naive's error on the rows learned from: above 1 with a skill above 0, the new rows were harder for both.")
	}
	for _, r := range p.Versions {
		if r.Stage == models.Active {
			recordNotes(e, r)
		}
	}
	return liveTables(e, p)
}

// figures asks the data directory and the sidecar that holds it, or only the one of Address.
func (c *performanceCmd) figures(ctx context.Context, e *env) (models.Performance, error) {
	if c.Address != "" {
		return c.ask(ctx, (&sidecarFlags{Address: c.Address}).client(e))
	}
	out := models.Performance{ModelType: c.ModelType, Versions: []models.Record{}}
	at, err := c.where()
	if err != nil {
		return out, err
	}
	r, err := c.registry()
	if err != nil {
		return out, err
	}
	records, err := r.Records(c.ModelType)
	if err != nil {
		if len(records) == 0 {
			return out, err
		}
		e.warnf("%v", err)
	}
	out.Versions = append(out.Versions, records...)
	owner, err := store.Find(at.dir)
	if err != nil {
		if !errors.Is(err, store.ErrNotRunning) {
			e.warnf("no live figures: %v", err)
		}
		return out, nil // nothing runs there, so nothing is judged live
	}
	base := reachable(owner.Addresses)
	if base == "" {
		return out, nil
	}
	running, err := c.ask(ctx, (&sidecarFlags{Address: base}).client(e))
	if err != nil {
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		e.warnf("no live figures: %v", err)
		return out, nil
	}
	out.Live, out.Signals = running.Live, running.Signals
	return out, nil
}

func (c *performanceCmd) ask(ctx context.Context, from *client) (models.Performance, error) {
	var ps []models.Performance
	if _, _, err := from.get(ctx, "performance", url.Values{"model_type": {c.ModelType}}, &ps); err != nil {
		return models.Performance{}, err
	}
	if len(ps) != 1 || ps[0].ModelType != c.ModelType {
		return models.Performance{}, fmt.Errorf("%s answers with %d model types, want %s", from.base, len(ps), c.ModelType)
	}
	return ps[0], nil
}

// liveTables shows what a sidecar measured.
func liveTables(e *env, p models.Performance) error {
	if p.Signals == nil {
		fmt.Fprintln(e.stdout, "\nNo sidecar runs on this data directory, so nothing is judged live; --address names one elsewhere.")
		return nil
	}
	st := e.style()
	switch j := p.Live; {
	case j == nil:
		fmt.Fprintln(e.stdout, "\nNo version was judged live yet.")
	case j.Error != "":
		fmt.Fprintf(e.stdout, "\nNo version could be judged live: %s\n", output.Printable(j.Error))
	default:
		fmt.Fprintf(e.stdout, "\n%s, what versions would have said since they were made against what came (%s):\n", st.Bold("live"), output.Timestamp(int64(j.At*1000), e.loc))
		g := &output.Grid{
			Head:  []string{"VERSION", "STAGE", "TARGET", "JUDGED", "TIMES", "SKILL", "MASE", "SMAPE", "COVERAGE", "BIAS", "RESIDUALS", "AGAINST NAIVE"},
			Right: []bool{false, false, false, true, true, true, true, true, true, true, true, false}, Width: e.width(), Give: 0,
		}
		for _, l := range j.Live {
			verdict := l.Verdict
			if l.Demoted != "" {
				verdict = "demoted"
			}
			g.Add(l.Version, l.Stage, l.Target, fmt.Sprint(l.Rows), fmt.Sprint(l.Times), figure(value(l.Skill)), figure(value(l.MASE)), figure(value(l.SMAPE)),
				figure(value(l.Coverage)), figure(value(l.Bias)), figure(value(l.Residual)), verdict)
		}
		if err := g.Write(e.stdout, st); err != nil {
			return err
		}
		for _, l := range j.Live {
			if l.Demoted != "" {
				fmt.Fprintf(e.stdout, "%s of %s is demoted: %s.\n", output.Printable(l.Target), l.Version, output.Printable(l.Demoted))
			}
		}
		if j.Drift != "" {
			fmt.Fprintf(e.stdout, "Drift of %s.\n", output.Printable(j.Drift))
		}
		driftLine(e, "Drift of features since the active version was trained", j.Features)
	}
	if len(p.Signals) == 0 {
		return nil
	}
	fmt.Fprintf(e.stdout, "\n%s, judged when their time came:\n", st.Bold("published forecasts"))
	g := &output.Grid{Head: []string{"SIGNAL", "STAGE", "HORIZON", "JUDGED", "SKILL", "MASE", "COVERAGE"}, Right: []bool{false, false, true, true, true, true, true}, Width: e.width(), Give: 0}
	for _, s := range p.Signals {
		g.Add(s.Signal, s.Stage, s.Horizon, fmt.Sprint(s.Forecasts), figure(value(s.Skill)), figure(value(s.MASE)), figure(value(s.Coverage)))
	}
	if err := g.Write(e.stdout, st); err != nil {
		return err
	}
	if slices.ContainsFunc(p.Signals, func(s models.SignalLive) bool { return s.Forecasts < collector.LeastJudged }) {
		fmt.Fprintf(e.stdout, "Figures come with %d judged forecasts.\n", collector.LeastJudged)
	}
	said := map[string]bool{}
	for _, s := range p.Signals {
		if s.Demoted != "" && !said[s.Signal] {
			said[s.Signal] = true
			fmt.Fprintf(e.stdout, "%s is demoted: %s.\n", output.Printable(s.Signal), output.Printable(s.Demoted))
		}
	}
	return nil
}

// otherPopulation is the stability index above which rows are by custom of another
// population than those learned from (Siddiqi 2006).
const otherPopulation = 0.25

// driftLine names the features that moved most, if there are any to speak of.
func driftLine(e *env, what string, drift []models.Drift) {
	if len(drift) == 0 {
		return
	}
	var said []string
	for _, d := range drift[:min(3, len(drift))] {
		said = append(said, fmt.Sprintf("%s %s", output.Printable(d.Feature), figure(d.PSI)))
	}
	fmt.Fprintf(e.stdout, "%s (PSI, above 0.25 is another population): %s\n", what, strings.Join(said, ", "))
	if drift[0].PSI > otherPopulation {
		fmt.Fprintln(e.stdout, "What was learned may not hold there: look whether what these features measure has changed, and train again on a longer or newer history.")
	}
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
	err = errors.Join(errs...)
	switch none := len(records) == 0 && output.Format(c.Output) == output.Table; {
	case none && err != nil: // what cannot be read is not none
	case none:
		fmt.Fprintln(e.stdout, "no versions; upid train makes one")
	default:
		if err := writeRecords(e, c.Output, records); err != nil {
			return err
		}
	}
	return err
}
