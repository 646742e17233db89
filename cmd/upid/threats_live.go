package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/store"
	"github.com/upid/upid/collector/views"
	"github.com/upid/upid/detect/threat"
)

// threatsLive are the flags of upid threats without --input: questions to a running sidecar.
type threatsLive struct {
	sidecarFlags `embed:""`
	Action       string   `arg:"" optional:"" enum:"list,purge" default:"list" help:"list (the default), or purge: forget what is on record about --entity."`
	Threat       string   `placeholder:"THREAT" help:"Only these: ${threats}."`
	Severity     string   `placeholder:"SEVERITY" help:"Only these: ${severities}."`
	Signal       string   `placeholder:"NAME" help:"Only those of one signal, such as threats-ssh."`
	Entity       string   `placeholder:"NAME" help:"Only those about one entity, and campaigns that name it; with purge what is forgotten."`
	Open         bool     `help:"Only those that have not ended."`
	Since        duration `default:"7d" placeholder:"DURATION" help:"Those that ended longer ago are left out. (default ${default})"`
	Limit        int      `default:"100" placeholder:"N" help:"How many at most, 0 is all on record. (default ${default})"`
}

// check is called by Validate of the command.
func (c *threatsLive) check(files bool) error {
	errs := []error{
		c.Validate(), oneOf("--threat", c.Threat, threat.Threats), oneOf("--severity", c.Severity, series.Severities),
	}
	if c.Since < 0 {
		errs = append(errs, fmt.Errorf("--since is %s, want 0 or more", c.Since))
	}
	if c.Limit < 0 {
		errs = append(errs, fmt.Errorf("--limit is %d, want 0 or more", c.Limit))
	}
	switch {
	case c.Action == "purge" && files:
		errs = append(errs, errors.New("purge forgets what is on record and reads no --input"))
	case c.Action == "purge" && c.Entity == "":
		errs = append(errs, errors.New("purge needs --entity NAME"))
	case files && (c.Threat != "" || c.Severity != "" || c.Signal != "" || c.Entity != "" || c.Open || c.Address != ""):
		errs = append(errs, errors.New("--input reads files; --threat, --severity, --signal, --entity, --open and --address ask a running sidecar"))
	}
	return errors.Join(errs...)
}

// ask prints what a running sidecar has on record.
func (c *threatsLive) ask(ctx context.Context, e *env, format output.Format, failOnFinding bool) error {
	state := ""
	if c.Open {
		state = views.Open
	}
	since := strconv.FormatInt(time.Now().Add(-time.Duration(c.Since)).Unix(), 10)
	cl := c.client(e)
	ts, total, err := all[views.Threat](ctx, cl, "threats",
		filter("threat", c.Threat, "severity", c.Severity, "signal", c.Signal, "entity", c.Entity, "state", state, "since", since), c.Limit)
	if err != nil {
		return err
	}
	cl.sayDoubt(e)
	if len(ts) == 0 {
		if err := c.watching(ctx, e, cl); err != nil {
			return err
		}
	}
	if len(ts) < total {
		e.warnf("%s of %s shown; --limit 0 shows all", output.Count(len(ts)), output.Count(total))
	}
	switch format { //nolint:exhaustive // a table follows
	case output.CSV:
		err = threatCSV(e, ts)
	case output.JSON, output.YAML:
		err = output.Objects(e.stdout, format, ts)
	default:
		err = threatTable(e.stdout, e.style(), e.width(), e.loc, ts)
	}
	if err == nil && failOnFinding && len(ts) > 0 {
		return &exitError{code: exitFinding, err: nil}
	}
	return err
}

// watching says beside an empty answer what is watched.
func (c *threatsLive) watching(ctx context.Context, e *env, cl *client) error {
	var presets []threatStatus
	if _, _, err := cl.get(ctx, "status/threats", nil, &presets); err != nil {
		return err
	}
	if len(presets) == 0 {
		var status runtimeStatus
		if _, _, err := cl.get(ctx, "status/runtime", nil, &status); err != nil {
			return err
		}
		if !status.Threats {
			e.warnf("nothing is watched: the configuration has no key threats; \"threats: {}\" watches what there are metrics for")
			return nil
		}
		e.warnf("nothing is watched yet: the configuration has the key threats, but no preset's metrics were found so far; upid check --live says which are missing")
		return nil
	}
	var names []string
	for _, p := range presets {
		names = append(names, fmt.Sprintf("%s (by %s)", p.Preset, p.EntityType))
	}
	e.warnf("watched are %s", output.Printable(strings.Join(names, ", ")))
	return nil
}

var threatObjectColumns = []string{
	"id", "threat", "technique", "severity", "risk", "confidence", "entity", "entity_type", "observed", "expected", "evidence",
	"first_seen", "last_seen", "ended_at", "signal", "recurrences", "stale", "summary", "first_action",
}

