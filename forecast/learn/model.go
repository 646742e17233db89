package learn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Kind is what a model predicts.
type Kind string

// The kinds of models.
const (
	Number  Kind = "regression"     // a number with an interval
	Class   Kind = "classification" // the probability of 1
	Oddness Kind = "anomaly"        // how unlike the rest, 1 is the boundary
)

// Model is a trained model of one target with what was measured. One of the last three is
// set. It is data: it has no behaviour but arithmetic.
type Model struct {
	Kind      Kind     `json:"kind"`
	Algorithm string   `json:"algorithm"` // one of Algorithms, isolation_forest; naive: what was learned lost
	Features  []string `json:"features"`  // in the order of x
	Report    Report   `json:"report"`
	// Profiles are by feature how the rows learned from were spread, to notice when others are not.
	Profiles []Profile `json:"profiles,omitempty"`

	Regression     *Regression     `json:"regression,omitempty"`
	Classification *Classification `json:"classification,omitempty"`
	Isolation      *Isolation      `json:"isolation,omitempty"`
}

// Defaults of Config.
const (
	DefaultAlgorithm = Auto
	DefaultLevel     = 0.9
	DefaultEpochs    = 100
)

// NaiveAlgorithm is that of a regressor whose learned part is not used.
const NaiveAlgorithm = "naive"

// Train trains a model of a kind. A regressor that does not beat the naive prediction on
// the newest rows is made naive; Report.Gate still says so.
func Train(kind Kind, d Data, c Config) (*Model, error) {
	if c.Epochs < 1 || c.Epochs > MaxEpochs {
		return nil, fmt.Errorf("%w: %d epochs, want 1 to %d", ErrInput, c.Epochs, MaxEpochs)
	}
	if !(c.Level > 0 && c.Level < 1) {
		return nil, fmt.Errorf("%w: level %g, want between 0 and 1", ErrInput, c.Level)
	}
	least := leastTrain + 2*leastTail
	if kind == Oddness {
		least = leastAnomalyRows
	}
	if err := d.check(least); err != nil {
		return nil, err
	}
	if d.Target == nil && kind != Oddness {
		return nil, fmt.Errorf("%w: there is no target", ErrInput)
	}
	m := &Model{Kind: kind, Algorithm: c.Algorithm, Features: d.Features}
	var err error
	switch kind {
	case Number:
		m.Regression, m.Report, err = trainRegression(d, c)
		if m.Regression != nil {
			m.Algorithm = m.Regression.Fitted.Algorithm
			if m.Regression.Share == 0 {
				m.Algorithm = NaiveAlgorithm
			}
		}
	case Class:
		c.Algorithm, m.Algorithm = "trees", "trees"
		m.Classification, m.Report, err = trainClassification(d, c)
	case Oddness:
		c.Algorithm, m.Algorithm = "isolation_forest", "isolation_forest"
		m.Isolation, m.Report, err = trainIsolation(d, c)
	default:
		err = fmt.Errorf("%w: kind %q", ErrInput, kind)
	}
	if err != nil {
		return nil, err
	}
	if kind == Oddness {
		d.Target = nil
	}
	m.profile(d)
	return m, nil
}

// At predicts for x, the values of Features in order; NaN is missing. why asks for
// Output.Contributions. Safe for concurrent use.
func (m *Model) At(x []float64, why bool) (Output, error) {
	if len(x) != len(m.Features) {
		return Output{}, fmt.Errorf("%w: %d values for %d features", ErrInput, len(x), len(m.Features))
	}
	for j, v := range x {
		if math.IsInf(v, 0) {
			return Output{}, fmt.Errorf("%w: %s is infinite", ErrInput, m.Features[j])
		}
	}
	return m.finite(m.output(x, why))
}

// Plain answers for x with the naive prediction alone, whatever was learned, and with the
// interval that held its level on the tail; ErrInput for models that are no regressors.
func (m *Model) Plain(x []float64) (Output, error) {
	if m.Regression == nil || len(x) != len(m.Features) {
		return Output{}, fmt.Errorf("%w: %d values for %d features of a model of %s", ErrInput, len(x), len(m.Features), m.Kind)
	}
	return m.finite(m.Regression.plain(x))
}

func (m *Model) output(x []float64, why bool) Output {
	var o Output
	switch m.Kind {
	case Number:
		o = m.Regression.at(x, why)
	case Class:
		o = m.Classification.at(x, why)
	case Oddness:
		o = m.Isolation.at(x, why)
	}
	return o
}

func (*Model) finite(o Output) (Output, error) {
	if math.IsNaN(o.Value) || math.IsInf(o.Value, 0) {
		return Output{}, fmt.Errorf("%w: the prediction is not finite", ErrModel)
	}
	return o, nil
}

