package models

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/upid/upid/forecast"
	"github.com/upid/upid/forecast/features"
	"github.com/upid/upid/rules/recommend"
	"github.com/upid/upid/rules/recommend/sizing"
)

// DefaultPolicy is by which sizes are advised where nothing is said.
const DefaultPolicy = "balanced"

// Query is a question to a model.
type Query struct {
	ModelType string
	Version   string // "": the active one, and the canary for its share
	Rows      *Rows
	Policy    string // of the sizes that are advised, in sizing.Policies
	// Known returns what a sidecar says of the recommendation of an id, which is that of
	// a container whose history was not given; nil: there is no sidecar.
	Known func(id string) (json.RawMessage, bool)
}

// Ask answers every row for every target, by Predict, and returns the version that
// answered for most. To rows of resource_prediction it adds the advice on scaling.
func (r *Registry) Ask(ctx context.Context, q Query) (ps []Prediction, v *Version, err error) {
	if q.ModelType != features.ResourcePrediction {
		for i := range q.Rows.N {
			if q.Rows.Containers[i] != nil {
				return nil, nil, fmt.Errorf("%w: row %d: a container; only %s advises sizes", ErrRows, i+1, features.ResourcePrediction)
			}
		}
	}
	if q.Version == "" {
		ps, v, err = r.Answer(ctx, q.ModelType, q.Rows)
	} else if v, err = r.Get(q.ModelType, q.Version); err == nil {
		ps, err = r.Predict(ctx, v, q.Rows)
	}
	if err != nil || q.ModelType != features.ResourcePrediction {
		return ps, v, err
	}
	advice, err := q.advise(ctx)
	if err != nil {
		return nil, nil, err
	}
	for i := range ps {
		if i == 0 || ps[i].Row != ps[i-1].Row {
			ps[i].Scaling = &advice[ps[i].Row]
		}
	}
	return ps, v, nil
}

// advise returns for each row the right-size of its container, by the code that sizes
// those of a cluster: learned from the 28 days before the newest point, those that end at
// the same time decided together. Without what that takes it is blocked, and says by what. Cost: 4 ms
// for a container with 28 days every five minutes, and next to nothing without history.
func (q Query) advise(ctx context.Context) ([]recommend.Recommendation, error) {
	policy, err := sizing.PolicyNamed(q.Policy)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRows, err)
	}
	out := make([]recommend.Recommendation, q.Rows.N)
	ending := map[int64][]int{} // rows with a history by its end
	for i := range out {
		c := q.Rows.Containers[i]
		if c == nil {
			c = &Container{}
		}
		if len(c.CPU) > 0 || len(c.Memory) > 0 {
			end, err := c.end(q.Rows, i)
			if err != nil {
				return nil, err
			}
			ending[end] = append(ending[end], i)
			continue
		}
		known := false
		if q.Known != nil && c.named() {
			if out[i], known, err = q.known(c, i); err != nil {
				return nil, err
			}
		}
		if !known {
			out[i] = recommend.RightSizes(c.input(i, policy.Name, 0))
		}
	}
	if len(ending) == 0 {
		return out, nil
	}
	model, err := forecast.New(sizing.Model, nil)
	if err != nil {
		return nil, err
	}
	scratch := sizing.NewScratch(model)
	for _, end := range slices.Sorted(maps.Keys(ending)) {
		var usages []sizing.Usage
		for _, i := range ending[end] {
			usages = append(usages, q.Rows.Containers[i].usage(end))
		}
		sizers, err := sizing.Learn(ctx, policy, usages, end, scratch)
		if err != nil {
			return nil, err
		}
		for k, i := range ending[end] {
			c := q.Rows.Containers[i]
			in := c.input(i, policy.Name, end)
			in.Learn(sizers[k], scratch)
			out[i] = recommend.RightSizes(in)
			if len(c.Memory) == 0 {
				out[i].Reasons = append(out[i].Reasons, "Memory stays as it is: how much it used was not given")
			}
			if len(c.CPU) == 0 {
				out[i].Reasons = append(out[i].Reasons, "CPU stays as it is: how much it used was not given")
			}
		}
	}
	return out, nil
}

// end returns when the step of the newest point of row i ends, Unix seconds.
func (c *Container) end(rows *Rows, i int) (int64, error) {
	switch {
	case c.End > 0:
		return int64(c.End) + int64(c.Step), nil
	case rows.Times != nil:
		return rows.Times[i]/1000 + int64(c.Step), nil
	}
	return 0, fmt.Errorf("%w: row %d: container: a history without end, and no timestamp", ErrRows, i+1)
}

// known returns what the sidecar says of a container that is named.
func (q Query) known(c *Container, row int) (r recommend.Recommendation, ok bool, err error) {
	raw, ok := q.Known(recommend.New(recommend.RightSize, c.target(row), "").ID)
	if !ok {
		return r, false, nil
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return r, false, fmt.Errorf("recommendation of %s: %w", c.Name, err)
	}
	return r, true, nil
}

// input is what c says, without its history.
func (c *Container) input(row int, policy string, end int64) recommend.SizeInput {
	nan := math.NaN()
	in := recommend.SizeInput{
		Target: c.target(row), Slot: end, Policy: policy, Given: true,
		Size: sizing.Size{CPU: nan, Memory: nan}, MemoryNow: c.memoryNow(), MemoryPeak: nan,
		KubeState: c.complete(), CPURequest: set(c.CPURequest), CPULimit: set(c.CPULimit), MemoryRequest: set(c.MemoryRequest), MemoryLimit: set(c.MemoryLimit),
		Replicas: optional(c.Replicas), Throttled: optional(c.Throttled), HPATarget: set(c.HPATarget), HPAName: c.HPA,
		QuotaCPU: nan, QuotaMemory: nan, JVMHeap: nan, JVMNonHeap: nan,
		CPUPrice: optional(c.CPUPrice), MemoryPrice: optional(c.MemoryPrice), Currency: c.Currency, LeastSavings: recommend.LeastSavings,
	}
	if c.CPUPrice != nil || c.MemoryPrice != nil {
		in.PriceSource = "question"
	}
	return in
}
