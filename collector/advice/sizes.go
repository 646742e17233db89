package advice

import (
	"context"
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/feedback"
	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast"
	"github.com/upid/upid/rules"
	"github.com/upid/upid/rules/recommend"
	"github.com/upid/upid/rules/recommend/sizing"
)

// SizesOptions say how containers are sized.
type SizesOptions struct {
	Name    string        // of the task
	Step    time.Duration // of the points, whole seconds
	Policy  string        // cost, balanced or safe
	Prices  Prices        // where OpenCost says none
	Costs   string        // the task that says what else is saved; "": none
	Queries map[string]string
}

// Sizes is the unit behind right-sizes. It implements pipeline.Gradual: a fit learns four weeks day by
// day, and points that come later are taken in as they come. At the end of each day, midnight UTC, every container is
// decided, and between them memory that comes close to its limit is raised at once; upid replay
// decides by the same code. State is a function of the four weeks before the fit and what came since.
type Sizes struct {
	o        SizesOptions
	policy   sizing.Policy
	model    forecast.Forecaster
	position atomic.Int64
	fleet    *fleet
	said     said
	facts    pipeline.Input // of the newest pass: what is set
	waits    bool           // for the task of costs
	excluded func(signal string, ls labels.Labels) []feedback.Span
}

// Exclude says when a container is not learned from, before the unit runs: its size is
// what it would be with a gap there. How close memory is to its limit now is looked at all the same. What
// was said after points were taken in counts from the next fit on.
func (u *Sizes) Exclude(when func(signal string, ls labels.Labels) []feedback.Span) {
	u.excluded = when
}

// NewSizes returns a unit that knows nothing yet.
func NewSizes(o SizesOptions) (*Sizes, error) {
	p, err := sizing.PolicyNamed(o.Policy)
	if err != nil {
		return nil, err
	}
	if o.Step < time.Second || o.Step%time.Second != 0 || (24*time.Hour)%o.Step != 0 {
		return nil, fmt.Errorf("sizes %q: step %v, want seconds that a day is a multiple of", o.Name, o.Step)
	}
	model, err := forecast.New(sizing.Model, nil)
	if err != nil {
		return nil, err
	}
	return &Sizes{o: o, policy: p, model: model}, nil
}

// Position implements pipeline.Unit.
func (u *Sizes) Position() int64 { return u.position.Load() }

// Fit implements pipeline.Unit: all of it in one piece.
func (u *Sizes) Fit(ctx context.Context, slot int64, in pipeline.Input) (func(), error) {
	l := u.Begin(slot)
	if err := l.Learn(ctx, in); err != nil {
		return nil, err
	}
	return l.Commit, nil
}

// Begin implements pipeline.Gradual.
func (u *Sizes) Begin(int64) pipeline.Learner {
	return &sizesFit{unit: u, fleet: newFleet(u.policy, u.o.Step.Milliseconds(), sizing.NewScratch(u.model), u.excluded), end: 0, results: nil}
}

// sizesFit is a fit under way.
type sizesFit struct {
	unit    *Sizes
	fleet   *fleet
	end     int64
	results []series.Result
	facts   pipeline.Input
	waits   bool
}

// Learn implements pipeline.Learner.
func (l *sizesFit) Learn(ctx context.Context, in pipeline.Input) error {
	if err := l.fleet.take(ctx, in); err != nil {
		return err
	}
	l.end = in.End
	if !hasFacts(in) {
		return nil
	}
	var err error
	l.facts = factsOnly(in)
	l.results, l.waits, err = l.unit.advise(l.fleet, l.facts)
	return err
}

// Commit implements pipeline.Learner.
func (l *sizesFit) Commit() {
	u := l.unit
	u.fleet = l.fleet
	u.position.Store(l.end)
	if l.results != nil {
		u.facts, u.waits = l.facts, l.waits
		u.said.now(u.o.Name, l.results, l.end)
	}
}

// hasFacts reports whether in has what is asked at the end of a pass.
func hasFacts(in pipeline.Input) bool { _, ok := in.Series[factPods]; return ok }

// factsOnly returns in without what was taken in point by point.
func factsOnly(in pipeline.Input) pipeline.Input {
	in.Series = maps.Clone(in.Series)
	for _, name := range pointInputs {
		delete(in.Series, name)
	}
	return in
}

// Step implements pipeline.Unit.
func (u *Sizes) Step(ctx context.Context, slot int64, in pipeline.Input) ([]series.Result, error) {
	again := u.waits && in.Results[u.o.Costs] != nil // the costs are known now, if nothing is said of them
	if in.End >= in.Start {
		if err := u.fleet.take(ctx, in); err != nil {
			return nil, err
		}
		u.position.Store(in.End)
		if again = hasFacts(in); again {
			u.facts = factsOnly(in)
		}
	}
	if again {
		u.facts.Results = in.Results
		rs, waits, err := u.advise(u.fleet, u.facts)
		if err != nil {
			return nil, err
		}
		u.waits = waits
		u.said.now(u.o.Name, rs, u.facts.End)
	}
	return u.said.at(slot, u.position.Load(), 0), nil
}

