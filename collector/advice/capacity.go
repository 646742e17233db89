package advice

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/capacity"
	"github.com/upid/upid/rules"
	"github.com/upid/upid/rules/recommend"
)

// A Pair is two inputs with the same labels: what is used and what there is.
type Pair struct {
	Kind        string // in recommend.LimitKinds
	Used, Limit string // names of inputs
	Unit        string // "resource": that of the label resource
}

// Pairs are those of the preset.
var Pairs = []Pair{
	{"disk", "disk_used", "disk_size", "bytes"},
	{"inodes", "inodes_used", "inodes", ""},
	{"pvc", "pvc_used", "pvc_size", "bytes"},
	{"pvc_inodes", "pvc_inodes_used", "pvc_inodes", ""},
	{"allocatable", "requested", "allocatable", "resource"},
	{"quota", "quota_used", "quota_hard", "resource"},
	{"pods", "pods_used", "pods_limit", ""},
	{"ips", "ips_used", "ips_limit", ""},
	{"series_limit", "scrape_samples", "scrape_limit", ""},
}

// alertWalk is how many fits an alert's beginning is looked for in the past: urgent is what is within a week,
// so that it is found long before, but for what is at its limit for ever.
const alertWalk = 28 * 24

// Capacity says when each of pairs is full.
func Capacity(pairs []Pair) Advisor {
	return func(ctx context.Context, in Input) (Said, error) {
		var out Said
		for _, p := range pairs {
			limits := byLabels(in.all(p.Limit), in.End)
			for _, s := range in.all(p.Used) {
				if err := ctx.Err(); err != nil {
					return Said{}, err
				}
				limit, ok := limits[key(s.Labels)]
				if !ok && p.Kind == "custom" && len(limits) == 1 {
					limit, ok = limits[key(labels.EmptyLabels())] // one for all
				}
				if !ok || math.IsNaN(last(s, in.End)) {
					continue
				}
				l := recommend.Limit{
					Kind: p.Kind, Target: targetOf(p.Kind, s.Labels), Name: nameOf(p.Kind, s.Labels), Unit: unitOf(p.Unit, s.Labels),
					Used: s, Limit: limit, Query: in.Queries[p.Used],
				}
				if p.Kind == "custom" {
					l.Name = strings.TrimPrefix(p.Limit, "limit/")
				}
				e, r := recommend.Exhaustion(l, in.Slot)
				out.add(in, p.Kind, l, s.Labels, e, r, func(t int64) bool {
					return capacity.Of(upTo(s, t), limit, nil).Urgent()
				})
			}
		}
		return out, nil
	}
}

// Certificates says when certificates end.
func Certificates(ctx context.Context, in Input) (Said, error) {
	var out Said
	for _, s := range in.all("certificate_left") {
		left := last(s, in.End)
		if math.IsNaN(left) || ctx.Err() != nil {
			continue
		}
		t := recommend.Target{Cluster: s.Labels.Get("cluster"), Namespace: s.Labels.Get("namespace"), Kind: "Certificate", Name: first(s.Labels, "name", "instance", "subject_CN")}
		e, r := recommend.Expiry(t, t.Name, left, in.Slot)
		out.add(in, "certificate", recommend.Limit{Kind: "certificate", Target: t, Name: "", Unit: "s", Used: s, Limit: math.NaN(), Query: in.Queries["certificate_left"]}, s.Labels, e, r, func(t int64) bool {
			return capacity.At(left+float64(in.End-t)/1000, nil).Urgent()
		})
	}
	return out, ctx.Err()
}

// Leaks looks for memory that only a restart frees.
func Leaks(ctx context.Context, in Input) (Said, error) {
	var out Said
	limits := byLabels(in.all("memory_limit"), in.End)
	for _, s := range in.all("memory_floor") {
		if err := ctx.Err(); err != nil {
			return Said{}, err
		}
		limit, ok := limits[key(s.Labels)]
		if !ok || math.IsNaN(last(s, in.End)) {
			continue
		}
		t := recommend.Target{Cluster: s.Labels.Get("cluster"), Namespace: s.Labels.Get("namespace"), Kind: "Pod", Name: s.Labels.Get("pod"), Container: s.Labels.Get("container")}
		l := recommend.Limit{Kind: "memory", Target: t, Name: "", Unit: "bytes", Used: s, Limit: limit, Query: in.Queries["memory_floor"]}
		leak, r := recommend.MemoryLeak(l, in.Slot)
		if r == nil {
			continue
		}
		e := capacity.Estimate{
			Used: last(s, in.End), Limit: limit, Median: leak.Median, Lower: leak.Lower, Upper: leak.Upper, Growth: 24 * leak.Rate,
			Probability: nil, Window: time.Duration(leak.Hours) * time.Hour, Emptied: false, Reason: "",
		}
		out.add(in, "memory", l, s.Labels, e, r, func(t int64) bool { return capacity.LeakOf(upTo(s, t), limit).Known() })
	}
	return out, nil
}

