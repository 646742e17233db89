package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/collector/store"
	"github.com/upid/upid/forecast/features"
	"github.com/upid/upid/rules/recommend"
)

type predictCmd struct {
	modelFlags `embed:""`
	ModelType  string `required:"" placeholder:"TYPE" help:"Which model to ask: ${model_types}."`
	Features   string `required:"" placeholder:"ROWS" help:"Named features: a file, inline JSON, or - for stdin; an object or an array of objects."`
	Version    string `placeholder:"NAME" help:"Version to ask, such as v2. (default the active one)"`
	Policy     string `enum:"cost,balanced,safe" default:"balanced" placeholder:"NAME" help:"By which the size of a container is advised: ${enum}. (default ${default})"`
	Output     string `short:"o" default:"table" enum:"table,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`
}

// Help is shown by --help.
func (predictCmd) Help() string {
	return `Asks a trained model once, without a server. Names come in any order; what is missing is named and widens the interval, what the model does not know is named and ignored, what is not finite is refused.

resource_prediction answers for every target it was trained on, such as cpu, memory, network and cost 7 days ahead; security_threat with a probability; anomaly_detection with a score whose boundary is 1. A contribution is how much of the difference from the usual value a feature makes.

To a row of resource_prediction that has "container" beside its features, which is what is set of a container and what it used in seven days or more, advice on its size is added, by what upid recommendations sizes with. Without, the advice names what is missing.

Examples:

    upid predict --model-type resource_prediction --features features.json
    upid predict --model-type resource_prediction --features '{"cpu_usage_24h_avg": 0.3, "cpu_usage_7d_avg": 0.2}' -o json

CSV columns: ` + strings.Join(predictColumns, ", ") + `. JSON and YAML are an array of Prediction objects. A missing number is null.
`
}

// Validate is called by kong.
func (c *predictCmd) Validate() error {
	return oneOf("--model-type", c.ModelType, features.Types)
}

// Run predicts.
func (c *predictCmd) Run(ctx context.Context, e *env) error {
	rows, err := c.rows(ctx, e)
	if err != nil {
		return fmt.Errorf("--features: %w", err)
	}
	r, err := c.registry()
	if err != nil {
		return err
	}
	ps, v, err := r.Ask(ctx, models.Query{ModelType: c.ModelType, Version: c.Version, Rows: rows, Policy: c.Policy})
	if err != nil {
		err = fmt.Errorf("predict %s: %w", c.ModelType, err)
		lost := errors.Is(err, store.ErrDamaged) || errors.Is(err, models.ErrNoVersion)
		if stages, serr := r.Stages(c.ModelType); serr == nil && stages.Active != "" && c.Version == "" && lost {
			return fmt.Errorf("%w\n%s is active, and lost: \"upid models rollback %s\" goes back to the version before, \"upid models promote\" takes another", err, stages.Active, c.ModelType)
		}
		return noVersion(c.ModelType, err)
	}
	switch format := output.Format(c.Output); format { //nolint:exhaustive // a table follows
	case output.JSON, output.YAML:
		return output.Objects(e.stdout, format, ps)
	case output.CSV:
		return predictCSV(e, ps)
	}
	return predictTable(e, v, ps, rows.N)
}

func (c *predictCmd) rows(ctx context.Context, e *env) (*models.Rows, error) {
	if text := strings.TrimSpace(c.Features); strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		return models.ReadRows(strings.NewReader(text))
	}
	return readRows(ctx, e, c.Features)
}

// noVersion says what to do where a type has no version.
func noVersion(typ string, err error) error {
	if errors.Is(err, models.ErrNoVersion) {
		return fmt.Errorf("%w\nTrain one with \"upid train %s --training-data FILE\"; \"upid models list\" shows those there are", err, typ)
	}
	return err
}

var predictColumns = []string{
	"id", "model_type", "row", "target", "horizon", "value", "lower", "upper", "unit", "confidence", "confidence_level",
	"model", "model_version", "features_missing", "features_unknown", "contributions",
	"scaling_state", "scaling_action", "scaling_blockers",
}

