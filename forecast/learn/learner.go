package learn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// problem is what a learner is given: rows to fit, and the tail.
type problem struct {
	d           Data
	train, tail []int
	y           []float64 // of train, transformed
	quantiles   []float64 // ascending; the middle one is ½
	r           *rand.Rand
}

// learner fits quantiles epoch by epoch.
type learner interface {
	// epoch goes on by one and returns the predictions for the tail: [quantile][row].
	epoch() [][]float64
	// best keeps, for a quantile, the state of the newest epoch.
	best(quantile int)
	// done returns what was kept.
	done() fitted
}

// fitted is what a learner kept: plain data that predicts the quantiles of the transformed
// target. It is written as JSON.
type fitted interface {
	// at fills dst with the quantiles for x.
	at(dst, x []float64)
	// contribute adds to dst what each feature contributes to the median for x, and returns
	// the median that contributions start at.
	contribute(dst, x []float64) (mean float64)
	// valid returns what makes it unfit to be asked with so many values.
	valid(width int) error
}

// middle is the index of the median among the quantiles.
const middle = 1

// algorithm is a way to learn a regressor.
type algorithm struct {
	name  string
	learn func(problem) learner
	empty func() fitted // to decode into
}

// algorithms are those there are. With Auto each is trained; of equal ones the first is kept.
var algorithms = []algorithm{
	{"trees", newBoosted, func() fitted { return new(quantileTrees) }},
	{"network", newNetwork, func() fitted { return new(Network) }},
}

// Auto trains every algorithm and keeps the one with the least error on the tail.
const Auto = "auto"

// Algorithms lists the algorithms of a regressor.
func Algorithms() []string {
	var names []string
	for _, a := range algorithms {
		names = append(names, a.name)
	}
	return names
}

// chosen returns the algorithms of a name, all of them for Auto.
func chosen(name string) ([]algorithm, error) {
	if name == Auto {
		return algorithms, nil
	}
	for _, a := range algorithms {
		if a.name == name {
			return []algorithm{a}, nil
		}
	}
	return nil, fmt.Errorf("%w: algorithm %q, want %s or one of %s", ErrInput, name, Auto, strings.Join(Algorithms(), ", "))
}

// Fitted is a fitted learner with the name of its algorithm. In JSON it is an object with the
// name as its only key.
type Fitted struct {
	Algorithm string
	fitted
}

// MarshalJSON implements json.Marshaler.
func (f Fitted) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]fitted{f.Algorithm: f.fitted})
}

// UnmarshalJSON implements json.Unmarshaler. It refuses what it does not know.
func (f *Fitted) UnmarshalJSON(b []byte) error {
	var by map[string]json.RawMessage
	if err := json.Unmarshal(b, &by); err != nil {
		return err
	}
	if len(by) != 1 {
		return fmt.Errorf("%d fitted learners in one", len(by))
	}
	for name, raw := range by {
		as, err := chosen(name)
		if err != nil || len(as) != 1 {
			return fmt.Errorf("algorithm %q is not known", name)
		}
		f.Algorithm, f.fitted = name, as[0].empty()
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if err := dec.Decode(f.fitted); err != nil {
			return err
		}
	}
	return nil
}
