package models

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/store"
)

// state says in which stage a version is.
func state(s store.Stages, name string) string {
	if stage := s.Of(name); stage != "" {
		return stage
	}
	return Trained
}

// stand says of a record in which stage and state it is.
func (r *Registry) stand(rec *Record, s store.Stages) error {
	parked, err := r.Parked(rec.ModelType, rec.Version)
	rec.Stage, rec.State, rec.Parked = s.Of(rec.Version), state(s, rec.Version), parked
	if parked != nil {
		rec.State = Parked
	}
	rec.Targets = slices.Clone(rec.Targets)
	for k := range rec.Targets {
		d, _ := s.DemotionOf(rec.Version, rec.Targets[k].Name)
		rec.Targets[k].Demoted = d.Why
	}
	return err
}

// Stages returns which versions of a type are in use.
func (r *Registry) Stages(typ string) (store.Stages, error) {
	s, err := r.store.Stages(typ)
	if errors.Is(err, store.ErrDamaged) {
		err = errors.Join(err, r.quarantined(typ, "stages", err))
	}
	return s, err
}

// Promote puts a version into a stage: Active, Canary (for a share of the rows) or Shadow.
// It is read first: what cannot be read is not promoted, nor what is parked.
func (r *Registry) Promote(typ, name, stage string, share float64) (before, after store.Stages, err error) {
	if _, err := r.load(typ, name); err != nil {
		return before, after, err
	}
	if err := r.unparked(typ, name); err != nil {
		return before, after, err
	}
	return r.store.Change(typ, func(s store.Stages) (store.Stages, error) { return s.Promote(name, stage, share) })
}

// Rollback makes the version active that was so before and is neither lost nor parked.
func (r *Registry) Rollback(typ string) (before, after store.Stages, err error) {
	return r.store.Change(typ, func(s store.Stages) (store.Stages, error) {
		return s.Rollback(func(name string) bool {
			_, err := r.store.Check(typ, name)
			return errors.Join(err, r.unparked(typ, name)) == nil
		})
	})
}

// Delete removes a version that is in no stage.
func (r *Registry) Delete(typ, name string) error { return r.store.Delete(typ, name) }

// Verified is what became of reading one version.
type Verified struct {
	ModelType string `json:"model_type"`
	Version   string `json:"version"`
	State     string `json:"state"`
	OK        bool   `json:"ok"`
	Reason    string `json:"reason"` // "" if it is whole
	Error     string `json:"error"`
}

// Verify reads every version of a type in whole and moves none.
func (r *Registry) Verify(typ string) ([]Verified, error) {
	names, err := r.store.List(typ)
	if err != nil {
		return nil, err
	}
	stages, err := r.store.Stages(typ)
	if err != nil {
		return nil, err
	}
	out := make([]Verified, 0, len(names))
	for _, name := range names {
		v := Verified{ModelType: typ, Version: name, State: state(stages, name), OK: true}
		parts, err := r.store.Check(typ, name)
		if err == nil {
			if _, err = fromParts(typ, name, parts); err != nil {
				err = fmt.Errorf("%w: %w", store.ErrDamaged, err)
			}
		}
		if err != nil {
			v.OK, v.Reason, v.Error = false, store.Reason(err), err.Error()
		}
		out = append(out, v)
	}
	return out, nil
}

