package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/upid/upid/collector/audit"
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/collector/store"
)

// stateCmd groups what there is to do with the data directory.
type stateCmd struct {
	Reseal resealCmd `cmd:"" help:"Seal every file with the first key of the key file."`
}

type resealCmd struct {
	modelFlags `embed:""`
	SealPlain  bool `help:"Seal plain files too, as after the first key was configured. Anybody who could write to the directory may have written them."`
}

// Help is shown by --help.
func (resealCmd) Help() string {
	return `Changes the key of a data directory: put a new key before the old one in the key file, stop upid, run this, remove the old key, start upid.

Every file that another key of the file sealed is sealed with the first one: written beside, read again, compared and renamed. It may be interrupted at any time and run again. In the end all are read with the first key alone; exit 0 says that the others are not needed any more. What is damaged, sealed with a key that is not there, or plain (without --seal-plain) is named and left alone, and the exit code is 1.

Examples:

    upid state reseal --storage.path data --storage.encryption-key-file key
    upid state reseal --seal-plain
`
}

// Run seals anew.
func (c *resealCmd) Run(ctx context.Context, e *env) error {
	at, err := c.where()
	if err != nil {
		return err
	}
	if at.keyFile == "" {
		return usageErrorf("there is no key file: give it with --storage.encryption-key-file, or as storage.encryption_key_file in config.yaml")
	}
	keys, err := store.ReadKeys(at.keyFile)
	if err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	if _, err := os.Stat(at.dir); err != nil {
		return fmt.Errorf("reseal: %w", err)
	}
	lock, err := store.Acquire(at.dir)
	if err != nil {
		return err
	}
	defer lock.Release() //nolint:errcheck // the process ends
	if err := store.RemoveTemporary(at.dir); err != nil {
		return fmt.Errorf("reseal: %w", err)
	}
	j := models.Journal{Trail: audit.New(filepath.Join(at.dir, audit.FileName)), Actor: actor(), Source: "cli"}
	counts := map[string]int{}
	err = j.Do(audit.Reseal, "data directory", "with the first key of the key file", func() error {
		return store.Reseal(ctx, at.dir, keys, store.ResealOptions{Plain: c.SealPlain, Each: func(path, what string, err error) {
			counts[what]++
			switch what {
			case store.LeftPlain:
				e.warnf("%s is plain, and left so: --seal-plain seals it, if you trust it", path)
			case store.Unread:
				e.warnf("%s is left alone (%s): %v", path, store.Reason(err), err)
			}
		}})
	})
	fmt.Fprintf(e.stdout, "%d files sealed anew, %d were already, %d are plain, %d could not be read\n", counts[store.Resealed], counts[store.Current], counts[store.LeftPlain], counts[store.Unread])
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: run it again, it goes on where it was", err)
	case err != nil:
		return err
	}
	fmt.Fprintln(e.stdout, "every one opens with the first key alone: the others may be removed from the key file")
	return nil
}
