package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/views"
)

type predictionsCmd struct {
	sidecarFlags `embed:""`
	ModelType    string   `placeholder:"TYPE" help:"Only these: ${model_types}. (default all forecasts)"`
	Confidence   string   `placeholder:"LEVEL" help:"Only those with at least that confidence: ${confidence_levels}."`
	Signal       string   `placeholder:"NAME" help:"Only those of one signal."`
	Horizon      duration `placeholder:"DURATION" help:"Only those for one of the signal's horizons, such as 1d."`
	All          bool     `help:"Every series in the table; else the five of each signal with the highest scores or the largest forecasts, of one signal all."`
	Limit        int      `default:"1000" placeholder:"N" help:"How many at most, 0 is all. (default ${default})"`
	Output       string   `short:"o" default:"table" enum:"table,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`
}

// Help is shown by --help.
func (predictionsCmd) Help() string {
	return `What a running sidecar expects now. resource_prediction and cost_optimization list forecasts, anomaly_detection the current scores. security_threat lists the risk of each entity, where the configuration has the key threats.

Examples:

    upid predictions
    upid predictions --confidence high --horizon 1d
    upid predictions --model-type anomaly_detection --signal api_cpu -o json
    upid predictions --address http://monitor:9877 -o csv

CSV columns: ` + strings.Join(predictionColumns, ", ") + `. JSON and YAML are an array of the objects of the HTTP API. A missing number is null.
`
}

// Validate is called by kong.
func (c *predictionsCmd) Validate() error {
	errs := []error{
		c.sidecarFlags.Validate(),
		oneOf("--model-type", c.ModelType, views.ModelTypes),
		oneOf("--confidence", c.Confidence, views.ConfidenceLevels()),
	}
	if c.Horizon < 0 {
		errs = append(errs, fmt.Errorf("--horizon is %s, want more than 0", c.Horizon))
	}
	if c.Limit < 0 {
		errs = append(errs, fmt.Errorf("--limit is %d, want 0 or more", c.Limit))
	}
	return errors.Join(errs...)
}

// oneOf refuses a value that is in none of the list; "" is not given.
func oneOf(flag, value string, values []string) error {
	if value == "" || slices.Contains(values, value) {
		return nil
	}
	return fmt.Errorf("%s is %q, want one of %s", flag, value, strings.Join(values, ", "))
}

// filter returns the parameters that are not empty, by name and value in turn.
func filter(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

// Run prints the predictions.
func (c *predictionsCmd) Run(ctx context.Context, e *env) error {
	horizon := ""
	if c.Horizon > 0 {
		horizon = c.Horizon.String()
	}
	cl := c.client(e)
	ps, total, err := all[views.Prediction](ctx, cl, "predictions",
		filter("model_type", c.ModelType, "confidence", c.Confidence, "signal", c.Signal, "horizon", horizon), c.Limit)
	if err != nil {
		return err
	}
	cl.sayDoubt(e)
	if len(ps) == 0 {
		asked, err := cl.explain(ctx, e, c.Signal)
		if err != nil {
			return err
		}
		c.hint(e, asked)
	}
	if len(ps) < total {
		e.warnf("%s of %s shown; --limit 0 shows all", output.Count(len(ps)), output.Count(total))
	}
	switch format := output.Format(c.Output); format { //nolint:exhaustive // a table follows
	case output.CSV:
		return c.csv(e, ps)
	case output.JSON, output.YAML:
		return output.Objects(e.stdout, format, ps)
	}
	if len(ps) == 0 {
		_, err := fmt.Fprintln(e.stdout, "no predictions")
		return err
	}
	return predictionTable(e.stdout, e.style(), e.width(), ps, c.All || c.Signal != "")
}

// explain says beside an empty answer which signals have nothing to say yet, and
// refuses a signal that does not exist. It returns those it looked at.
func (c *client) explain(ctx context.Context, e *env, only string) ([]views.SignalStatus, error) {
	signals, _, err := all[views.SignalStatus](ctx, c, "signals", url.Values{}, 0)
	if err != nil {
		return nil, err
	}
	var names []string
	var asked []views.SignalStatus
	quiet := map[string][]string{} // by state
	for _, s := range signals {
		names = append(names, s.Name)
		if only != "" && only != s.Name {
			continue
		}
		asked = append(asked, s)
		quiet[s.State] = append(quiet[s.State], s.Name)
		if s.State != "failing" {
			continue
		}
		for _, pass := range []string{"fit", "score"} {
			if p := s.Passes[pass]; p.Error != "" {
				e.warnf("signal %s is failing: %s: %s", s.Name, pass, p.Error)
			}
		}
	}
	if only != "" && len(asked) == 0 {
		return nil, usageErrorf("--signal is %q, want one of %s", only, output.Printable(strings.Join(names, ", ")))
	}
	for _, state := range []struct{ name, one, more string }{
		{"waiting", "waits for data: its query has no series yet", "wait for data: their queries have no series yet"},
		{"learning", "is learning", "are learning"},
		{"stale", "is stale: its newest results are too old", "are stale: their newest results are too old"},
	} {
		switch ns := quiet[state.name]; len(ns) {
		case 0:
		case 1:
			e.warnf("signal %s %s", ns[0], state.one)
		default:
			const named = 8 // all of them: upid dashboard
			more := ""
			if n := len(ns) - named; n > 1 {
				ns, more = ns[:named], fmt.Sprintf(" and %d more", n)
			}
			e.warnf("%d signals %s: %s%s", len(quiet[state.name]), state.more, strings.Join(ns, ", "), more)
		}
	}
	return asked, nil
}

// hint says why there may be no predictions, though nothing fails.
func (c *predictionsCmd) hint(e *env, asked []views.SignalStatus) {
	series, forecast := 0, 0
	young := len(asked) == 0
	for _, s := range asked {
		series += s.Series
		forecast += s.Forecast
		young = young || s.State == "waiting" || s.State == "learning" || s.State == "active"
	}
	switch {
	case c.ModelType == views.SecurityThreat:
		e.warnf("no entity has a risk; upid threats says what is watched")
	case forecast > 0:
		e.warnf("%s of %s series are forecast, but none matches the flags given; upid predictions without them lists signals and horizons", output.Count(forecast), output.Count(series))
	case young:
		e.warnf("no series is forecast yet; " + historyWanted)
	}
}

var predictionColumns = []string{
	"id", "model_type", "signal", "series", "slot", "horizon", "value", "lower", "upper", "unit",
	"confidence", "confidence_level", "model", "model_version", "observed", "peak", "score",
}

func (c *predictionsCmd) csv(e *env, ps []views.Prediction) error {
	schema := output.NewSchema(output.CSV, predictionColumns...)
	w, rows := output.NewWriter(e.stdout, schema), schema.Rows(nil)
	for i := range ps {
		p := &ps[i]
		for _, s := range []string{p.ID, p.ModelType, p.Signal, canonical(p.Labels)} {
			rows.Text(s)
		}
		rows.Number(p.Slot)
		rows.Text(p.Horizon)
		for _, v := range []*float64{p.Value, p.Lower, p.Upper} {
			rows.Number(value(v))
		}
		rows.Text(p.Unit)
		rows.Number(value(p.Confidence))
		for _, s := range []string{p.ConfidenceLevel, p.Model, p.ModelVersion} {
			rows.Text(s)
		}
		for _, v := range []*float64{p.Observed, p.Peak, p.Score} {
			rows.Number(value(v))
		}
	}
	return errors.Join(w.Write(rows.Bytes()), w.Close())
}
