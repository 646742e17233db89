package models

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/upid/upid/collector/audit"
	"github.com/upid/upid/collector/store"
	"github.com/upid/upid/forecast/learn"
)

// Version is one trained model of a type, with the record of how it came about.
type Version struct {
	Record
	Models []*learn.Model // by target
}

// Record is what is known of a version beside its models.
type Record struct {
	ModelType string   `json:"model_type"`
	Version   string   `json:"version"`
	State     string   `json:"state"`  // that of its stage, or trained: it is only kept; or parked: it failed and is not asked
	Stage     string   `json:"stage"`  // active: it answers; canary: for a share; shadow: it is judged; "": in none
	Parked    *Parking `json:"parked"` // why, and until when; null if it is not
	CreatedAt float64  `json:"created_at"`
	Seconds   float64  `json:"training_seconds"`
	Source    string   `json:"source"`
	Rows      int      `json:"rows"`
	LeftOut   int      `json:"rows_left_out"` // of files, by feedback
	From      *float64 `json:"from"`          // times of the rows, Unix seconds; null where they have none
	Until     *float64 `json:"until"`
	HeldOut   *float64 `json:"held_out_from"` // rows from there on were not learned from; null where rows have no times
	Horizon   string   `json:"horizon"`       // how far ahead of a row its targets are
	Epochs    int      `json:"epochs"`        // at most
	Algorithm string   `json:"algorithm"`
	Level     float64  `json:"level"`
	Seed      uint64   `json:"seed"`
	Every     string   `json:"every"`  // between rows that were made from Prometheus; "": rows were given
	Forced    bool     `json:"forced"` // saved although the gate did not let it pass
	Features  []string `json:"features"`
	Build     string   `json:"build"`
	Targets   []Target `json:"targets"`
}

// Target is how one target came out.
type Target struct {
	Name      string       `json:"name"`
	Unit      string       `json:"unit"`
	Algorithm string       `json:"algorithm"` // naive: what was learned lost and is not used
	Passed    bool         `json:"passed"`
	Why       []string     `json:"why"` // what the gate found wrong
	Report    learn.Report `json:"report"`
	Demoted   string       `json:"demoted"` // why what was learned is not used any more; "": it is
}

// Passed reports whether something was learned that is worth keeping.
func (r Record) Passed() bool {
	return slices.ContainsFunc(r.Targets, func(t Target) bool { return t.Passed })
}

// Stages of a version; Trained is the state of one in none.
const (
	Active  = "active"
	Canary  = "canary"
	Shadow  = "shadow"
	Trained = "trained"
)

// parts returns what is stored of v: the record, then the models.
func (v *Version) parts() ([][]byte, error) {
	r := v.Record
	r.State, r.Stage, r.Parked, r.Targets = Trained, "", nil, slices.Clone(r.Targets) // which ones are in use stands beside the versions
	for k := range r.Targets {
		r.Targets[k].Demoted = ""
	}
	head, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	parts := [][]byte{head}
	for _, m := range v.Models {
		b, err := m.Encode()
		if err != nil {
			return nil, err
		}
		parts = append(parts, b)
	}
	return parts, nil
}

// What the record of a version may be: bytes, nesting and values.
const (
	maxRecord        = 4 << 20
	maxRecordNesting = 16
	maxRecordValues  = 1 << 17
)

func decodeRecord(b []byte) (Record, error) {
	var r Record
	if len(b) > maxRecord {
		return r, fmt.Errorf("a record of %d bytes", len(b))
	}
	if err := learn.Bounded(b, maxRecordNesting, maxRecordValues); err != nil {
		return r, err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return r, err
	}
	return r, nil
}

// fromParts is the reverse of parts. A panic in decoding is an error of these parts.
func fromParts(typ, name string, parts [][]byte) (_ *Version, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decoding it panics: %v", p)
		}
	}()
	r, err := decodeRecord(parts[0])
	if err != nil {
		return nil, err
	}
	if r.ModelType != typ || r.Version != name || len(r.Targets) != len(parts)-1 || len(r.Targets) == 0 {
		return nil, fmt.Errorf("it says that it is %s %s with %d targets", r.ModelType, r.Version, len(r.Targets))
	}
	v := &Version{Record: r}
	for _, b := range parts[1:] {
		m, err := learn.Decode(b)
		if err != nil {
			return nil, err
		}
		if !slices.Equal(m.Features, r.Features) {
			return nil, errors.New("its models have other features")
		}
		v.Models = append(v.Models, m)
	}
	return v, nil
}

// Registry is the versions of all types on disk, with the active ones in memory. It is safe
// for concurrent use; other processes may save and activate versions meanwhile.
type Registry struct {
	store   *store.Versions
	journal *Journal // nil: quarantine is written down nowhere

	guard *guard

	loading sync.Mutex // one version at a time is decoded, which bounds the memory
	mu      sync.Mutex
	loaded  map[string]*Version // by type and name: those that are active or a canary
	known   map[string]stamped  // records by type and name, so that listing many versions reads none twice
}

