package store

import (
	"fmt"
	"path/filepath"
)

// failuresName is the file that says which versions of a type failed when they were asked,
// and failuresMagic names its schema.
const (
	failuresName  = "failures"
	failuresMagic = "upid.failures.1"
)

// maxTimes bounds how many failures of a version are remembered.
const maxTimes = 16

// Failures is what went wrong with a version when it was asked.
type Failures struct {
	Times  []int64 `json:"times"`  // of the newest, Unix milliseconds, the newest last
	Reason string  `json:"reason"` // of the newest
	Detail string  `json:"detail"`
	Until  int64   `json:"until"` // it is not asked before, Unix milliseconds; 0: it may be
}

// Failures returns what went wrong with the versions of a type, by name. A damaged file is
// moved into quarantine and forgotten: then each has all its tries again.
func (v *Versions) Failures(typ string) (map[string]Failures, error) {
	if !typeName.MatchString(typ) {
		return nil, fmt.Errorf("models: %q is no model type", typ)
	}
	path := filepath.Join(v.dir, typ, failuresName)
	var all map[string]Failures
	err := v.readSmall(path, failuresMagic, 1<<20, &all, nil)
	if missing(err) {
		return nil, nil
	}
	for name, f := range all {
		if !versionName.MatchString(name) || len(f.Times) > maxTimes || f.Until < 0 {
			err = fmt.Errorf("%w: it contradicts itself", ErrDamaged)
		}
	}
	if spoiled(err) {
		return nil, withReason(Quarantine(v.dir, path, typ+"-"+failuresName))
	}
	if err != nil {
		return nil, withReason(fmt.Errorf("models: %s: %w", path, err))
	}
	return all, nil
}

// ChangeFailures replaces what is known of one version by what change makes of it, under
// the lock of the type; the zero value forgets it. Versions that are gone are forgotten too.
func (v *Versions) ChangeFailures(typ, name string, change func(Failures) Failures) error {
	if !versionName.MatchString(name) {
		return fmt.Errorf("model %q version %q: %w", typ, name, ErrNoVersion)
	}
	unlock, err := v.lock(typ)
	if err != nil {
		return err
	}
	defer unlock()
	was, err := v.Failures(typ)
	if err != nil {
		return err
	}
	all := make(map[string]Failures, len(was)+1)
	for n, f := range was {
		if n == name || v.Has(typ, n) {
			all[n] = f
		}
	}
	f := change(all[name])
	if all[name] = f; len(f.Times) == 0 && f.Until == 0 {
		delete(all, name)
	}
	if len(all) == 0 && len(was) == 0 {
		return nil
	}
	return v.writeSmall(filepath.Join(v.dir, typ, failuresName), failuresMagic, all)
}
