package threats

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/detect/threat"
)

// OwnersInput is the input of a RollUp that says which workloads pods belong to.
const OwnersInput = "owners"

// RollUpOptions are what is rolled up.
type RollUpOptions struct {
	Name string // of the task
	// Workloads makes of the newest answer to OwnersInput what names the workload of a pod,
	// "" for none. An empty answer leaves what the names of pods say.
	Workloads func(owners []labels.Labels) func(namespace, pod string) string
	Export    int // workloads and namespaces that are said, the riskiest [200]
}

// A RollUp implements pipeline.Unit: the risk of workloads and of namespaces is that of
// their riskiest pod, by the newest results of the tasks that watch pods. It raises no
// alerts, as those of the pods are there.
type RollUp struct {
	o        RollUpOptions
	workload func(namespace, pod string) string
	position atomic.Int64
}

// NewRollUp returns a unit that knows no owners.
func NewRollUp(o RollUpOptions) *RollUp {
	if o.Export <= 0 {
		o.Export = defaultExport
	}
	return &RollUp{o: o, workload: o.Workloads(nil), position: atomic.Int64{}}
}

// Position implements pipeline.Unit.
func (u *RollUp) Position() int64 { return u.position.Load() }

// Fit implements pipeline.Unit. There is nothing to learn but who owns what.
func (u *RollUp) Fit(_ context.Context, _ int64, in pipeline.Input) (func(), error) {
	workload := u.o.Workloads(newest(in))
	return func() {
		u.workload = workload
		u.position.Store(in.End)
	}, nil
}

// Step implements pipeline.Unit.
func (u *RollUp) Step(_ context.Context, slot int64, in pipeline.Input) ([]series.Result, error) {
	if in.End >= in.Start {
		u.workload = u.o.Workloads(newest(in))
		u.position.Store(in.End)
	}
	pods := map[string]*series.Threat{} // the riskiest that is said of each
	for _, task := range slices.Sorted(maps.Keys(in.Results)) {
		for i := range in.Results[task] {
			t := in.Results[task][i].Threat
			if t == nil || t.EntityType != threat.TypePod {
				continue
			}
			if have := pods[t.Entity]; have == nil || t.Risk > have.Risk {
				pods[t.Entity] = t
			}
		}
	}
	accused := make([]threat.Accusation, 0, len(pods))
	for _, e := range slices.Sorted(maps.Keys(pods)) {
		t := pods[e]
		accused = append(accused, threat.Accusation{
			Entity: e, Threat: t.Threat, Technique: t.Technique, Risk: t.Risk, Confidence: t.Confidence, First: t.First, Last: t.Last, Evidence: nil,
		})
	}
	places := threat.RollUpPods(accused, u.workload)
	out := make([]series.Result, 0, min(len(places), u.o.Export))
	for i := range places[:min(len(places), u.o.Export)] {
		out = append(out, u.result(slot, &places[i], pods[places[i].Of]))
	}
	return out, nil
}

// newest returns the labels of the series that are there at the newest point of the owners.
func newest(in pipeline.Input) []labels.Labels {
	ss := in.Series[OwnersInput].Series
	out := make([]labels.Labels, 0, len(ss))
	for i := range ss {
		if k, ok := ss[i].Index(in.End); ok && !math.IsNaN(ss[i].Values[k]) {
			out = append(out, ss[i].Labels)
		}
	}
	return out
}

// result says what is known of a workload or a namespace, which is what is said of a pod.
func (u *RollUp) result(slot int64, p *threat.Place, pod *series.Threat) series.Result {
	t := *pod
	t.ID, t.Entity, t.EntityType = "", p.Entity, p.EntityType
	t.Evidence = make([]string, len(pod.Evidence))
	for i, e := range pod.Evidence {
		t.Evidence[i] = p.Of + ": " + e
	}
	b := labels.NewBuilder(labels.EmptyLabels())
	b.Set(LabelEntity, p.Entity)
	b.Set(LabelEntityType, p.EntityType)
	namespace, workload, _ := strings.Cut(p.Entity, "/")
	b.Set("namespace", namespace)
	b.Set("workload", workload) // none if it is a namespace
	return series.Result{
		Signal: u.o.Name, SourceName: "", Labels: b.Labels(), Slot: slot, Time: t.Last, Observed: math.NaN(),
		Forecast: nil, Trends: nil, Horizons: nil, Score: nil, Findings: nil, Past: nil, BudgetSpent: math.NaN(), Rollout: nil, Threat: &t, Plan: nil, Live: nil, Warnings: nil,
	}
}

var _ pipeline.Unit = (*RollUp)(nil)
