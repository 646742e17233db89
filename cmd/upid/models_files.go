package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/upid/upid/collector/audit"
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/forecast/features"
)

type modelsExportCmd struct {
	changeFlags `embed:""`
	ModelType   string `arg:"" name:"model-type" placeholder:"TYPE" help:"Of which type: ${model_types}."`
	Version     string `arg:"" placeholder:"NAME" help:"Which version, such as v2."`
	File        string `arg:"" placeholder:"FILE" help:"File to write, which must not be there; - for standard output."`
}

// Help is shown by --help.
func (modelsExportCmd) Help() string {
	return `Writes a version to a file of its own, with its checksum. It is never sealed, whatever the data directory is.

Examples:

    upid models export resource_prediction v2 v2.model
`
}

// Validate is called by kong.
func (c *modelsExportCmd) Validate() error { return oneOf("MODEL_TYPE", c.ModelType, features.Types) }

// Run exports.
func (c *modelsExportCmd) Run(e *env) error {
	r, j, err := c.change()
	if err != nil {
		return err
	}
	err = j.Do(audit.Export, c.ModelType+"/"+c.Version, "to "+c.File, func() error {
		if c.File == "-" {
			return r.Export(c.ModelType, c.Version, e.stdout)
		}
		f, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		if err := errors.Join(r.Export(c.ModelType, c.Version, f), f.Close()); err != nil {
			return errors.Join(err, os.Remove(c.File))
		}
		return nil
	})
	if err != nil {
		return noVersion(c.ModelType, fmt.Errorf("export %s %s: %w", c.ModelType, c.Version, err))
	}
	return nil
}

type modelsImportCmd struct {
	changeFlags `embed:""`
	File        string `arg:"" placeholder:"FILE" help:"File that upid models export wrote, - is stdin."`
}

// Help is shown by --help.
func (modelsImportCmd) Help() string {
	return `Takes in a version that was exported elsewhere, under the next free name and in no stage: upid models promote puts it to use, if another version is active once it is shown to be better, or with --force.

Examples:

    upid models import v2.model
`
}

// maxImport bounds a file that is taken in.
const maxImport = 64 << 20

// Run imports.
func (c *modelsImportCmd) Run(e *env) error {
	in, name := e.stdin, "standard input"
	if c.File != "-" {
		f, err := os.OpenFile(c.File, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe would be waited for
		if err != nil {
			return fmt.Errorf("import: %w", err)
		}
		defer f.Close()
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			return errors.Join(fmt.Errorf("import %s: it is no regular file; - reads standard input", c.File), err)
		}
		in, name = f, c.File
	}
	b, err := io.ReadAll(io.LimitReader(in, maxImport+1))
	if err == nil && len(b) > maxImport {
		err = fmt.Errorf("more than %d MiB", maxImport>>20)
	}
	if err != nil {
		return fmt.Errorf("import %s: %w", name, err)
	}
	var v *models.Version
	r, j, err := c.change()
	if err != nil {
		return err
	}
	err = j.Do(audit.Import, "model "+filepath.Base(name), fmt.Sprintf("SHA-256 %x", sha256.Sum256(b)), func() (err error) {
		if v, err = r.Import(b, filepath.Base(name)); err != nil {
			return err
		}
		return j.Note(audit.Import, v.ModelType+"/"+v.Version, audit.OK, "from "+filepath.Base(name))
	})
	if err != nil {
		return fmt.Errorf("import %s: %w", name, err)
	}
	fmt.Fprintf(e.stdout, "%s %s: kept, in no stage; upid models promote %s %s puts it to use\n", v.ModelType, v.Version, v.ModelType, v.Version)
	return nil
}

type modelsDeleteCmd struct {
	changeFlags `embed:""`
	ModelType   string `arg:"" name:"model-type" placeholder:"TYPE" help:"Of which type: ${model_types}."`
	Version     string `arg:"" placeholder:"NAME" help:"Which version, such as v2."`
}

// Help is shown by --help.
func (modelsDeleteCmd) Help() string {
	return `Removes a version that is in no stage. Its name is not used again.

Examples:

    upid models delete resource_prediction v1
`
}

// Validate is called by kong.
func (c *modelsDeleteCmd) Validate() error { return oneOf("MODEL_TYPE", c.ModelType, features.Types) }

// Run deletes.
func (c *modelsDeleteCmd) Run(e *env) error {
	r, j, err := c.change()
	if err != nil {
		return err
	}
	err = j.Do(audit.Delete, c.ModelType+"/"+c.Version, "", func() error { return r.Delete(c.ModelType, c.Version) })
	if err != nil {
		return noVersion(c.ModelType, err)
	}
	return nil
}