// stamped is a record with the file it was read from.
type stamped struct {
	stamp  store.Stamp
	record Record
}

// NewRegistry returns the registry of a data directory, which is sealed if there are
// keys. It reads nothing yet.
func NewRegistry(dir string, keys *store.Keys) *Registry {
	s := store.NewVersions(dir, keys)
	return &Registry{store: s, guard: newGuard(s), loaded: map[string]*Version{}, known: map[string]stamped{}}
}

// ErrNoVersion says that a type has no version that could answer.
var ErrNoVersion = store.ErrNoVersion

// Get returns a version by name, "" being the active one.
func (r *Registry) Get(typ, name string) (*Version, error) {
	stages, err := r.Stages(typ)
	if err != nil {
		return nil, err
	}
	if name == "" {
		name = stages.Active
	}
	if name == "" {
		return nil, fmt.Errorf("%s: %w is active", typ, ErrNoVersion)
	}
	key := typ + "/" + name
	r.mu.Lock()
	v := r.loaded[key]
	r.mu.Unlock()
	if v != nil && r.store.Has(typ, name) {
		now := *v // stages change, and what failed
		return &now, r.stand(&now.Record, stages)
	}
	if v, err = r.load(typ, name); err != nil {
		return nil, err
	}
	if err := r.stand(&v.Record, stages); err != nil {
		return nil, err
	}
	if name == stages.Active || name == stages.Canary {
		r.mu.Lock()
		defer r.mu.Unlock()
		for k, old := range r.loaded { // what is in neither stage any more
			if old.ModelType == typ && old.Version != stages.Active && old.Version != stages.Canary {
				delete(r.loaded, k)
			}
		}
		r.loaded[key] = v
	}
	return v, nil
}

func (r *Registry) load(typ, name string) (*Version, error) {
	r.loading.Lock()
	defer r.loading.Unlock()
	parts, err := r.read(typ, name)
	if err != nil {
		return nil, err
	}
	v, err := fromParts(typ, name, parts)
	if err != nil {
		err = fmt.Errorf("model %s %s: %w: %w", typ, name, store.ErrDamaged, errors.Join(err, r.store.Reject(typ, name)))
		return nil, errors.Join(err, r.quarantined(typ, name, err))
	}
	return v, nil
}

// read returns the parts of a version. One that is moved into quarantine is in the audit
// trail.
func (r *Registry) read(typ, name string) ([][]byte, error) {
	parts, err := r.store.Load(typ, name)
	if errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrExposed) {
		err = errors.Join(err, r.quarantined(typ, name, err))
	}
	return parts, err
}

// quarantined writes down that a version was moved into quarantine.
func (r *Registry) quarantined(typ, name string, why error) error {
	if r.journal == nil {
		return nil
	}
	return r.journal.Note(audit.Quarantine, typ+"/"+name, audit.OK, why.Error())
}

// Audit says who writes down what is found damaged or fails; without it nobody does.
func (r *Registry) Audit(j Journal) {
	r.journal = &j
	r.guard.mu.Lock()
	defer r.guard.mu.Unlock()
	r.guard.journal = j
}

// Records returns the records of the versions of a type, oldest first. Those that cannot
// be read are left out and reported in the error, beside the others.
func (r *Registry) Records(typ string) ([]Record, error) {
	names, err := r.store.List(typ)
	if err != nil {
		return nil, err
	}
	stages, err := r.Stages(typ)
	var errs []error
	if err != nil {
		errs = append(errs, err)
	}
	var out []Record
	for _, name := range names {
		rec, err := r.record(typ, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, r.stand(&rec, stages))
		out = append(out, rec)
	}
	r.forget(typ, names)
	return out, errors.Join(errs...)
}

// record returns the record of a version, from memory if its file is the same as when it
// was last read in whole.
func (r *Registry) record(typ, name string) (Record, error) {
	key := typ + "/" + name
	stamp, serr := r.store.Stamp(typ, name)
	r.mu.Lock()
	old, ok := r.known[key]
	r.mu.Unlock()
	if serr == nil && ok && old.stamp == stamp {
		return old.record, nil
	}
	parts, err := r.read(typ, name)
	if err != nil {
		return Record{}, err
	}
	rec, err := decodeRecord(parts[0])
	if err != nil {
		return Record{}, fmt.Errorf("model %s %s: %w: %w", typ, name, store.ErrDamaged, err)
	}
	if serr == nil {
		r.mu.Lock()
		r.known[key] = stamped{stamp, rec}
		r.mu.Unlock()
	}
	return rec, nil
}

// forget drops what is remembered of versions of a type that are gone.
func (r *Registry) forget(typ string, names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key := range r.known {
		if t, name, _ := strings.Cut(key, "/"); t == typ && !slices.Contains(names, name) {
			delete(r.known, key)
		}
	}
}

// Save keeps v under a new name. It is in no stage yet.
func (r *Registry) Save(v *Version) error {
	_, err := r.store.Save(v.ModelType, func(name string) ([][]byte, error) {
		v.Version = name
		return v.parts()
	})
	v.State, v.Stage, v.Parked = Trained, "", nil
	return err
}