// add takes in what is said about a limit. urgent asks whether it was urgent at an earlier
// time: an alert begins with the first fit in a row that says so. Of a kind that is not wanted there is
// neither recommendation nor alert.
func (s *Said) add(in Input, kind string, l recommend.Limit, ls labels.Labels, e capacity.Estimate, r *recommend.Recommendation, urgent func(t int64) bool) {
	if r != nil && !in.wants(r.Kind) {
		r = nil
	}
	horizons := capacity.Horizons[:min(len(e.Probability), len(capacity.Horizons))]
	result := planned(labelled(ls, "capacity", kind), in.End, &series.Plan{Cost: nil, Advice: nil, Capacity: &series.Capacity{
		Kind: kind, Used: e.Used, Limit: e.Limit, Unit: l.Unit, Median: e.Median, Lower: e.Lower, Upper: e.Upper,
		Horizons: horizons, Probability: e.Probability, Reason: e.Reason,
	}})
	if r != nil {
		s.Recommendations = append(s.Recommendations, *r)
		if r.Urgency == recommend.UrgencyNow {
			result.Findings = []series.Finding{urgentFinding(*r, e, in.since(urgent))}
		}
	}
	s.Results = append(s.Results, result)
}

// since returns the time of the first fit in a row up to now at which urgent held: asked of the past again, so that a
// restart changes nothing.
func (in Input) since(urgent func(t int64) bool) int64 {
	start := in.End
	for i := int64(1); i <= alertWalk; i++ {
		t := in.End - i*in.Every.Milliseconds()
		if !urgent(t) {
			break
		}
		start = t
	}
	return start
}

// TypeExhaustion is the type of a finding that a limit is reached.
const TypeExhaustion = "exhaustion"

func urgentFinding(r recommend.Recommendation, e capacity.Estimate, start int64) series.Finding {
	severity := series.SeverityWarning
	if e.Median <= (24 * time.Hour).Seconds() {
		severity = series.SeverityCritical
	}
	nan := math.NaN()
	peak := e.Used / e.Limit
	if math.IsInf(peak, 0) {
		peak = nan // of a limit of nothing
	}
	score := series.Score{Observed: e.Used, Expected: nan, Lower: nan, Upper: e.Limit, Value: nan, Confidence: r.Confidence, Type: TypeExhaustion, Why: series.Why{}}
	return series.Finding{
		ID: "", Family: rules.FamilySystem, Type: TypeExhaustion, Reclassified: "", Severity: severity, Start: start, End: 0, Peak: peak,
		Worst: score, WorstAt: start, Confidence: r.Confidence, Score: score, Stale: false, Group: "", Threat: nil,
		Note: &series.Note{
			Alert: rules.AlertCapacity, Summary: r.Action + ".", FirstAction: r.Steps[0],
			Description: fmt.Sprintf("%s. %s.", r.Action, strings.Join(r.Reasons, ". ")),
		},
	}
}

// labelled returns ls without the metric's name and with another label.
func labelled(ls labels.Labels, name, value string) labels.Labels {
	return labels.NewBuilder(plain(ls)).Set(name, value).Labels()
}

// targetOf returns what a limit of that kind is of.
func targetOf(kind string, ls labels.Labels) recommend.Target {
	t := recommend.Target{Cluster: ls.Get("cluster"), Namespace: ls.Get("namespace"), Kind: "", Name: "", Container: ""}
	switch kind {
	case "disk", "inodes":
		t.Kind, t.Name = "Node", first(ls, "instance", "node")
	case "pvc", "pvc_inodes":
		t.Kind, t.Name = "PersistentVolumeClaim", ls.Get("persistentvolumeclaim")
	case "quota":
		t.Kind, t.Name = "ResourceQuota", ls.Get("resourcequota")
	case "series_limit":
		t.Kind, t.Name = "ScrapeJob", ls.Get("job")
	case "custom":
		t.Kind, t.Name = "Limit", customName(ls)
	default:
		t.Kind, t.Name = "Cluster", first(ls, "node", "cluster")
		if ls.Has("node") {
			t.Kind = "Node"
		}
	}
	if t.Name == "" {
		t.Name = "default"
	}
	return t
}

// customName tells apart what one limit is of: the first of name, instance and job, and what else there is.
func customName(ls labels.Labels) string {
	name := first(ls, "name", "instance", "job")
	ls.Range(func(l labels.Label) {
		if l.Value == name || slices.Contains([]string{model.MetricNameLabel, "cluster", "namespace", "job"}, l.Name) {
			return
		}
		if name != "" {
			name += " "
		}
		name += l.Name + "=" + l.Value
	})
	return name
}

// nameOf returns what tells limits of one target apart.
func nameOf(kind string, ls labels.Labels) string {
	switch kind {
	case "disk", "inodes":
		return ls.Get("mountpoint")
	case "quota", "allocatable":
		return ls.Get("resource")
	}
	return ""
}

// unitOf returns the unit of a pair.
func unitOf(unit string, ls labels.Labels) string {
	if unit != "resource" {
		return unit
	}
	switch r := ls.Get("resource"); {
	case strings.Contains(r, "memory") || strings.Contains(r, "storage"):
		return "bytes"
	case strings.Contains(r, "cpu"):
		return "cores"
	}
	return ""
}

// first returns the first of the labels that is there.
func first(ls labels.Labels, names ...string) string {
	for _, n := range names {
		if v := ls.Get(n); v != "" {
			return v
		}
	}
	return ""
}
