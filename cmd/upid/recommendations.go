package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/views"
	"github.com/upid/upid/rules/recommend"
)

type recommendationsCmd struct {
	sidecarFlags        `embed:""`
	OptimizationType    string   `placeholder:"TYPE" help:"Only these: ${optimization_types}."`
	Kind                string   `placeholder:"KIND" help:"Only these: ${recommendation_kinds}."`
	Namespace           string   `placeholder:"NAME" help:"Only those of one namespace."`
	ConfidenceThreshold *float64 `placeholder:"P" help:"Only those with at least that confidence, 0 to 1. (default 0.7; what is urgent is shown whatever its confidence unless this is given)"`
	All                 bool     `help:"Also what is held back, and what was looked at and is near enough to the best."`
	Reverse             bool     `help:"With -o patch: what undoes the patches, in the order to apply it."`
	Limit               int      `default:"100" placeholder:"N" help:"How many at most, 0 is all. (default ${default})"`
	Output              string   `short:"o" default:"table" enum:"table,json,yaml,csv,patch" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`
}

// Help is shown by --help.
func (recommendationsCmd) Help() string {
	return `What to change, why, what it saves and what it risks, as a running sidecar sees it. upid changes nothing itself: -o patch prints kubectl commands, and with --reverse those that undo them.

Examples:

    upid recommendations
    upid recommendations --optimization-type cost_reduction --confidence-threshold 0.8
    upid recommendations --all --namespace shop
    upid recommendations --kind hpa_at_max -o patch
    upid recommendations --kind hpa_at_max -o patch --reverse

CSV columns: ` + strings.Join(recommendationColumns, ", ") + `. JSON and YAML are an array of the objects of the HTTP API. A missing number is null.
`
}

// Validate is called by kong.
func (c *recommendationsCmd) Validate() error {
	errs := []error{
		c.sidecarFlags.Validate(),
		oneOf("--optimization-type", c.OptimizationType, views.OptimizationTypes),
		oneOf("--kind", c.Kind, adviceKinds()),
	}
	if p := c.ConfidenceThreshold; p != nil && !(*p >= 0 && *p <= 1) {
		errs = append(errs, fmt.Errorf("--confidence-threshold is %g, want 0 to 1", *p))
	}
	if c.Limit < 0 {
		errs = append(errs, fmt.Errorf("--limit is %d, want 0 or more", c.Limit))
	}
	if c.Reverse && c.Output != "patch" {
		errs = append(errs, errors.New("--reverse is for -o patch"))
	}
	return errors.Join(errs...)
}

// Run prints the recommendations.
func (c *recommendationsCmd) Run(ctx context.Context, e *env) error {
	cl := c.client(e)
	found, _, err := all[recommend.Recommendation](ctx, cl, "recommendations",
		filter("optimization_type", c.OptimizationType, "kind", c.Kind, "namespace", c.Namespace), 0)
	if err != nil {
		return err
	}
	cl.sayDoubt(e)
	shown, doubtful, held := c.choose(found)
	if len(found) == 0 {
		if err := c.hint(ctx, cl, e); err != nil {
			return err
		}
	}
	if n := len(shown); c.Limit > 0 && n > c.Limit {
		shown = shown[:c.Limit]
		e.warnf("%s of %s shown; --limit 0 shows all", output.Count(c.Limit), output.Count(n))
	}
	if c.Output != "table" && len(shown) == 0 && doubtful > 0 {
		e.warnf("%s", belowText(doubtful))
	}
	switch format := output.Format(c.Output); format { //nolint:exhaustive // patch and table follow
	case output.CSV:
		return c.csv(e, shown)
	case output.JSON, output.YAML:
		return output.Objects(e.stdout, format, shown)
	}
	if c.Output == "patch" {
		return c.patches(e, shown)
	}
	return recommendationTable(e.stdout, e.style(), e.width(), shown, doubtful, held)
}

// leastConfidence is the default of --confidence-threshold.
const leastConfidence = 0.7

// sure reports whether r is confident enough to be shown. What is urgent alerts,
// so only a threshold that is asked for hides it.
func (c *recommendationsCmd) sure(r *recommend.Recommendation) bool {
	if c.ConfidenceThreshold != nil {
		return r.Confidence >= *c.ConfidenceThreshold
	}
	return r.Confidence >= leastConfidence || urgent(r)
}

// urgent reports whether r is to be followed now.
func urgent(r *recommend.Recommendation) bool {
	return r.State == recommend.StateOpen && r.Urgency == recommend.UrgencyNow
}

// urgentAside says beside a list of anomalies that something urgent is open which
// is none: it alerts, but is a recommendation.
func (c *client) urgentAside(ctx context.Context, e *env) error {
	const most = 100 // what is urgent comes first
	rs, _, err := all[recommend.Recommendation](ctx, c, "recommendations", filter("state", string(recommend.StateOpen)), most)
	if err != nil {
		return err
	}
	n := 0
	for i := range rs {
		if urgent(&rs[i]) {
			n++
		}
	}
	switch {
	case n == most:
		e.warnf("%d recommendations and more are urgent, which are no anomalies; upid recommendations lists them", n)
	case n > 0:
		e.warnf("%s urgent, which is no anomaly; upid recommendations says what to do", plural(n, "recommendation is", "recommendations are"))
	}
	return nil
}

