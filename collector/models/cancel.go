package models

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/upid/upid/collector/store"
)

// Who may write to the data directory may change which versions are in use, and so may cancel
// a training without a door of HTTP being open: a file beside the progress names it.
const (
	cancelName = "cancel"
	cancelMax  = 1 << 10 // bytes of it
)

// AskCancel asks the sidecar whose progress f is to cancel the training with that id. It is
// seen at the next round, when the file goes.
func AskCancel(f *store.Records, id string) error {
	dir := filepath.Dir(f.Path())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, cancelName+".*") // of mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.WriteString(id + "\n")
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(dir, cancelName))
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

// heedCancel cancels the training that AskCancel names, if it still runs, and waits until it
// has ended. What else is in the file's place is left alone.
func (l *lifecycle) heedCancel(ctx context.Context) {
	if l.file == nil {
		return
	}
	path := filepath.Join(filepath.Dir(l.file.Path()), cancelName)
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > cancelMax {
		return
	}
	b, err := os.ReadFile(path)
	if err = errors.Join(err, os.Remove(path)); err != nil {
		l.log.Warn("a request to cancel a training cannot be read", "err", err)
		return
	}
	id := strings.TrimSpace(string(b))
	run, err := l.s.runs.stop(ctx, id)
	if err != nil {
		l.log.Info("a training that is to be cancelled does not run", "run", id, "err", err)
		return
	}
	l.log.Info("training cancelled", "model_type", run.ModelType, "run", id)
}
