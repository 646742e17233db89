package main

import (
	"fmt"
	"os"

	"github.com/upid/upid/rules"
)

// rulesCmd groups what there is to do with the shipped Prometheus rules.
type rulesCmd struct {
	Export rulesExportCmd `cmd:"" help:"Print the Prometheus rules that upid ships."`
}

type rulesExportCmd struct {
	File string `arg:"" optional:"" default:"-" placeholder:"FILE" help:"File to write, - for standard output. (default ${default})"`
}

// Help is shown by --help.
func (rulesExportCmd) Help() string {
	return `The alerts of signals with alert.rules: true, and alerts about upid itself. Prometheus loads the file under rule_files.

Examples:

    upid rules export
    upid rules export /etc/prometheus/upid.rules.yaml
`
}

// Run prints or writes the rules. A file that is there is replaced.
func (c *rulesExportCmd) Run(e *env) error {
	if c.File == "-" {
		_, err := e.stdout.Write(rules.PrometheusRules)
		return err
	}
	if err := os.WriteFile(c.File, rules.PrometheusRules, 0o644); err != nil { //nolint:gosec // Prometheus runs as another user
		return fmt.Errorf("export rules: %w", err)
	}
	return nil
}
