package models

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/upid/upid/collector"
	"github.com/upid/upid/forecast/features"
)

// maxSaid bounds how many predictions of one version are exported; the workloads are taken
// in order.
const maxSaid = 2000

// metrics are what is exported of learned models.
type metrics struct {
	trainings *prometheus.CounterVec
	panics    prometheus.Counter

	skill, coverage, rows, alerting                *collector.Info
	value, lower, upper                            *collector.Info
	pairedTimes, pairedNeeded, pairedLoss, leftOut *collector.Info
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		trainings: collector.NewCounterVec(reg, "upid_version_trainings_total"),
		panics:    collector.NewCounterVec(reg, "upid_panics_recovered_total").WithLabelValues("models"),
		skill:     collector.NewInfo(reg, "upid_version_skill_ratio"), coverage: collector.NewInfo(reg, "upid_version_coverage_ratio"),
		rows: collector.NewInfo(reg, "upid_version_judged_rows"), alerting: collector.NewInfo(reg, "upid_version_alerting_workloads"),
		value: collector.NewInfo(reg, "upid_version_prediction_value"), lower: collector.NewInfo(reg, "upid_version_prediction_lower"), upper: collector.NewInfo(reg, "upid_version_prediction_upper"),
		pairedTimes: collector.NewInfo(reg, "upid_version_paired_times"), pairedNeeded: collector.NewInfo(reg, "upid_version_paired_times_needed"),
		pairedLoss: collector.NewInfo(reg, "upid_version_paired_loss_ratio"), leftOut: collector.NewInfo(reg, "upid_version_predictions_left_out"),
	}
	for _, typ := range features.Types {
		for _, outcome := range []string{Saved, Refused, Failed, Cancelled, Interrupted} {
			m.trainings.WithLabelValues(typ, outcome)
		}
	}
	return m
}

// sheet is the samples of a metric that are replaced together.
type sheet struct {
	labels  [][]string
	numbers []float64
}

// add adds a sample, nothing where the number is not known.
func (s *sheet) add(v *float64, labels ...string) {
	if v != nil {
		s.labels, s.numbers = append(s.labels, labels), append(s.numbers, *v)
	}
}

// set replaces what is exported of the versions of all types.
func (m *metrics) set(live map[string]*Judged, said map[string][]Said) {
	var skill, coverage, rows, alerting, value, lower, upper, times, needed, loss, left sheet
	for _, typ := range features.Types {
		if j := live[typ]; j != nil {
			for _, l := range j.Live {
				labels := []string{typ, l.Target, l.Horizon, l.Stage, l.Version}
				skill.add(l.Skill, labels...)
				coverage.add(l.Coverage, labels...)
				rows.add(finite(float64(l.Rows)), labels...)
				if l.AlertedAt != nil {
					alerting.add(finite(float64(l.Alerting)), labels...)
				}
			}
			for _, p := range j.Pairs {
				for _, c := range p.Comparisons {
					labels := []string{typ, c.Target, p.Stage, p.Version, p.Active}
					times.add(finite(float64(c.Times)), labels...)
					needed.add(finite(float64(c.Least)), labels...)
					if c.A != nil && c.B != nil {
						loss.add(finite(*c.B / *c.A), labels...)
					}
				}
			}
		}
		n, out := map[string]int{}, map[string]int{}
		for _, x := range said[typ] {
			if n[x.Stage]++; n[x.Stage] > maxSaid {
				out[x.Stage]++
				continue
			}
			labels := append([]string{typ, x.Target, x.Horizon, x.Stage, x.Version}, x.Workload...)
			value.add(finite(x.Value), labels...)
			lower.add(finite(x.Lower), labels...)
			upper.add(finite(x.Upper), labels...)
		}
		for _, stage := range []string{Active, Canary, Shadow} {
			if n[stage] > 0 {
				left.add(finite(float64(out[stage])), typ, stage)
			}
		}
	}
	for _, s := range []struct {
		to   *collector.Info
		from sheet
	}{
		{m.skill, skill},
		{m.coverage, coverage},
		{m.rows, rows},
		{m.alerting, alerting},
		{m.value, value},
		{m.lower, lower},
		{m.upper, upper},
		{m.pairedTimes, times},
		{m.pairedNeeded, needed},
		{m.pairedLoss, loss},
		{m.leftOut, left},
	} {
		s.to.Put(s.from.labels, s.from.numbers)
	}
}
