package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/audit"
	"github.com/upid/upid/collector/feedback"
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/collector/source"
	"github.com/upid/upid/collector/store"
)

// feedbackCmd groups what is said of the past.
type feedbackCmd struct {
	Add    feedbackAddCmd    `cmd:"" default:"withargs" help:"Say that a time is not to be learned from. (default)"`
	List   feedbackListCmd   `cmd:"" help:"List the times that are not learned from."`
	Remove feedbackRemoveCmd `cmd:"" help:"Learn from a time after all."`
}

// feedbackFlags say where the windows are.
type feedbackFlags struct {
	changeFlags `embed:""`
}

func (f *feedbackFlags) file() (*feedback.File, models.Journal, error) {
	at, err := f.where()
	if err != nil {
		return nil, models.Journal{}, err
	}
	var keys *store.Keys
	if at.keyFile != "" {
		if keys, err = store.ReadKeys(at.keyFile); err != nil {
			return nil, models.Journal{}, &exitError{code: exitUsage, err: err}
		}
	}
	path := f.AuditFile
	if path == "" {
		path = filepath.Join(at.dir, audit.FileName)
	}
	return feedback.Open(at.dir, keys), models.Journal{Trail: audit.New(path), Actor: actor(), Source: "cli"}, nil
}

type feedbackAddCmd struct {
	feedbackFlags `embed:""`
	Since         string `required:"" placeholder:"TIME" help:"When it began: RFC 3339, Unix seconds, or how long ago, such as 6h."`
	Until         string `default:"now" placeholder:"TIME" help:"When it ended, in the same forms. (default ${default})"`
	Signal        string `placeholder:"NAME" help:"Of which signal. (default all)"`
	Match         string `placeholder:"SELECTOR" help:"Of which series, such as {namespace=\"shop\"}. (default all)"`
	Note          string `placeholder:"TEXT" help:"Why."`
}

// Help is shown by --help.
func (feedbackAddCmd) Help() string {
	return `What happened then was an incident, a test or a mistake of measurement, and is not how things are: forecasts, scores and trained models do not learn from it. A running sidecar takes it up within a minute and leaves the time out from its next fit on; upid train leaves it out of the rows it makes from Prometheus. It is written to the audit trail.

A silence of Alertmanager says the same if its comment holds the word upid:exclude, or if it has the matcher upid_training=~"exclude|"; its matchers of signal and of labels of series say what it is about. It is kept when Alertmanager has forgotten it.

Examples:

    upid feedback --since 2026-11-20T08:00:00Z --until 2026-11-20T14:00:00Z --match '{namespace="shop"}' --note "failover test"
    upid feedback --since 6h --signal checkout_latency
    upid feedback list
    upid feedback remove 3f2a90c1d4e5
`
}

// Run adds a window.
func (c *feedbackAddCmd) Run(e *env) error {
	now := time.Now()
	from, err := instant(c.Since, now)
	if err != nil {
		return usageErrorf("--since: %w", err)
	}
	to, err := instant(c.Until, now)
	if err != nil {
		return usageErrorf("--until: %w", err)
	}
	f, j, err := c.file()
	if err != nil {
		return err
	}
	w, err := feedback.New(feedback.Window{
		From: from.UnixMilli(), To: to.UnixMilli(), Signal: c.Signal, Match: c.Match, Note: c.Note, By: j.Actor, Source: feedback.FromCLI,
	})
	if err != nil {
		return usageErrorf("feedback: %w", err)
	}
	err = f.Change(func(ws feedback.Windows) (feedback.Windows, error) {
		out, changed := ws.With(w)
		if !changed {
			return ws, nil
		}
		return out, j.Note(audit.Feedback, w.ID, audit.OK, "not learned from: "+w.String()+" "+w.Note)
	})
	if err != nil {
		return fmt.Errorf("feedback: %w", err)
	}
	fmt.Fprintf(e.stdout, "%s: not learned from: %s\n", w.ID, output.Printable(w.String()))
	return nil
}