func threatCSV(e *env, ts []views.Threat) error {
	schema := output.NewSchema(output.CSV, threatObjectColumns...)
	w, rows := output.NewWriter(e.stdout, schema), schema.Rows(nil)
	for i := range ts {
		t := &ts[i]
		for _, s := range []string{t.ID, t.Threat, t.Technique, t.Severity} {
			rows.Text(s)
		}
		rows.Number(t.Risk)
		rows.Number(t.Confidence)
		rows.Text(t.Entity)
		rows.Text(t.EntityType)
		rows.Number(value(t.Observed))
		rows.Number(value(t.Expected))
		rows.Text(strings.Join(t.Evidence, "; "))
		rows.Number(t.FirstSeen)
		rows.Number(t.LastSeen)
		rows.Number(value(t.EndedAt))
		rows.Text(t.Signal)
		rows.Int(t.Recurrences)
		stale := 0
		if t.Stale {
			stale = 1
		}
		rows.Int(stale)
		rows.Text(t.Summary)
		rows.Text(t.FirstAction)
	}
	return errors.Join(w.Write(rows.Bytes()), w.Close())
}

// threatTable writes a block for each threat: what, who, why and what to do.
func threatTable(w io.Writer, st output.Style, width int, loc *time.Location, ts []views.Threat) error {
	var b strings.Builder
	open := 0
	for i := range ts {
		t := &ts[i]
		if t.EndedAt == nil {
			open++
		}
		// It looks as an anomaly does.
		a := views.Anomaly{Severity: t.Severity, StartedAt: t.FirstSeen, EndedAt: t.EndedAt, Stale: t.Stale}
		title := fmt.Sprintf("%s  risk %.0f", output.Printable(t.Threat), t.Risk)
		b.WriteString(mark(st, &a) + "  " + st.Bold(title) + "  " + lasted(&a, loc) + "\n")
		who := output.Printable(t.EntityType) + " " + output.Printable(t.Entity)
		if n := len(t.Entities); n > 0 {
			who = fmt.Sprintf("%.0f entities: %s", value(t.Observed), output.Printable(strings.Join(t.Entities, ", ")))
		}
		if t.Technique != "" {
			who += "  " + output.Printable(strings.ReplaceAll(t.Technique, ";", ", "))
		}
		if t.Recurrences > 0 {
			who += fmt.Sprintf("  %s before", plural(t.Recurrences, "time", "times"))
		}
		for _, line := range wrap(who, width-2) {
			b.WriteString("  " + st.Accent(line) + "\n")
		}
		for _, ev := range t.Evidence {
			paragraph(&b, "  ", ev, width)
		}
		paragraph(&b, "  → ", t.FirstAction, width)
		b.WriteByte('\n')
	}
	if len(ts) == 0 {
		b.WriteString("no threats\n")
	} else {
		fmt.Fprintf(&b, "%s, %s open\n", plural(len(ts), "threat", "threats"), output.Count(open))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// purge forgets what is on record about an entity: it asks the sidecar that runs, and changes
// the file if none does.
func (c *threatsLive) purge(ctx context.Context, e *env) error {
	dir := c.StoragePath
	if c.Address == "" {
		if dir == "" {
			at, err := findPlace(e, "")
			if err != nil {
				return err
			}
			dir = at.dir
		}
		if _, err := store.Find(dir); err != nil {
			return c.purgeFile(e, dir)
		}
	}
	cl := c.client(e)
	var p views.Purged
	if err := cl.post(ctx, "threats/purge", url.Values{"entity": {c.Entity}}, &p); err != nil {
		return err
	}
	_, err := fmt.Fprintf(e.stdout, "%s forgotten\n", plural(p.Threats, "threat", "threats"))
	return err
}

// purgeFile forgets them where no sidecar runs.
func (c *threatsLive) purgeFile(e *env, dir string) (err error) {
	cfg, _, err := loadConfig("", "")
	if err != nil {
		return err
	}
	keys, err := storageKeys(cfg)
	if err != nil {
		return err
	}
	lock, err := store.Acquire(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	file := store.NewRecords(dir, threatsKind, keys)
	records, err := file.Load()
	if err != nil {
		return err
	}
	var left [][]byte
	for _, b := range records {
		var t views.Threat
		if json.Unmarshal(b, &t) == nil && t.About(c.Entity) {
			continue
		}
		left = append(left, b)
	}
	if n := len(records) - len(left); n > 0 {
		if err := file.Save(left); err != nil {
			return err
		}
		_, err = fmt.Fprintf(e.stdout, "%s forgotten\n", plural(n, "threat", "threats"))
		return err
	}
	_, err = fmt.Fprintln(e.stdout, "0 threats forgotten")
	return err
}

// post sends a request that changes something and decodes the data of the answer into to.
func (c *client) post(ctx context.Context, path string, q url.Values, to any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/api/v1/"+path+"?"+q.Encode(), nil)
	if err != nil {
		return usageErrorf("--address: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return c.unreachable(ctx, err)
	}
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	switch err := json.Unmarshal(body, &answer); {
	case err != nil || answer.Status == "":
		return fmt.Errorf("%s: HTTP %d: %s", c.base, resp.StatusCode, output.Printable(strings.TrimSpace(string(body[:min(len(body), 200)]))))
	case answer.Status != "success":
		return fmt.Errorf("%s: %s", c.base, output.Printable(answer.Error))
	}
	return json.Unmarshal(answer.Data, to)
}
