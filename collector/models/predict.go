package models

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/learn"
	"github.com/upid/upid/rules/recommend"
)

// Prediction is what a trained model says of one row and target. The names are those of
// the predictions of signals; a number that is not known is null.
type Prediction struct {
	ID              string            `json:"id"` // of the version, target and features
	ModelType       string            `json:"model_type"`
	Signal          string            `json:"signal"` // empty: a model, not a signal
	Labels          map[string]string `json:"labels"`
	Slot            *float64          `json:"slot"` // Unix seconds, the timestamp of the row
	Horizon         string            `json:"horizon"`
	Value           *float64          `json:"value"`
	Lower           *float64          `json:"lower"`
	Upper           *float64          `json:"upper"`
	Unit            string            `json:"unit"`
	Confidence      *float64          `json:"confidence"`
	ConfidenceLevel string            `json:"confidence_level"`
	Model           string            `json:"model"` // algorithm
	ModelVersion    string            `json:"model_version"`
	FeaturesUsed    []string          `json:"features_used"`

	Target        string         `json:"target"`
	Row           int            `json:"row"`
	Level         *float64       `json:"level"` // share of values the interval is to hold
	Contributions []Contribution `json:"contributions"`
	Missing       []string       `json:"features_missing"`
	Unknown       []string       `json:"features_unknown"` // the same for all that a version answers, so only the first prediction has them

	// Scaling is the advice on the size of the container of the row, of resource_prediction, with
	// the first prediction of a row. It is blocked, with what is missing, where it cannot be
	// given; null with other predictions.
	Scaling *recommend.Recommendation `json:"scaling"`
}

// Contribution is what one feature adds to a prediction.
type Contribution struct {
	Feature string   `json:"feature"`
	Value   *float64 `json:"value"`        // null: it was missing
	By      float64  `json:"contribution"` // unit of the target; all of them add up to value − reference
}

// TopContributions is how many a prediction names.
const TopContributions = 5

// MaxRows is how many rows Predict answers at once.
const MaxRows = 100_000

// Predict lets v answer every row of rows for every target. Names may come in any order;
// what v does not know is ignored and named, what it misses is missing. Rows that have
// none of v's features are refused, so are more than MaxRows. Failures of the model itself
// are ErrFailed, or ErrParked once there were several. Cost: some 40 µs a row and target.
func (r *Registry) Predict(ctx context.Context, v *Version, rows *Rows) ([]Prediction, error) {
	if rows.N > MaxRows {
		return nil, fmt.Errorf("%d rows, want at most %d", rows.N, MaxRows)
	}
	return guarded(ctx, r, v, rows.N, v.rowBytes(), func(ctx context.Context) ([]Prediction, error) { return v.predict(ctx, rows) })
}

// rowBytes is about what the predictions for one row take, written as JSON.
func (v *Version) rowBytes() int64 {
	names := 0
	for _, name := range v.Features {
		names += len(name) + 3
	}
	return int64(32*len(v.Features) + len(v.Models)*(1<<10+names))
}

func (v *Version) predict(ctx context.Context, rows *Rows) ([]Prediction, error) {
	at, err := v.columns(rows)
	if err != nil {
		return nil, err
	}
	unknown := []string{}
	for _, name := range rows.Features {
		if !slices.Contains(v.Features, name) {
			unknown = append(unknown, name)
		}
	}
	out := make([]Prediction, 0, rows.N*len(v.Models))
	x := make([]float64, len(v.Features))
	for i := range rows.N {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		used, missing := []string{}, []string{}
		for j := range x {
			x[j] = math.NaN()
			if at[j] >= 0 {
				x[j] = rows.Columns[at[j]][i]
			}
			if math.IsNaN(x[j]) {
				missing = append(missing, v.Features[j])
			} else {
				used = append(used, v.Features[j])
			}
		}
		if len(used) == 0 {
			return nil, fmt.Errorf("%w: row %d: every feature of %s %s is missing", ErrRows, i+1, v.ModelType, v.Version)
		}
		for k, m := range v.Models {
			o, err := v.output(k, m, x)
			if err != nil {
				return nil, fmt.Errorf("row %d: target %s: %w", i+1, v.Targets[k].Name, err)
			}
			p := v.prediction(k, o, x)
			p.Row, p.FeaturesUsed, p.Missing, p.Unknown = i, used, missing, unknown
			unknown = []string{}
			if rows.Times != nil {
				p.Slot = finite(float64(rows.Times[i]) / 1000)
			}
			out = append(out, p)
		}
	}
	return out, nil
}