// MaxModel bounds the encoded size of a model, and maxNodes that of its trees.
const (
	MaxModel = 32 << 20
	maxNodes = 1 << 20
)

// ErrModel says that bytes are not a model.
var ErrModel = errors.New("not a model")

// Encode returns m in JSON.
func (m *Model) Encode() ([]byte, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode model: %w", err)
	}
	if len(b) > MaxModel {
		return nil, fmt.Errorf("encode model: %d bytes, more than %d", len(b), MaxModel)
	}
	return b, nil
}

// Decode returns the model that Encode wrote, ErrModel for anything that could not be
// asked safely: a length that does not fit, a node that points back or outside, a tree or
// a text nested too deep, a number that is none.
func Decode(b []byte) (*Model, error) {
	if len(b) > MaxModel {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", ErrModel, len(b), MaxModel)
	}
	if err := Bounded(b, maxNesting, maxValues); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	m := new(Model)
	if err := dec.Decode(m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	if dec.More() {
		return nil, fmt.Errorf("%w: it goes on after its end", ErrModel)
	}
	if err := m.valid(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	return m, nil
}

// valid returns what makes m unfit to be asked.
func (m *Model) valid() error {
	n := len(m.Features)
	if n == 0 || n > MaxFeatures || slices.Contains(m.Features, "") {
		return fmt.Errorf("%d features, or one without a name", n)
	}
	set := 0
	for _, there := range []bool{m.Regression != nil, m.Classification != nil, m.Isolation != nil} {
		if there {
			set++
		}
	}
	if set != 1 {
		return fmt.Errorf("%d models in one", set)
	}
	if len(m.Profiles) != 0 && len(m.Profiles) != n {
		return fmt.Errorf("%d profiles of %d features", len(m.Profiles), n)
	}
	for _, p := range m.Profiles {
		if err := p.valid(); err != nil {
			return err
		}
	}
	switch {
	case m.Kind == Number && m.Regression != nil:
		return m.Regression.valid(n)
	case m.Kind == Class && m.Classification != nil:
		return m.Classification.valid(n)
	case m.Kind == Oddness && m.Isolation != nil:
		return m.Isolation.valid(n)
	}
	return fmt.Errorf("kind %q", m.Kind)
}

var errForm = errors.New("lengths or numbers do not fit")

func (m *Regression) valid(n int) error {
	if len(m.Widen) != n || len(m.Naive.Features) > nearestKept || !(m.Share >= 0 && m.Share <= 1) || !(m.Scale.Unit > 0) || m.Scale.Log && !(m.Scale.Shift > 0) {
		return errForm
	}
	for _, j := range m.Naive.Features {
		if j < 0 || j >= n {
			return errForm
		}
	}
	if m.Fitted.fitted == nil || !(m.Plain >= 0) {
		return errForm
	}
	return m.Fitted.valid(n + len(m.Naive.Features))
}

func (m *Classification) valid(n int) error {
	if len(m.Weight) != n || len(m.Bins) == 0 || !(m.Level > 0 && m.Level < 1) {
		return errForm
	}
	for _, b := range m.Bins {
		if b.Rows < 1 || b.True < 0 || b.True > b.Rows {
			return errForm
		}
	}
	return m.Trees.valid(n)
}

func (m *Isolation) valid(n int) error {
	k := len(m.Feature)
	if len(m.Typical) != n || len(m.Known) != n || len(m.Share) != k || len(m.Depth) != k || m.Sample < 1 || !(m.Boundary > 0) || len(m.Roots) == 0 {
		return errForm
	}
	return validNodes(m.Roots, m.Feature, m.Threshold, m.Right, n)
}

func (t *Trees) valid(n int) error {
	if k := len(t.Feature); len(t.Missing) != k || len(t.Value) != k {
		return errForm
	}
	return validNodes(t.Roots, t.Feature, t.Threshold, t.Right, n)
}

// validNodes makes sure that a walk from any root ends: every node is inside its tree,
// and every step leads onward.
func validNodes(roots, feature []int, threshold []float64, right []int, n int) error {
	k := len(feature)
	if k > maxNodes || len(roots) > k || len(threshold) != k || len(right) != k {
		return errForm
	}
	if len(roots) == 0 && k > 0 || len(roots) > 0 && roots[0] != 0 {
		return errForm
	}
	for r, from := range roots {
		to := k
		if r+1 < len(roots) {
			to = roots[r+1]
		}
		if from < 0 || from >= to || to > k {
			return errForm
		}
		for i := from; i < to; i++ {
			if feature[i] < -1 || feature[i] >= n {
				return errForm
			}
			if feature[i] >= 0 && (right[i] <= i+1 || right[i] >= to) {
				return errForm
			}
		}
	}
	return shallow(roots, feature, right)
}
