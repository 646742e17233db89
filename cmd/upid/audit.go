package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/audit"
)

// auditCmd groups what there is to do with the audit trail.
type auditCmd struct {
	List   auditListCmd   `cmd:"" help:"List who changed models, when and why."`
	Verify auditVerifyCmd `cmd:"" help:"Check that no line of the trail was changed, removed or put in."`
}

// auditFlags say which trail.
type auditFlags struct {
	StoragePath string `name:"storage.path" placeholder:"DIR" help:"Data directory with the trail. (default that of config.yaml, else data)"`
	File        string `name:"audit.log-file" placeholder:"FILE" help:"The trail, if it is elsewhere. (default audit.jsonl in the data directory)"`
}

// path returns where the trail is.
func (f *auditFlags) path(e *env) (string, error) {
	if f.File != "" {
		return f.File, nil
	}
	dir := f.StoragePath
	if dir == "" {
		at, err := findPlace(e, "")
		if err != nil {
			return "", err
		}
		dir = at.dir
	}
	return filepath.Join(dir, audit.FileName), nil
}

// read verifies the trail and calls each for its events, oldest first, as far as the
// chain holds.
func (f *auditFlags) read(e *env, each func(audit.Head, audit.Event) error) (path string, head audit.Head, err error) {
	if path, err = f.path(e); err != nil {
		return "", audit.Head{}, err
	}
	head, err = audit.Verify(path, each)
	if errors.Is(err, os.ErrNotExist) {
		err = noTrailError(path)
	}
	return path, head, err
}

// noTrailError says that the trail at a path is not there: os.ErrNotExist.
type noTrailError string

func (e noTrailError) Error() string { return noTrail(string(e)) }

func (noTrailError) Unwrap() error { return os.ErrNotExist }

func noTrail(path string) string {
	return "there is no audit trail at " + path + ": no model was changed yet, or it is elsewhere (--storage.path, --audit.log-file)"
}

type auditVerifyCmd struct {
	auditFlags `embed:""`
	Head       string `placeholder:"HASH" help:"Hash that an earlier run printed: it must still be in the trail, so that lines missing at its end are found too."`
}

// Help is shown by --help.
func (auditVerifyCmd) Help() string {
	return `Reads the whole trail: each line holds the hash of its content and of the line before it. Exits 1 at the first line that does not fit.

Lines missing at the end leave a shorter trail that fits. Keep the hash that is printed somewhere else, and give it to the next run as --head.

Examples:

    upid audit verify
    upid audit verify --head 6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b
`
}

// Run checks the chain.
func (c *auditVerifyCmd) Run(e *env) error {
	found := c.Head == ""
	path, head, err := c.read(e, func(h audit.Head, _ audit.Event) error {
		found = found || h.Hash == c.Head
		return nil
	})
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("audit: %s: no line has the hash %s: lines at its end were removed, or the trail was replaced", path, c.Head)
	}
	fmt.Fprintf(e.stdout, "%s: %s events, the chain holds; head %s\n", path, output.Count(int(head.Sequence)), head.Hash)
	return nil
}

type auditListCmd struct {
	auditFlags `embed:""`
	Action     string `placeholder:"ACTION" help:"Only these: ${audit_actions}."`
	Output     string `short:"o" default:"table" enum:"table,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`
}

// Help is shown by --help.
func (auditListCmd) Help() string {
	return `What changed models, the oldest first. A trail that is broken is printed up to the line that does not fit.

Examples:

    upid audit list
    upid audit list --action promote -o json

CSV columns: ` + strings.Join(auditColumns, ", ") + `.
`
}

// Validate is called by kong.
func (c *auditListCmd) Validate() error { return oneOf("--action", c.Action, audit.Actions) }

var auditColumns = []string{"seq", "timestamp", "actor", "source", "action", "object", "outcome", "request", "detail", "hash"}

// Run prints the events.
func (c *auditListCmd) Run(e *env) error {
	type entry struct {
		head  audit.Head
		event audit.Event
	}
	var entries []entry
	path, _, broken := c.read(e, func(h audit.Head, ev audit.Event) error {
		if c.Action == "" || ev.Action == c.Action {
			entries = append(entries, entry{h, ev})
		}
		return nil
	})
	none := errors.Is(broken, os.ErrNotExist)
	if none {
		broken = nil
	}
	if broken != nil && len(entries) == 0 {
		return broken
	}
	if none && c.Output == string(output.Table) {
		_, err := fmt.Fprintln(e.stdout, noTrail(path))
		return err
	}
	if c.Output == string(output.Table) {
		grid := output.Grid{
			Head:  []string{"time", "actor", "action", "object", "outcome", "why"},
			Right: make([]bool, 6), Give: 5, Width: e.width(),
		}
		for _, en := range entries {
			ev := en.event
			grid.Add(output.Timestamp(ev.Time.UnixMilli(), e.loc), output.Printable(ev.Actor), ev.Action,
				output.Printable(ev.Object), ev.Outcome, output.Printable(ev.Detail))
		}
		return errors.Join(grid.Write(e.stdout, e.style()), broken)
	}
	schema := output.NewSchema(output.Format(c.Output), auditColumns...)
	w, rows := output.NewWriter(e.stdout, schema), schema.Rows(nil)
	for _, en := range entries {
		rows.Int(int(en.head.Sequence))
		rows.Time(en.event.Time.UnixMilli())
		for _, text := range []string{
			en.event.Actor, en.event.Source, en.event.Action, en.event.Object, en.event.Outcome,
			en.event.Request, en.event.Detail, en.head.Hash,
		} {
			rows.Text(text)
		}
	}
	return errors.Join(w.Write(rows.Bytes()), w.Close(), broken)
}
