package learn

import (
	"fmt"
	"math"
	"slices"
)

// Report is what training measured on rows that were not learned from. Metrics that
// could not be measured are not there.
type Report struct {
	Train       int                `json:"rows_train"`
	Tail        int                `json:"rows_tail"` // that ended the training and calibrated it
	Test        int                `json:"rows_test"` // that judge
	Epochs      int                `json:"epochs"`
	Metrics     map[string]float64 `json:"metrics"`
	Calibration []Calibrated       `json:"calibration,omitempty"`
	Importance  []float64          `json:"importance,omitempty"` // by feature, shares of the whole
	// Drift is by feature how the rows judged on differ from those learned from, see Profile.PSI.
	Drift []float64 `json:"drift,omitempty"`
	// Tried are the algorithms there was a choice among.
	Tried []Tried `json:"tried,omitempty"`
}

// Tried is how an algorithm did on the tail, by which one is chosen.
type Tried struct {
	Algorithm string  `json:"algorithm"`
	Epochs    int     `json:"epochs"`
	Error     float64 `json:"tail_error"` // mean absolute
}

// set notes a metric unless it is not a number.
func (r *Report) set(name string, v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return
	}
	if r.Metrics == nil {
		r.Metrics = map[string]float64{}
	}
	r.Metrics[name] = v
}

// Metric returns a metric, NaN if it was not measured.
func (r Report) Metric(name string) float64 {
	if v, ok := r.Metrics[name]; ok {
		return v
	}
	return math.NaN()
}

// What the gate asks for.
const (
	leastSkill      = 0.01
	mostMiscovered  = 0.1
	mostMiscalibred = 0.1
	anomalyShare    = 0.01 // of ordinary rows above the boundary
	mostAnomalies   = 0.05
)

// Gate returns why a model must not be used, nothing if it may: it has to beat the
// naive prediction on the newest rows, and to know how sure it is.
func (r Report) Gate() []string {
	var why []string
	has := func(name string) bool { _, ok := r.Metrics[name]; return ok }
	if s := r.Metric("skill"); has("naive_mae") && !(s >= leastSkill) {
		why = append(why, fmt.Sprintf("its error is not 1 %% below that of the naive prediction (skill %.3f)", s))
	}
	if s := r.Metric("brier_skill"); has("brier") && !(s >= leastSkill) {
		why = append(why, fmt.Sprintf("its Brier score is not 1 %% below that of the base rate (skill %.3f)", s))
	}
	if c, level := r.Metric("coverage"), r.Metric("level"); has("coverage") && math.Abs(c-level) > mostMiscovered {
		why = append(why, fmt.Sprintf("its %.0f %% interval holds %.0f %% of the held-out values", 100*level, 100*c))
	}
	if e := r.Metric("calibration_error"); e > mostMiscalibred {
		why = append(why, fmt.Sprintf("its probabilities are off by %.2f on average", e))
	}
	if s := r.Metric("anomalous_share"); s > mostAnomalies {
		why = append(why, fmt.Sprintf("%.1f %% of the held-out rows lie above a boundary that 1 %% should", 100*s))
	}
	return why
}

// Naive returns the report of the naive prediction that was measured beside a model of
// numbers, with what its confidence takes.
func (r Report) Naive() Report {
	out := Report{Train: r.Train, Tail: r.Tail, Test: r.Test}
	out.set("skill", 0)
	out.set("mae", r.Metric("naive_mae"))
	out.set("naive_mae", r.Metric("naive_mae"))
	out.set("coverage", r.Metric("naive_coverage"))
	out.set("level", r.Metric("level"))
	return out
}

// Confidence of a prediction, in [0, 1], from what was measured:
//
//	confidence = √(C·S) · H / widened
//	C = max(0, 1 − 2·|coverage − level|), or 1 − 2·calibration error
//	S = (1 + clamp(skill, −1, 1)) / 2
//	H = 1 − exp(−held-out rows / 50)
//
// as of a forecast, with rows in place of days; widened is how much wider the interval is
// for what is missing.
func (r Report) Confidence(widened float64) float64 {
	c, s := 0.5, 0.5
	if v := r.Metric("coverage"); !math.IsNaN(v) {
		c = max(0, 1-2*math.Abs(v-r.Metric("level")))
	}
	if v := r.Metric("calibration_error"); !math.IsNaN(v) {
		c = max(0, 1-2*v)
	}
	if v := r.Metric("anomalous_share"); !math.IsNaN(v) {
		c = max(0, 1-10*math.Abs(v-anomalyShare))
	}
	for _, name := range []string{"skill", "brier_skill"} {
		if v := r.Metric(name); !math.IsNaN(v) {
			s = (1 + min(max(v, -1), 1)) / 2
		}
	}
	return math.Sqrt(c*s) * (1 - math.Exp(-float64(r.Test)/50)) / max(widened, 1)
}

// judgeClasses sets the metrics of probabilities p of classes y: at a boundary of ½
// precision, recall and F1; area under the ROC and the precision-recall curve (average
// precision); the Brier score, and its skill against always saying base.
func judgeClasses(r *Report, p, y []float64, base float64) {
	var tp, fp, fn, brier, naive, positive float64
	for k, v := range p {
		brier += (v - y[k]) * (v - y[k])
		naive += (base - y[k]) * (base - y[k])
		positive += y[k]
		switch said := v >= 0.5; {
		case said && y[k] == 1:
			tp++
		case said:
			fp++
		case y[k] == 1:
			fn++
		}
	}
	n := float64(len(p))
	r.set("precision", tp/(tp+fp))
	r.set("recall", tp/(tp+fn))
	r.set("f1", 2*tp/(2*tp+fp+fn))
	r.set("brier", brier/n)
	r.set("brier_skill", 1-brier/naive)
	r.set("base_rate", positive/n)
	roc, pr := areas(p, y)
	r.set("roc_auc", roc)
	r.set("pr_auc", pr)
}

// areas returns the area under the ROC curve, ties counted half, and the average
// precision; NaN without both classes.
func areas(score, y []float64) (roc, pr float64) {
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case score[a] > score[b]:
			return -1
		case score[a] < score[b]:
			return 1
		}
		return 0
	})
	var tp, fp float64
	for from := 0; from < len(order); {
		to, t, f := from, 0.0, 0.0
		for ; to < len(order) && score[order[to]] == score[order[from]]; to++ {
			t += y[order[to]]
			f += 1 - y[order[to]]
		}
		roc += f * (tp + t/2)
		tp, fp = tp+t, fp+f
		pr += t * tp / (tp + fp)
		from = to
	}
	return roc / (tp * fp), pr / tp
}
