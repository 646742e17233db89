package advice

import (
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// said is what a unit says until it knows better. The order is that of the labels.
type said struct {
	results []series.Result
	ended   []series.Result // with findings that were open and are not any more
}

// name gives results their signal and order, and their findings the beginnings they had and their
// identities.
func (s *said) name(signal string, out []series.Result) {
	before := make(map[string]*series.Result, len(s.results))
	for i := range s.results {
		if len(s.results[i].Findings) > 0 {
			before[s.results[i].Labels.String()] = &s.results[i]
		}
	}
	for i := range out {
		out[i].Signal = signal
		for k := range out[i].Findings {
			f := &out[i].Findings[k]
			if old := before[out[i].Labels.String()]; old != nil {
				keep(old, f)
			}
			f.ID = rules.FindingID(signal, out[i].Labels, f.Type, f.Start)
		}
	}
	slices.SortStableFunc(out, func(a, b series.Result) int { return labels.Compare(a.Labels, b.Labels) })
}

// keep gives a finding that is open since earlier the beginning it had, and no less
// severity: the history from which a beginning is told moves on with every fit.
func keep(before *series.Result, f *series.Finding) {
	for _, old := range before.Findings {
		if old.Type != f.Type || !old.Open() {
			continue
		}
		f.Start = old.Start
		f.WorstAt = max(f.WorstAt, f.Start)
		if old.Severity == series.SeverityCritical {
			f.Severity = old.Severity
		}
		return
	}
}

// swap makes out, which has names, what is said from end on.
func (s *said) swap(out []series.Result, end int64) {
	s.ended = append(s.ended, s.notConfirmed(out, end)...)
	s.results = out
}

// endedFor is how long it is said that a finding has ended.
const endedFor = time.Hour

// now is name and swap at once.
func (s *said) now(signal string, out []series.Result, end int64) {
	s.name(signal, out)
	open := map[string]bool{}
	for i := range out {
		for _, f := range out[i].Findings {
			open[f.ID] = true
		}
	}
	s.ended = slices.DeleteFunc(slices.Clone(s.ended), func(r series.Result) bool {
		return end-r.Findings[0].End > endedFor.Milliseconds() || open[r.Findings[0].ID]
	})
	s.swap(out, end)
}

// notConfirmed returns the results whose findings were open and are not any more, with
// their end.
func (s *said) notConfirmed(now []series.Result, end int64) []series.Result {
	open := map[string]bool{}
	for i := range now {
		for _, f := range now[i].Findings {
			open[f.ID] = true
		}
	}
	var out []series.Result
	for _, r := range s.results {
		for _, f := range r.Findings {
			if f.Open() && !open[f.ID] {
				f.End = end
				r.Findings, r.Plan = []series.Finding{f}, nil
				out = append(out, r)
			}
		}
	}
	return out
}

// at returns what is said at a slot, of data up to t, that many seconds after it was found.
func (s *said) at(slot, t int64, seconds float64) []series.Result {
	out := make([]series.Result, 0, len(s.results)+len(s.ended))
	index := make(map[string]int, len(s.ended))
	for _, r := range s.ended {
		index[r.Labels.String()] = -1
	}
	for _, r := range s.results {
		r.Slot, r.Time = slot, t
		r.Plan = later(r.Plan, seconds)
		if len(index) > 0 {
			if k := r.Labels.String(); index[k] < 0 {
				index[k] = len(out)
			}
		}
		out = append(out, r)
	}
	for _, r := range s.ended {
		if i := index[r.Labels.String()]; i >= 0 {
			out[i].Findings = append(slices.Clone(out[i].Findings), r.Findings...)
			continue
		}
		r.Slot, r.Time = slot, t
		out = append(out, r)
	}
	return out
}