// advise returns what is to be said of every container of f, and whether the task of costs has yet to speak.
func (u *Sizes) advise(f *fleet, in pipeline.Input) (out []series.Result, waits bool, err error) {
	waits = u.o.Costs != "" && in.Results[u.o.Costs] == nil
	facts := factsOf(in, u.o.Prices, in.Results[u.o.Costs], waits)
	var rs []recommend.Recommendation
	for _, c := range f.order {
		if in.End-c.newest > lately*f.step && facts.pods[c.key] == nil {
			continue // it is gone
		}
		rs = append(rs, recommend.RightSizes(u.input(c, f, facts, in.End)))
	}
	if len(rs) == 0 {
		r := recommend.New(recommend.RightSize, recommend.Target{Kind: "Cluster", Name: "default"}, "")
		r.Block(recommend.BlockNoUsage, "there is no CPU or memory of containers (container_cpu_usage_seconds_total, container_memory_working_set_bytes): scrape cAdvisor; see docs/recommendations.md")
		rs = append(rs, r)
	}
	if n := len(f.refused); n > 0 {
		r := recommend.New(recommend.RightSize, recommend.Target{Kind: "Cluster", Name: "others"}, "")
		r.Block(recommend.BlockTooMany, fmt.Sprintf("%d containers beyond the first %d are not sized: narrow the inputs %s and %s by recommendations.queries", n, f.most, inputCPU, inputMemory))
		rs = append(rs, r)
	}
	rs = recommend.CapSavings(rs, facts.left, facts.total)
	facts.realisable(rs)
	recommend.Sort(rs)
	out = make([]series.Result, 0, len(rs))
	for i := range rs {
		r, err := advised(rs[i], in.End)
		if err != nil {
			return nil, false, err
		}
		if rs[i].State == recommend.StateOpen && rs[i].Urgency == recommend.UrgencyNow {
			r.Findings = []series.Finding{pressing(rs[i], in.End)}
		}
		out = append(out, r)
	}
	return out, waits, nil
}

// input is what is known of a container.
func (u *Sizes) input(c *container, f *fleet, facts *facts, end int64) recommend.SizeInput {
	w := key(c.labels, byWorkload...)
	ns := key(c.labels, "cluster", "namespace")
	hpa, ok := facts.hpa[w]
	if !ok {
		hpa.target = math.NaN()
	}
	price := facts.price(c.labels.Get("cluster"))
	out := recommend.SizeInput{
		Target: facts.target(c.labels), Slot: end / 1000, Policy: u.o.Policy,
		MemoryNow: c.memory(), Throttled: c.waits.p95(),
		KubeState:  facts.kube,
		CPURequest: value(facts.cpuRequest, c.key), CPULimit: value(facts.cpuLimit, c.key),
		MemoryRequest: value(facts.memoryRequest, c.key), MemoryLimit: value(facts.memoryLimit, c.key),
		Replicas: facts.replicas(c.key), HPATarget: hpa.target, HPAName: hpa.name, HPAOthers: hpa.others, HPAOnMemory: there(facts.hpaMemory, w), VPA: there(facts.vpa, w),
		QuotaCPU: value(facts.quotaCPU, ns), QuotaMemory: value(facts.quotaMemory, ns),
		JVMHeap: value(facts.heap, c.key), JVMNonHeap: value(facts.rest, c.key),
		CPUPrice: price.cpu, MemoryPrice: price.memory, Currency: price.currency, PriceSource: price.source,
		LeastSavings: recommend.LeastSavings, InPlace: facts.inPlace[c.labels.Get("cluster")], Pods: facts.pods[c.key],
		CPUQuery: u.o.Queries[inputCPU], MemoryQuery: u.o.Queries[inputMemory],
	}
	out.Learn(c.sizer, f.scratch)
	return out
}

// TypePressure is the type of a finding that a container is about to be killed or waits for CPU.
const TypePressure = "pressure"

// pressing is the alert of a right-size that cannot wait.
func pressing(r recommend.Recommendation, at int64) series.Finding {
	e := urgentFinding(r, capacityOf(r), at)
	e.Type, e.Score.Type, e.Worst.Type = TypePressure, TypePressure, TypePressure
	e.Family = rules.FamilyResource
	e.Severity = series.SeverityWarning
	return e
}

// atLeast reports whether a version as v1.33.2 is at least major.minor.
func atLeast(version string, major, minor int) bool {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) < 2 {
		return false
	}
	a, err := strconv.Atoi(parts[0])
	b, err2 := strconv.Atoi(parts[1])
	return err == nil && err2 == nil && (a > major || a == major && b >= minor)
}

var _ pipeline.Gradual = (*Sizes)(nil)