// Export writes a version as a file of its own, which is never sealed: the form of
// store.EncodeVersion.
func (r *Registry) Export(typ, name string, w io.Writer) error {
	if name == "" {
		v, err := r.Get(typ, "")
		if err != nil {
			return err
		}
		name = v.Version
	}
	v, err := r.load(typ, name)
	if err != nil {
		return err
	}
	parts, err := v.parts()
	if err != nil {
		return err
	}
	b, err := store.EncodeVersion(parts)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// Import reads what Export wrote and keeps it as a new version, in no stage. The error is
// store.ErrDamaged if it is not whole, store.ErrSchema if another upid wrote it.
func (r *Registry) Import(b []byte, from string) (*Version, error) {
	parts, err := store.DecodeVersion(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	head, err := decodeRecord(parts[0])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	v, err := fromParts(head.ModelType, head.Version, parts)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	if !known(v.ModelType) {
		return nil, fmt.Errorf("%w: %q is no model type", store.ErrDamaged, v.ModelType)
	}
	v.Source = fmt.Sprintf("%s (%s of another directory, from %s)", v.Source, head.Version, from)
	return v, r.Save(v)
}

// Answer predicts rows with the active version of a type, and with its canary those whose
// features fall into its share: the same row always has the same version. A canary that
// cannot be read or asked, or fails, leaves its rows to the active version: predictions say which
// version made them, and Verify says what is wrong. It returns the active version too.
func (r *Registry) Answer(ctx context.Context, typ string, rows *Rows) ([]Prediction, *Version, error) {
	v, err := r.Get(typ, "")
	if err != nil {
		return nil, nil, err
	}
	stages, err := r.store.Stages(typ)
	if err != nil {
		return nil, nil, err
	}
	var mine, theirs []int
	for i := range rows.N {
		if stages.Canary != "" && rows.share(i) < stages.Share {
			theirs = append(theirs, i)
		} else {
			mine = append(mine, i)
		}
	}
	var out []Prediction
	if len(theirs) > 0 {
		canary, err := r.Get(typ, stages.Canary)
		if err == nil {
			out, err = r.Predict(ctx, canary, rows.only(theirs))
		}
		if err != nil {
			out, theirs = nil, nil
			mine = mine[:0]
			for i := range rows.N {
				mine = append(mine, i)
			}
		}
		for k := range out {
			out[k].Row = theirs[out[k].Row]
		}
	}
	if len(mine) > 0 {
		ps, err := r.Predict(ctx, v, rows.only(mine))
		if err != nil {
			return nil, nil, err
		}
		for k := range ps {
			ps[k].Row = mine[ps[k].Row]
		}
		out = append(out, ps...)
	}
	slices.SortStableFunc(out, func(a, b Prediction) int { return a.Row - b.Row })
	return out, v, nil
}

// only returns the rows with these numbers.
func (r *Rows) only(keep []int) *Rows {
	if len(keep) == r.N {
		return r
	}
	pick := func(cs [][]float64) [][]float64 {
		out := make([][]float64, len(cs))
		for j, c := range cs {
			out[j] = make([]float64, len(keep))
			for k, i := range keep {
				out[j][k] = c[i]
			}
		}
		return out
	}
	out := *r
	out.Columns, out.Values, out.N = pick(r.Columns), pick(r.Values), len(keep)
	if r.Times != nil {
		out.timed = len(keep)
		out.Times = make([]int64, len(keep))
		for k, i := range keep {
			out.Times[k] = r.Times[i]
		}
	}
	if r.workloads != nil {
		out.workloads = make([]string, len(keep))
		for k, i := range keep {
			out.workloads[k] = r.workloads[i]
		}
	}
	out.Containers, out.labels = map[int]*Container{}, map[int]labels.Labels{}
	for k, i := range keep {
		if c := r.Containers[i]; c != nil {
			out.Containers[k] = c
		}
		if ls, ok := r.labels[i]; ok {
			out.labels[k] = ls
		}
	}
	return &out
}

// share maps the features of a row to [0, 1) by a hash.
func (r *Rows) share(i int) float64 {
	h := fnv.New64a()
	var b [8]byte
	for j, name := range r.Features {
		if v := r.Columns[j][i]; !math.IsNaN(v) {
			_, _ = io.WriteString(h, name) // a hash takes everything
			binary.LittleEndian.PutUint64(b[:], math.Float64bits(v))
			_, _ = h.Write(b[:])
		}
	}
	return float64(h.Sum64()>>11) / (1 << 53)
}
