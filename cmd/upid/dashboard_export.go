package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/dashboards"
)

type dashboardExportCmd struct {
	Dir           string `arg:"" placeholder:"DIR" help:"Directory to write to; it is made if it is not there."`
	Force         bool   `help:"Overwrite files that were changed."`
	Path          string `placeholder:"DIR" help:"Where Grafana will find the dashboards, such as a directory of its container. (default DIR)"`
	PrometheusURL string `name:"prometheus.url" default:"http://localhost:9090" placeholder:"URL" help:"Server that scrapes upid, as Grafana reaches it. (default ${default})"`
}

// Help is shown by --help.
func (dashboardExportCmd) Help() string {
	return `Writes the dashboards and, below provisioning, what makes Grafana read them: a data source and a dashboard provider.

Examples:

    upid dashboard export grafana
    GF_PATHS_PROVISIONING=$PWD/grafana/provisioning grafana server --homepath /usr/share/grafana
    upid dashboard export grafana --path /var/lib/grafana/dashboards/upid
`
}

// Validate is called by kong.
func (c *dashboardExportCmd) Validate() error {
	if err := config.CheckServerURL(c.PrometheusURL); err != nil {
		return fmt.Errorf("--prometheus.url: %w", err)
	}
	return nil
}

// Run writes all files, or none if one of them was changed.
func (c *dashboardExportCmd) Run(e *env) error {
	path := c.Path
	if path == "" {
		abs, err := filepath.Abs(c.Dir)
		if err != nil {
			return fmt.Errorf("export dashboards: %w", err)
		}
		path = abs
	}
	files := dashboards.Export(path, c.PrometheusURL)
	var changed []string
	for _, f := range files {
		name := filepath.Join(c.Dir, filepath.FromSlash(f.Path))
		switch old, err := os.ReadFile(name); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("export dashboards: %w", err)
		case !bytes.Equal(old, f.Content) && !c.Force:
			changed = append(changed, name)
		}
	}
	if len(changed) > 0 {
		return fmt.Errorf("export dashboards: nothing was written, because these files are there and different:\n  %s\nOverwrite them with --force",
			strings.Join(changed, "\n  "))
	}
	for _, f := range files {
		name := filepath.Join(c.Dir, filepath.FromSlash(f.Path))
		if err := writeWhole(name, f.Content); err != nil {
			return fmt.Errorf("export dashboards: %w", err)
		}
		fmt.Fprintln(e.stdout, name)
	}
	return nil
}

// writeWhole writes a file so that a reader sees all of it or what was there:
// Grafana reads while we write. Grafana runs as another user, so anyone may read.
func writeWhole(name string, content []byte) (err error) {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // see above
		return err
	}
	f, err := os.CreateTemp(dir, ".upid-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(content)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