// columns returns for each feature of v the column of rows that has it, −1 if none has;
// an error if there is no such column at all.
func (v *Version) columns(rows *Rows) ([]int, error) {
	at := make([]int, len(v.Features))
	for j, name := range v.Features {
		at[j] = slices.Index(rows.Features, name)
	}
	if slices.Max(at) < 0 {
		return nil, fmt.Errorf("%w: none of the features of %s %s is given, such as %s", ErrRows, v.ModelType, v.Version, v.Features[0])
	}
	return at, nil
}

// fill fills x with row i, of which at says in which column each value is, −1 in none: it is
// NaN then. It reports whether any value is there.
func (r *Rows) fill(x []float64, at []int, i int) (known bool) {
	for j, column := range at {
		x[j] = math.NaN()
		if column >= 0 {
			x[j] = r.Columns[column][i]
		}
		known = known || !math.IsNaN(x[j])
	}
	return known
}

// values are the bare predictions for any number of rows: [target][row], NaN for rows
// that have none of v's features. Memory: eight bytes a row and target.
func (v *Version) values(ctx context.Context, rows *Rows) ([][]float64, error) {
	at, err := v.columns(rows)
	if err != nil {
		return nil, err
	}
	out := make([][]float64, len(v.Models))
	for k := range out {
		out[k] = make([]float64, rows.N)
	}
	x := make([]float64, len(v.Features))
	for i := range rows.N {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		empty := !rows.fill(x, at, i)
		for k, m := range v.Models {
			if empty {
				out[k][i] = math.NaN()
				continue
			}
			o, err := m.At(x, false)
			if err != nil {
				return nil, fmt.Errorf("row %d: target %s: %w", i+1, v.Targets[k].Name, err)
			}
			out[k][i] = o.Value
		}
	}
	return out, nil
}

// output answers for target k, with the naive prediction if it was demoted.
func (v *Version) output(k int, m *learn.Model, x []float64) (learn.Output, error) {
	if v.Targets[k].Demoted != "" {
		return m.Plain(x)
	}
	return m.At(x, true)
}

func (v *Version) prediction(k int, o learn.Output, x []float64) Prediction {
	t := v.Targets[k]
	report := t.Report
	if t.Demoted != "" {
		t.Algorithm, report = learn.NaiveAlgorithm, report.Naive()
	}
	confidence := report.Confidence(o.Widened)
	p := Prediction{
		ID: v.id(t.Name, x), ModelType: v.ModelType, Labels: map[string]string{}, Horizon: v.Horizon,
		Value: finite(o.Value), Lower: finite(o.Lower), Upper: finite(o.Upper), Unit: t.Unit,
		Confidence: finite(confidence), ConfidenceLevel: series.ConfidenceLevel(confidence),
		Model: t.Algorithm, ModelVersion: v.Version, Target: t.Name, Contributions: top(v.Features, x, o.Contributions),
	}
	if p.Lower != nil && p.Upper != nil {
		p.Level = finite(v.Level)
	}
	return p
}

// top returns the contributions that are largest in magnitude.
func top(names []string, x, by []float64) []Contribution {
	order := make([]int, 0, len(by))
	for j, v := range by {
		if v != 0 && !math.IsNaN(v) && !math.IsInf(v, 0) {
			order = append(order, j)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch x, y := math.Abs(by[a]), math.Abs(by[b]); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	out := []Contribution{}
	for _, j := range order[:min(len(order), TopContributions)] {
		out = append(out, Contribution{names[j], finite(x[j]), by[j]})
	}
	return out
}

// id identifies what was asked of which version: 16 hexadecimal digits of a SHA-256.
func (v *Version) id(target string, x []float64) string {
	b := fmt.Appendf(nil, "%s\xff%s\xff%s\xff", v.ModelType, v.Version, target)
	for _, f := range x {
		if math.IsNaN(f) {
			f = math.NaN() // of one bit pattern
		}
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// finite returns v as JSON has it: null for NaN and ±Inf.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