// instant reads a time: RFC 3339, Unix seconds, now, or how long ago.
func instant(text string, now time.Time) (time.Time, error) {
	if text == "now" {
		return now, nil
	}
	if t, _, err := source.ParseTime(text); err == nil {
		return t, nil
	}
	if s, err := strconv.ParseFloat(text, 64); err == nil && s > 0 && s < 1e11 {
		return time.UnixMilli(int64(s * 1000)), nil
	}
	var d duration
	if err := d.UnmarshalText([]byte(text)); err == nil && d > 0 {
		return now.Add(-time.Duration(d)), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time, want RFC 3339, Unix seconds, or how long ago, such as 6h", text)
}

type feedbackListCmd struct {
	feedbackFlags `embed:""`
	Output        string `short:"o" default:"table" enum:"table,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`
}

// shownWindow is a window in JSON, YAML and CSV.
type shownWindow struct {
	ID     string  `json:"id"`
	From   float64 `json:"from"`
	To     float64 `json:"to"`
	Signal string  `json:"signal"`
	Match  string  `json:"match"`
	Note   string  `json:"note"`
	By     string  `json:"by"`
	Source string  `json:"source"`
}

// Run lists the windows.
func (c *feedbackListCmd) Run(e *env) error {
	f, _, err := c.file()
	if err != nil {
		return err
	}
	ws, err := f.Load()
	if err != nil && len(ws) == 0 {
		return err
	}
	all := []shownWindow{}
	for _, w := range ws {
		all = append(all, shownWindow{w.ID, float64(w.From) / 1000, float64(w.To) / 1000, w.Signal, w.Match, w.Note, w.By, w.Source})
	}
	switch format := output.Format(c.Output); format { //nolint:exhaustive // a table follows
	case output.JSON, output.YAML:
		return errors.Join(output.Objects(e.stdout, format, all), err)
	case output.CSV:
		schema := output.NewSchema(format, "id", "from", "to", "signal", "match", "note", "by", "source")
		w, rows := output.NewWriter(e.stdout, schema), schema.Rows(nil)
		for _, s := range all {
			rows.Text(s.ID)
			rows.Number(s.From)
			rows.Number(s.To)
			for _, cell := range []string{s.Signal, s.Match, s.Note, s.By, s.Source} {
				rows.Text(cell)
			}
		}
		return errors.Join(w.Write(rows.Bytes()), w.Close(), err)
	}
	if len(ws) == 0 {
		fmt.Fprintln(e.stdout, "everything is learned from; upid feedback says what is not to be")
		return err
	}
	g := &output.Grid{Head: []string{"ID", "FROM", "TO", "SIGNAL", "SERIES", "BY", "SOURCE", "NOTE"}, Right: make([]bool, 8), Width: e.width(), Give: 7}
	for _, w := range ws {
		g.Add(w.ID, output.Timestamp(w.From, e.loc), output.Timestamp(w.To, e.loc), w.Signal, w.Match, w.By, w.Source, w.Note)
	}
	return errors.Join(g.Write(e.stdout, e.style()), err)
}

type feedbackRemoveCmd struct {
	feedbackFlags `embed:""`
	ID            string `arg:"" placeholder:"ID" help:"Of the window, see upid feedback list."`
}

// Run removes a window. That of a silence comes back while Alertmanager has the silence.
func (c *feedbackRemoveCmd) Run(e *env) error {
	f, j, err := c.file()
	if err != nil {
		return err
	}
	err = f.Change(func(ws feedback.Windows) (feedback.Windows, error) {
		i := slices.IndexFunc(ws, func(w feedback.Window) bool { return w.ID == c.ID })
		if i < 0 {
			return nil, fmt.Errorf("there is no window %q; upid feedback list shows those there are", c.ID)
		}
		return slices.Delete(slices.Clone(ws), i, i+1), j.Note(audit.Feedback, c.ID, audit.OK, "learned from after all: "+ws[i].String())
	})
	if err != nil {
		return fmt.Errorf("feedback: %w", err)
	}
	fmt.Fprintf(e.stdout, "%s: learned from again, from the next fit on\n", output.Printable(c.ID))
	return nil
}