// choose returns what is shown, and how many are left out because they are
// doubtful or held back.
func (c *recommendationsCmd) choose(found []recommend.Recommendation) (shown []recommend.Recommendation, doubtful int, held []recommend.Recommendation) {
	shown = []recommend.Recommendation{}
	for _, r := range found {
		switch {
		case c.All && (r.State != recommend.StateOpen || c.sure(&r)):
			shown = append(shown, r)
		case r.State == recommend.StateBlocked:
			held = append(held, r)
		case r.State == recommend.StateKept:
		case !c.sure(&r):
			doubtful++
		default:
			shown = append(shown, r)
		}
	}
	return shown, doubtful, held
}

// hint says why there is nothing.
func (c *recommendationsCmd) hint(ctx context.Context, cl *client, e *env) error {
	signals, _, err := all[views.SignalStatus](ctx, cl, "signals", url.Values{}, 0)
	if err != nil {
		return err
	}
	about := map[string]string{}
	for _, s := range signals {
		if slices.Contains(adviceNames, s.Name) {
			about[s.State] = s.Name
		}
		for _, pass := range []string{"fit", "score"} {
			if p := s.Passes[pass]; slices.Contains(adviceNames, s.Name) && p.Error != "" {
				e.warnf("%s is failing: %s: %s", s.Name, pass, p.Error)
			}
		}
	}
	switch {
	case len(about) == 0:
		e.warnf("recommendations are off; put \"recommendations: {}\" into the configuration")
	case about["learning"] != "" || about["waiting"] != "":
		e.warnf("nothing is known yet: the history is being read")
	}
	return nil
}

var recommendationColumns = []string{
	"id", "optimization_type", "kind", "state", "urgency", "cluster", "namespace", "workload_kind", "workload", "container", "action", "current", "recommended",
	"savings_monthly", "savings_realisable_monthly", "currency", "confidence", "risk_level", "effort", "reasons", "blockers",
}

func (c *recommendationsCmd) csv(e *env, rs []recommend.Recommendation) error {
	schema := output.NewSchema(output.CSV, recommendationColumns...)
	w, rows := output.NewWriter(e.stdout, schema), schema.Rows(nil)
	for i := range rs {
		r := &rs[i]
		for _, s := range []string{
			r.ID, string(r.OptimizationType), string(r.Kind), string(r.State), string(r.Urgency), r.Target.Cluster, r.Target.Namespace, r.Target.Kind, r.Target.Name,
			r.Target.Container, r.Action, amountsText(r.Current), amountsText(r.Recommended),
		} {
			rows.Text(s)
		}
		rows.Number(value(r.Impact.SavingsMonthly))
		rows.Number(value(r.Impact.SavingsRealisable))
		rows.Text(r.Impact.Currency)
		rows.Number(r.Confidence)
		rows.Text(string(r.Risk.Level))
		rows.Text(string(r.Risk.Effort))
		rows.Text(strings.Join(r.Reasons, "; "))
		rows.Text(blockersText(r.Blockers))
	}
	return errors.Join(w.Write(rows.Bytes()), w.Close())
}

// amountsText writes amounts as resource=value, sorted.
func amountsText(a recommend.Amounts) string {
	var out []string
	for k, v := range a {
		out = append(out, fmt.Sprintf("%s=%g", k, v))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func blockersText(bs []recommend.Blocker) string {
	var out []string
	for _, b := range bs {
		out = append(out, b.Code+": "+b.Text)
	}
	return strings.Join(out, "; ")
}

// patches prints a kubectl command for each patch of what is open.
func (c *recommendationsCmd) patches(e *env, rs []recommend.Recommendation) error {
	var b strings.Builder
	n := 0
	if c.Reverse {
		rs = slices.Clone(rs)
		slices.Reverse(rs)
	}
	for _, r := range rs {
		of := r.Patch
		if c.Reverse {
			of = r.ReversePatch
		}
		if len(of) == 0 || r.State != recommend.StateOpen {
			continue
		}
		fmt.Fprintf(&b, "# %s: %s\n", output.Printable(r.ID), output.Printable(r.Action))
		for _, p := range of {
			line, err := kubectl(p)
			if err != nil {
				return err
			}
			b.WriteString(line + "\n")
			n++
		}
	}
	switch {
	case n > 0:
	case len(rs) == 0:
		e.warnf("no recommendations")
	default:
		e.warnf("none of the %s has a patch: their steps are not a change of one object", plural(len(rs), "recommendation", "recommendations"))
	}
	_, err := io.WriteString(e.stdout, b.String())
	return err
}

// kubectl returns the command that applies p.
func kubectl(p recommend.Patch) (string, error) {
	var compact json.RawMessage
	if err := json.Unmarshal(p.Body, &compact); err != nil {
		return "", fmt.Errorf("patch of %s/%s: %w", p.Kind, p.Name, err)
	}
	parts := []string{"kubectl"}
	if p.Namespace != "" {
		parts = append(parts, "--namespace", quoted(p.Namespace))
	}
	parts = append(parts, "patch", quoted(strings.ToLower(p.Kind)), quoted(p.Name), "--type", quoted(p.Type))
	if p.Subresource != "" {
		parts = append(parts, "--subresource", quoted(p.Subresource))
	}
	return strings.Join(append(parts, "--patch", quoted(string(compact))), " "), nil
}

// quoted returns s as a shell takes it for one word.
func quoted(s string) string {
	plain := s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/:", r)
	})
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
