package models

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules/recommend"
	"github.com/upid/upid/rules/recommend/sizing"
)

// Container is what a row may say of a container beside its features, so that its size is
// advised: what is set, where 0 is nothing, and what it used. A number that is not given
// is not known.
type Container struct {
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace"`
	Kind      string `json:"kind"`     // of the workload, such as Deployment
	Workload  string `json:"workload"` // its name
	Name      string `json:"name"`     // of the container

	CPURequest    *float64 `json:"cpu_request_cores"`
	CPULimit      *float64 `json:"cpu_limit_cores"`
	MemoryRequest *float64 `json:"memory_request_bytes"`
	MemoryLimit   *float64 `json:"memory_limit_bytes"`
	Replicas      *float64 `json:"replicas"`            // mean over time
	HPATarget     *float64 `json:"hpa_target_ratio"`    // of the CPU request, of an autoscaler on CPU
	HPA           string   `json:"hpa"`                 // its name
	Throttled     *float64 `json:"cpu_throttled_ratio"` // share of the periods in which it waits for its CPU limit
	CPUPrice      *float64 `json:"cpu_price"`           // a core-hour
	MemoryPrice   *float64 `json:"memory_price"`        // a GiB-hour
	Currency      string   `json:"currency"`            // ISO 4217

	// The history of one replica, or the highest among them, at least seven days of it. null is a
	// gap. Of what is older than 28 days nothing is used.
	Step   float64    `json:"step"`         // seconds between points, 1 to 900: longer ones hide peaks
	End    float64    `json:"end"`          // Unix seconds of the newest point; the timestamp of the row if not given
	CPU    []*float64 `json:"cpu_cores"`    // mean of the step, oldest first
	Memory []*float64 `json:"memory_bytes"` // highest working set of the step, oldest first
}

// maxStep is how far apart the points of a history may be, in seconds.
const maxStep = 900

// maxPoints bounds the history of a container: 28 days, every 20 s.
const maxPoints = 28 * 24 * 180

