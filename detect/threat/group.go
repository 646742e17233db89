package threat

import (
	"math"
	"slices"
	"strings"
)

// grouped is what a slot holds for one entity.
type grouped struct {
	entity string
	inputs [maxInputs][]Sample // by inputIndex
	size   [maxInputs]int32
}

// inputNames are the names of the inputs of all models.
var inputNames = []string{"value", "failures", "attempts", "successes", "actions", "matches", "up", "values"}

const maxInputs = 8

func inputIndex(input string) int { return slices.Index(inputNames, input) }

// What is longer is no name but an attack or an accident: samples of such an entity are
// left out, and other texts are cut.
const (
	maxName = 1024 // bytes
	maxText = 256
)

// group returns the entities of a slot, sorted, and how many samples were left out. All
// samples of an input share an array: there may be hundreds of thousands.
func group(in Slot) (out []grouped, refused int64) {
	most := 0
	for _, samples := range in {
		most = max(most, len(samples))
	}
	at := make(map[string]int32, most)
	for input, samples := range in {
		n := inputIndex(input)
		if n < 0 {
			continue
		}
		of := make([]int32, len(samples)) // the group of each
		for i := range samples {
			e := samples[i].Entity
			if len(e) > maxName {
				of[i] = -1
				refused++
				continue
			}
			g, ok := at[e]
			if !ok {
				g = int32(len(out))
				at[e] = g
				out = append(out, grouped{entity: e, inputs: [maxInputs][]Sample{}, size: [maxInputs]int32{}})
			}
			of[i] = g
			out[g].size[n]++
		}
		all := make([]Sample, len(samples))
		next := 0
		for i := range samples {
			if of[i] < 0 {
				continue
			}
			g := &out[of[i]]
			if g.inputs[n] == nil {
				end := next + int(g.size[n])
				g.inputs[n] = all[next:next:end]
				next = end
			}
			g.inputs[n] = append(g.inputs[n], cut(samples[i]))
		}
	}
	order := make([]int32, len(out)) // groups are large
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return strings.Compare(out[a].entity, out[b].entity) })
	sorted := make([]grouped, len(out))
	for i, j := range order {
		sorted[i] = out[j]
	}
	return sorted, refused
}

// cut returns a sample with its long texts cut.
func cut(s Sample) Sample {
	for _, text := range []*string{&s.Verb, &s.Resource, &s.Code, &s.Rule, &s.Priority, &s.Techniques} {
		if len(*text) > maxText {
			*text = strings.Clone((*text)[:maxText])
		}
	}
	return s
}

// get returns the samples of an input, nil if there are none.
func (g *grouped) get(input string) []Sample { return g.inputs[inputIndex(input)] }

// busy reports whether anything was counted of the entity.
func (g *grouped) busy() bool {
	for _, samples := range g.inputs {
		if slices.ContainsFunc(samples, func(s Sample) bool { return known(s.Value) && s.Value > 0 }) {
			return true
		}
	}
	return false
}

// sum adds up an input; NaN if it is not there.
func (g *grouped) sum(input string) float64 {
	samples := g.get(input)
	if len(samples) == 0 {
		return math.NaN()
	}
	if len(samples) == 1 {
		return samples[0].Value
	}
	xs := make([]float64, len(samples))
	for i, s := range samples {
		xs[i] = s.Value
	}
	slices.Sort(xs) // floats do not add up the same in every order
	var sum float64
	for _, x := range xs {
		sum += x
	}
	return sum
}

// resources returns the resources of an input that have events, each once and sorted; long
// ones are cut.
func (g *grouped) resources(input string) []string {
	var out []string
	for _, s := range g.get(input) {
		if known(s.Value) && s.Value > 0 && s.Resource != "" {
			out = append(out, s.Resource)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
