package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/upid/upid/rules"
)

// rulesCmd groups what there is to do with the shipped Prometheus rules.
type rulesCmd struct {
	Export rulesExportCmd `cmd:"" help:"Print the Prometheus rules that upid ships."`
}

type rulesExportCmd struct {
	File  string `arg:"" optional:"" default:"-" placeholder:"FILE" help:"File to write, - for standard output. (default ${default})"`
	Force bool   `help:"Write over a file that is there and different."`
}

// Help is shown by --help.
func (rulesExportCmd) Help() string {
	return `The alerts of signals with alert.rules: true, and alerts about upid itself. Prometheus loads the file under rule_files.

Examples:

    upid rules export
    upid rules export /etc/prometheus/upid.rules.yaml
`
}

// Run prints or writes the rules. A file that is there and different may hold somebody's
// changes: it is written over by force only.
func (c *rulesExportCmd) Run(e *env) error {
	if c.File == "-" {
		_, err := e.stdout.Write(rules.PrometheusRules)
		return err
	}
	if !c.Force {
		switch there, err := os.ReadFile(c.File); {
		case err == nil && bytes.Equal(there, rules.PrometheusRules):
			return nil
		case err == nil:
			return fmt.Errorf("export rules: %s is there and different; write over it with --force", c.File)
		case !errors.Is(err, os.ErrNotExist):
			return fmt.Errorf("export rules: %w", err)
		}
	}
	if err := os.WriteFile(c.File, rules.PrometheusRules, 0o644); err != nil { //nolint:gosec // Prometheus runs as another user
		return fmt.Errorf("export rules: %w", err)
	}
	return nil
}
