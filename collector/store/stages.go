package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
)

// stagesName is the file that says which version of a type is in which stage, and
// stagesMagic names its schema. Before it there was plain JSON, which is still read.
const (
	stagesName  = "stages"
	stagesMagic = "upid.stages.1"
)

// maxBefore is how many earlier active versions are remembered for rollbacks.
const maxBefore = 20

// Stages says which versions of a model type are in use. A version that is in none
// of them is only kept.
type Stages struct {
	Active string   `json:"active"` // answers; "": none does
	Canary string   `json:"canary"` // answers for Share of the rows instead
	Share  float64  `json:"share"`
	Shadow string   `json:"shadow"` // is only judged
	Before []string `json:"before"` // were active, the newest last
	Newest int      `json:"newest"` // number of the newest version that was deleted: numbers are not used again
	// Demoted are the targets of versions that proved worse than naive, which answers for them.
	Demoted []Demotion `json:"demoted,omitempty"`
}

// Demotion says that what a version learned of a target is not used.
type Demotion struct {
	Version string `json:"version"`
	Target  string `json:"target"`
	At      int64  `json:"at"` // since when, Unix milliseconds
	Why     string `json:"why"`
}

// maxDemoted bounds the demotions on record, of all versions of a type.
const maxDemoted = 500

// Demote returns the stages with a demotion more, which takes the place of an earlier one of
// the same target.
func (s Stages) Demote(d Demotion) Stages {
	out := s.Reinstate(d.Version, d.Target)
	out.Demoted = append(out.Demoted, d)
	out.Demoted = out.Demoted[max(0, len(out.Demoted)-maxDemoted):]
	return out
}

// Reinstate returns the stages without the demotion of a target.
func (s Stages) Reinstate(version, target string) Stages {
	out := s
	out.Demoted = slices.DeleteFunc(slices.Clone(s.Demoted), func(d Demotion) bool { return d.Version == version && d.Target == target })
	return out
}

// DemotionOf returns the demotion of a target of a version, if there is one.
func (s Stages) DemotionOf(version, target string) (Demotion, bool) {
	i := slices.IndexFunc(s.Demoted, func(d Demotion) bool { return d.Version == version && d.Target == target })
	if i < 0 {
		return Demotion{}, false
	}
	return s.Demoted[i], true
}

// Of returns the stage of a version, "" if it is in none.
func (s Stages) Of(name string) string {
	switch name {
	case "":
	case s.Active:
		return "active"
	case s.Canary:
		return "canary"
	case s.Shadow:
		return "shadow"
	}
	return ""
}

// Promote returns the stages with a version in another stage: active, canary (with the
// share of rows it answers) or shadow. It leaves the one it was in.
func (s Stages) Promote(name, stage string, share float64) (Stages, error) {
	out := s
	out.Before = slices.Clone(s.Before)
	if out.Canary == name {
		out.Canary, out.Share = "", 0
	}
	if out.Shadow == name {
		out.Shadow = ""
	}
	switch stage {
	case "active":
		if s.Active == name {
			return out, nil
		}
		if s.Active != "" {
			out.Before = append(out.Before, s.Active)
			out.Before = out.Before[max(0, len(out.Before)-maxBefore):]
		}
		out.Active = name
	case "canary":
		if s.Active == "" || s.Active == name {
			return s, fmt.Errorf("%s cannot be the canary of %q: it answers in the place of another version", name, s.Active)
		}
		if !(share > 0 && share < 1) {
			return s, fmt.Errorf("a canary answers for a share between 0 and 1, not %g", share)
		}
		out.Canary, out.Share = name, share
	case "shadow":
		if s.Active == name {
			return s, fmt.Errorf("%s is active; roll it back instead", name)
		}
		out.Shadow = name
	default:
		return s, fmt.Errorf("there is no stage %q", stage)
	}
	return out, nil
}

// Rollback returns the stages with the version active that was so before; the one that
// is active now is only kept. there says whether a version still exists.
func (s Stages) Rollback(there func(string) bool) (Stages, error) {
	out := s
	out.Before = slices.Clone(s.Before)
	for len(out.Before) > 0 {
		name := out.Before[len(out.Before)-1]
		out.Before = out.Before[:len(out.Before)-1]
		if name == s.Active || !there(name) {
			continue
		}
		if out.Canary == name {
			out.Canary, out.Share = "", 0
		}
		if out.Shadow == name {
			out.Shadow = ""
		}
		out.Active = name
		return out, nil
	}
	return s, errors.New("no version was active before this one")
}