func predictCSV(e *env, ps []models.Prediction) error {
	schema := output.NewSchema(output.CSV, predictColumns...)
	w, rows := output.NewWriter(e.stdout, schema), schema.Rows(nil)
	for _, p := range ps {
		rows.Text(p.ID)
		rows.Text(p.ModelType)
		rows.Int(p.Row)
		rows.Text(p.Target)
		rows.Text(p.Horizon)
		for _, v := range []*float64{p.Value, p.Lower, p.Upper} {
			rows.Number(value(v))
		}
		rows.Text(p.Unit)
		rows.Number(value(p.Confidence))
		var by []string
		for _, c := range p.Contributions {
			by = append(by, c.Feature+"="+output.Human(c.By))
		}
		state, action, blockers := "", "", []string{}
		if r := p.Scaling; r != nil {
			state, action = string(r.State), r.Action
			for _, bl := range r.Blockers {
				blockers = append(blockers, bl.Code)
			}
		}
		for _, s := range []string{p.ConfidenceLevel, p.Model, p.ModelVersion, strings.Join(p.Missing, " "), strings.Join(p.Unknown, " "), strings.Join(by, " "), state, action, strings.Join(blockers, " ")} {
			rows.Text(s)
		}
	}
	return errors.Join(w.Write(rows.Bytes()), w.Close())
}

// predictTable shows the predictions, the names that matter most, and what is
// missing or not known.
func predictTable(e *env, v *models.Version, ps []models.Prediction, rows int) error {
	st := e.style()
	fmt.Fprintf(e.stdout, "%s %s", st.Bold(v.ModelType), v.Version)
	if v.Horizon != "0s" {
		fmt.Fprintf(e.stdout, ", %s ahead", v.Horizon)
	}
	fmt.Fprintln(e.stdout)
	g := &output.Grid{Head: []string{"ROW", "TARGET", "VALUE", "LOWER", "UPPER", "UNIT", "CONFIDENCE", "MODEL"}, Right: []bool{true, false, true, true, true, false, false, false}, Width: e.width(), Give: 1}
	for _, p := range ps {
		confidence := fmt.Sprintf("%.2f %s", value(p.Confidence), p.ConfidenceLevel)
		g.Add(fmt.Sprint(p.Row+1), p.Target, output.Human(value(p.Value)), output.Human(value(p.Lower)), output.Human(value(p.Upper)), p.Unit, confidence, p.Model)
	}
	if err := g.Write(e.stdout, st); err != nil {
		return err
	}
	if rows == 1 {
		fmt.Fprintln(e.stdout)
		for _, p := range ps {
			var by []string
			for _, c := range p.Contributions[:min(3, len(p.Contributions))] {
				sign := ""
				if c.By > 0 {
					sign = "+"
				}
				by = append(by, fmt.Sprintf("%s %s%s", output.Printable(c.Feature), sign, output.Human(c.By)))
			}
			if len(by) > 0 {
				fmt.Fprintf(e.stdout, "%s because of %s\n", output.Printable(p.Target), strings.Join(by, ", "))
			}
		}
	}
	if err := scalingTold(e, ps); err != nil {
		return err
	}
	return namesTold(e, ps)
}

// scalingTold writes the advice on sizes; of what has none for the same reasons the first
// is named, and the others are counted.
func scalingTold(e *env, ps []models.Prediction) error {
	var b strings.Builder
	held := map[string]int{}
	var order []string
	for _, p := range ps {
		r := p.Scaling
		switch {
		case r == nil:
		case r.State != recommend.StateBlocked:
			b.WriteString("\n")
			writeRecommendation(&b, e.style(), e.width(), r)
		default:
			var why strings.Builder
			for _, bl := range r.Blockers {
				paragraph(&why, "  ✕ ", bl.Text, e.width())
			}
			if held[why.String()]++; held[why.String()] == 1 {
				order = append(order, why.String())
			}
		}
	}
	for _, why := range order {
		b.WriteString("\nno advice on scaling")
		if n := held[why]; n > 1 {
			fmt.Fprintf(&b, " in %d rows", n)
		}
		b.WriteString(":\n" + why)
	}
	_, err := io.WriteString(e.stdout, b.String())
	return err
}

// namesTold says which features are missing and which are not known.
func namesTold(e *env, ps []models.Prediction) error {
	missing, unknown := 0, false
	for _, p := range ps {
		if p.Target != ps[0].Target {
			continue
		}
		if len(p.Missing) > 0 {
			if missing++; missing <= 3 {
				e.warnf("row %d: missing, which widens the intervals: %s", p.Row+1, strings.Join(p.Missing, ", "))
			}
		}
		if len(p.Unknown) > 0 && !unknown {
			unknown = true
			e.warnf("not known to the model, and ignored: %s", strings.Join(p.Unknown, ", "))
		}
	}
	if missing > 3 {
		e.warnf("%d more rows miss features; -o json names them", missing-3)
	}
	return nil
}