// container takes in the container of the row under way.
func (r *Rows) container(dec *json.Decoder) error {
	var c *Container
	err := dec.Decode(&c)
	if of := (*json.UnmarshalTypeError)(nil); errors.As(err, &of) {
		is := strings.Fields(of.Value)[0] // the value may follow its kind
		return fmt.Errorf("%s is %s %s, want %s", cmp.Or(of.Field, "it"), article(is), is, jsonKind(of.Type))
	}
	if err != nil || c == nil {
		if err != nil && strings.HasPrefix(err.Error(), "json: unknown field") {
			return errors.New(strings.TrimPrefix(err.Error(), "json: "))
		}
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	if r.Containers == nil {
		r.Containers = map[int]*Container{}
	}
	r.Containers[r.N-1] = c
	return nil
}

// article returns the indefinite article of a kind of JSON.
func article(kind string) string {
	if strings.ContainsRune("ao", rune(kind[0])) { // array, object
		return "an"
	}
	return "a"
}

// jsonKind returns what JSON calls a value of type t, which is that of a field of Container.
func jsonKind(t reflect.Type) string {
	names := map[reflect.Kind]string{reflect.Float64: "a number", reflect.Slice: "an array of numbers", reflect.Struct: "an object"}
	return cmp.Or(names[t.Kind()], "a "+t.Kind().String())
}

// check refuses what cannot be.
func (c *Container) check() error {
	for _, f := range []struct {
		name string
		v    *float64
		most float64
	}{
		{"cpu_request_cores", c.CPURequest, math.MaxFloat32},
		{"cpu_limit_cores", c.CPULimit, math.MaxFloat32},
		{"memory_request_bytes", c.MemoryRequest, math.MaxFloat32},
		{"memory_limit_bytes", c.MemoryLimit, math.MaxFloat32},
		{"replicas", c.Replicas, math.MaxFloat32},
		{"hpa_target_ratio", c.HPATarget, 1},
		{"cpu_throttled_ratio", c.Throttled, 1},
		{"cpu_price", c.CPUPrice, math.MaxFloat32},
		{"memory_price", c.MemoryPrice, math.MaxFloat32},
	} {
		if f.v != nil && !(*f.v >= 0 && *f.v <= f.most) {
			return fmt.Errorf("%s is %g, want 0 to %.3g", f.name, *f.v, f.most)
		}
	}
	for _, f := range [...]struct{ name, text string }{{"cluster", c.Cluster}, {"namespace", c.Namespace}, {"kind", c.Kind}, {"workload", c.Workload}, {"name", c.Name}, {"hpa", c.HPA}, {"currency", c.Currency}} {
		if len(f.text) > maxName {
			return fmt.Errorf("%s has %d characters, want at most %d", f.name, len(f.text), maxName)
		}
	}
	if n := max(len(c.CPU), len(c.Memory)); n > maxPoints {
		return fmt.Errorf("%d points, want at most %d", n, maxPoints)
	}
	for _, f := range [...]struct {
		name   string
		points []*float64
	}{{"cpu_cores", c.CPU}, {"memory_bytes", c.Memory}} {
		for i, v := range f.points {
			if v != nil && !(*v >= 0 && *v <= math.MaxFloat32) {
				return fmt.Errorf("%s: point %d is %g, want 0 or more", f.name, i+1, *v)
			}
		}
		if len(f.points) > 0 && (c.Step < 1 || c.Step > maxStep || c.Step != math.Trunc(c.Step)) {
			return fmt.Errorf("%s with a step of %g, want 1 to %d whole seconds: longer ones hide peaks", f.name, c.Step, maxStep)
		}
	}
	switch priced := c.CPUPrice != nil || c.MemoryPrice != nil; {
	case c.End < 0 || c.End > 1e11:
		return fmt.Errorf("end is %g, want Unix seconds", c.End)
	case priced && (c.Currency == "" || c.Replicas == nil):
		return fmt.Errorf("prices without currency and replicas: savings are those of all replicas")
	}
	return nil
}

// named reports whether it may be one that a sidecar knows.
func (c *Container) named() bool { return c.Workload != "" && c.Name != "" }

// target names the container; one without any names is that of its row.
func (c *Container) target(row int) recommend.Target {
	if t := (recommend.Target{Cluster: c.Cluster, Namespace: c.Namespace, Kind: c.Kind, Name: c.Workload, Container: c.Name}); t != (recommend.Target{}) {
		return t
	}
	return recommend.Target{Kind: "Row", Name: fmt.Sprint(row + 1)}
}

// points returns values as a series whose newest step ends at end, Unix seconds.
func (c *Container) points(values []*float64, end int64) series.Series {
	step := int64(c.Step) * 1000
	y := series.Series{Start: end*1000 - int64(len(values))*step, Step: step, Values: make([]float64, len(values))}
	for i, v := range values {
		y.Values[i] = optional(v)
	}
	return y
}

func (c *Container) usage(end int64) sizing.Usage {
	u := sizing.Usage{}
	if len(c.CPU) > 0 {
		u.CPU = c.points(c.CPU, end)
	}
	if len(c.Memory) > 0 {
		u.Memory = c.points(c.Memory, end)
	}
	return u
}

// memoryNow is the highest memory of the newest hour, NaN without any.
func (c *Container) memoryNow() float64 {
	most := math.NaN()
	for i := len(c.Memory) - 1; i >= 0 && float64(len(c.Memory)-1-i)*c.Step < 3600; i-- {
		if v := optional(c.Memory[i]); !(most >= v) && v == v {
			most = v
		}
	}
	return most
}

// optional returns *v, NaN for nil.
func optional(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

// set returns *v, NaN for nil and for 0, which is nothing.
func set(v *float64) float64 {
	if v == nil || *v == 0 {
		return math.NaN()
	}
	return *v
}

// complete reports whether all that may be set is known, set or not.
func (c *Container) complete() bool {
	return c.CPURequest != nil && c.CPULimit != nil && c.MemoryRequest != nil && c.MemoryLimit != nil
}