// Leave returns the stages with a version that was canary or shadow in neither.
func (s Stages) Leave(name string) Stages {
	out := s
	out.Before = slices.Clone(s.Before)
	if out.Canary == name {
		out.Canary, out.Share = "", 0
	}
	if out.Shadow == name {
		out.Shadow = ""
	}
	return out
}

// without returns the stages without a version.
func (s Stages) without(name string) Stages {
	out := s
	if out.Active == name {
		out.Active = ""
	}
	if out.Canary == name {
		out.Canary, out.Share = "", 0
	}
	if out.Shadow == name {
		out.Shadow = ""
	}
	out.Before = slices.DeleteFunc(slices.Clone(s.Before), func(b string) bool { return b == name })
	out.Demoted = slices.DeleteFunc(slices.Clone(s.Demoted), func(d Demotion) bool { return d.Version == name })
	return out
}

func (s Stages) check() error {
	for _, name := range append([]string{s.Active, s.Canary, s.Shadow}, s.Before...) {
		if name != "" && !versionName.MatchString(name) {
			return fmt.Errorf("%q is no version", name)
		}
	}
	for _, d := range s.Demoted {
		if !versionName.MatchString(d.Version) || d.Target == "" {
			return fmt.Errorf("the demotion of %q of %q is none", d.Target, d.Version)
		}
	}
	if len(s.Demoted) > maxDemoted || s.Newest < 0 || len(s.Before) > maxBefore || (s.Canary != "") != (s.Share > 0) || s.Share < 0 || s.Share >= 1 {
		return errors.New("it contradicts itself")
	}
	return nil
}

// Stages returns which versions of a type are in use; of a type without any all is
// empty. A damaged file is moved into quarantine: then no version answers until one is
// promoted, because which one it was is not known.
func (v *Versions) Stages(typ string) (Stages, error) {
	if !typeName.MatchString(typ) {
		return Stages{}, fmt.Errorf("models: %q is no model type", typ)
	}
	path := filepath.Join(v.dir, typ, stagesName)
	var s Stages
	err := v.readSmall(path, stagesMagic, 1<<16, &s, func(b []byte) error { return strict(b, &s) })
	if missing(err) {
		return Stages{}, nil
	}
	if err == nil {
		if err = s.check(); err != nil {
			err = fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	if spoiled(err) {
		err = errors.Join(err, Quarantine(v.dir, path, typ+"-"+stagesName))
	}
	if err != nil {
		return Stages{}, withReason(fmt.Errorf("models: %s: %w", path, err))
	}
	return s, nil
}

// Change replaces the stages of a type by what change makes of them, under a lock that
// other processes respect; a reader sees the old or the new, whatever happens. Versions
// that are named must be there.
func (v *Versions) Change(typ string, change func(Stages) (Stages, error)) (before, after Stages, err error) {
	unlock, err := v.lock(typ)
	if err != nil {
		return Stages{}, Stages{}, err
	}
	defer unlock()
	if before, err = v.Stages(typ); err != nil {
		return Stages{}, Stages{}, err
	}
	if after, err = change(before); err != nil {
		return before, before, err
	}
	for _, name := range []string{after.Active, after.Canary, after.Shadow} {
		if name != "" && !v.Has(typ, name) {
			return before, before, fmt.Errorf("%s %s: %w", typ, name, ErrNoVersion)
		}
	}
	if err := after.check(); err != nil {
		return before, before, fmt.Errorf("models: %w", err)
	}
	if err := v.write(typ, after); err != nil {
		return before, before, err
	}
	return before, after, nil
}

// write replaces the file of stages. The caller holds the lock.
func (v *Versions) write(typ string, s Stages) error {
	return v.writeSmall(filepath.Join(v.dir, typ, stagesName), stagesMagic, s)
}

// newest returns the highest number that was ever named.
func (s Stages) newest() int {
	n := max(s.Newest, number(s.Active), number(s.Canary), number(s.Shadow))
	for _, name := range s.Before {
		n = max(n, number(name))
	}
	return n
}
