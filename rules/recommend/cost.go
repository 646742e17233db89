package recommend

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/num"
)

// HoursPerMonth is a month as prices have it: 365·24/12.
const HoursPerMonth = 730

// Workload is what is known of a workload's use and cost.
type Workload struct {
	Target      Target
	Cost        float64       // an hour; NaN if unknown
	Currency    string        // "" without a price
	PriceSource string        // opencost or config
	CPU         series.Series // cores, hourly, oldest first
	Network     series.Series // bytes a second, hourly; no values if unknown
	Replicas    float64       // now; NaN if unknown
	Stateful    bool          // a StatefulSet or DaemonSet
	Guarded     bool          // a PodDisruptionBudget covers it
	KnownOwner  bool          // whether Stateful and Guarded are known
	HasHPA      bool
	OnSpot      bool
}

// AnyWorkload is the kind of a target whose owner is not known.
const AnyWorkload = "Workload"

const (
	idleCores   = 0.005
	idleTraffic = 1000 // bytes a second
	idleDays    = 7

	quietShare = 0.2 // of the weekly peak: an hour below is quiet
	quietHours = 6   // in a row, every day, for a schedule
	quietWorth = 1.0 // a month

	spotDiscount = 0.6 // of the list price, what spot machines save at least; OpenCost's spot prices save 79 %
)

// Idle says of a workload that costs something and has done nothing for a week: its CPU
// below 5 millicores in 99 of 100 hours, and its network, where known, below 1 kB/s. Only what can be
// scaled to zero is looked at: Deployments and StatefulSets, and what may be one.
func Idle(w Workload, slot int64) *Recommendation {
	if w.Target.Kind != "Deployment" && w.Target.Kind != "StatefulSet" && w.Target.Kind != AnyWorkload {
		return nil
	}
	cpu := lastDays(w.CPU, idleDays)
	if len(cpu) < idleDays*24*9/10 || num.Quantile(slices.Clone(cpu), 0.99) >= idleCores {
		return nil
	}
	network := lastDays(w.Network, idleDays)
	if len(network) > 0 && num.Quantile(slices.Clone(network), 0.99) >= idleTraffic {
		return nil
	}
	r := New(IdleWorkload, w.Target, "")
	r.Action = fmt.Sprintf("Scale %s/%s to zero: it has done nothing for a week", w.Target.Namespace, w.Target.Name)
	r.Reasons = []string{fmt.Sprintf("99 of 100 hours it used less than %.0f millicores", idleCores*1000)}
	traffic := Part{"network", 0.6, "its network is not known, or of too few hours"}
	if len(network) >= idleDays*24*9/10 {
		r.Reasons = append(r.Reasons, "and less than 1 kB/s of network")
		traffic = Part{"network", 0.95, "seven days without traffic"}
	}
	r.Recommended[ReplicaCount] = 0
	if !math.IsNaN(w.Replicas) {
		r.Current[ReplicaCount] = w.Replicas
	}
	r.Steps = []string{
		"Ask its owners whether it waits for something rare: a monthly job, a failover.",
		fmt.Sprintf("kubectl --namespace %s scale %s %s --replicas 0", shellWord(w.Target.Namespace), kindWord(w.Target.Kind), shellWord(w.Target.Name)),
		"Delete it after two weeks without complaint.",
	}
	r.Rollback = []string{fmt.Sprintf("kubectl --namespace %s scale %s %s --replicas %.0f", shellWord(w.Target.Namespace), kindWord(w.Target.Kind), shellWord(w.Target.Name), max(1, orZero(w.Replicas)))}
	if w.Target.Kind == AnyWorkload {
		r.Steps[1] = "Scale it to zero by what owns its pods, which is not known without kube-state-metrics."
		r.Rollback = []string{"Scale it back by what owns its pods."}
	}
	r.Patch, r.ReversePatch = replicaPatches(w.Target, 0, w.Replicas)
	r.Impact.Performance = "nobody uses it"
	r.Risk.Effort = EffortRestart
	r.SetConfidence(traffic, presencePart(w.CPU))
	r.Evidence = []Evidence{usageEvidence(w.CPU, "p99 of 7 days", num.Quantile(slices.Clone(cpu), 0.99))}
	w.price(&r, w.Cost*HoursPerMonth)
	r.ExpiresAt = float64(slot)/1000 + (24 * time.Hour).Seconds()
	return &r
}

// Quiet says of a workload of two replicas and more that it needs one at certain hours: those
// of which, in the forecast of the next week, the highest expectation is below a fifth of the
// week's peak, six in a row and more each day. ahead is that forecast by hours, from now on, of its CPU,
// upper its upper bound. Without a known owner it may be of any kind, and nothing is said.
//
//	savings = cost · (replicas − 1)/replicas · quiet hours/168 · 730
func Quiet(w Workload, ahead, upper []float64, confidence float64, slot int64) *Recommendation {
	if !w.KnownOwner || len(ahead) < 168 || !(w.Replicas >= 2) || w.HasHPA || w.Stateful {
		return nil
	}
	peak := slices.Max(ahead[:168])
	if !(peak > 10*idleCores) {
		return nil
	}
	first := int(slot/3_600_000) % 24 // the hour of ahead[0], UTC
	var busy [24]bool
	for i := range 168 {
		if !(upper[i] < 2*quietShare*peak && ahead[i] < quietShare*peak) {
			busy[(first+1+i)%24] = true
		}
	}
	from, n := longestQuiet(busy)
	if n < quietHours || n == 24 {
		return nil
	}
	until := (from + n) % 24
	r := New(OffHours, w.Target, "")
	r.Action = fmt.Sprintf("Run one replica of %s/%s from %02d:00 to %02d:00 UTC instead of %.0f", w.Target.Namespace, w.Target.Name, from, until, w.Replicas)
	r.Reasons = []string{fmt.Sprintf("the forecast of the next week is below %.0f %% of its peak of %.3g cores in those hours of every day", 100*quietShare, peak)}
	r.Current[ReplicaCount], r.Recommended[ReplicasMin] = w.Replicas, 1
	var hours [24]int
	for h := range hours {
		hours[h] = int(math.Ceil(w.Replicas))
		if (h-from+24)%24 < n {
			hours[h] = 1
		}
	}
	r.Schedule = schedule(hours)
	r.Steps = []string{
		fmt.Sprintf("KEDA: a cron trigger from %02d:00 to %02d:00 UTC with %.0f desired replicas, and minReplicaCount 1.", until, from, w.Replicas),
		"Without KEDA: two CronJobs that run kubectl scale.",
	}
	r.Rollback = []string{"Remove the trigger or the CronJobs, and scale back."}
	r.Impact.Performance = "one replica is left in quiet hours: no redundancy then"
	r.Risk.Level, r.Impact.RiskLevel, r.Risk.Effort = Medium, Medium, EffortRestart
	r.SetConfidence(Part{"forecast", confidence, "measured on held-out days of its CPU"}, historyPart(w.CPU))
	r.Evidence = []Evidence{usageEvidence(w.CPU, "peak of the 7-day forecast", peak)}
	worth := w.Cost * (w.Replicas - 1) / w.Replicas * float64(n) / 24 * HoursPerMonth
	if w.Currency != "" && worth < quietWorth {
		return nil
	}
	w.price(&r, worth)
	r.ExpiresAt = float64(slot)/1000 + (7 * 24 * time.Hour).Seconds()
	return &r
}

// longestQuiet returns the first of the most hours in a row that are not busy, over midnight too.
func longestQuiet(busy [24]bool) (from, n int) {
	for start := range 24 {
		k := 0
		for k < 24 && !busy[(start+k)%24] {
			k++
		}
		if k > n {
			from, n = start, k
		}
	}
	return from, n
}

// Spot says of a workload without state that it may run on machines that can be taken away: two
// replicas and more under a PodDisruptionBudget.
func Spot(w Workload, slot int64) *Recommendation {
	if !w.KnownOwner || w.Stateful || !w.Guarded || w.OnSpot || !(w.Replicas >= 2) || !(w.Cost > 0) {
		return nil
	}
	r := New(SpotCandidate, w.Target, "")
	r.Action = fmt.Sprintf("Let %s/%s run on spot machines", w.Target.Namespace, w.Target.Name)
	r.Reasons = []string{fmt.Sprintf("%.0f replicas without state of their own, and a PodDisruptionBudget keeps enough of them", w.Replicas)}
	r.Steps = []string{
		"Add a toleration and a preferred node affinity for the spot pool, and spread replicas over zones.",
		"See that it ends within two minutes of SIGTERM.",
	}
	r.Rollback = []string{"Remove the toleration and the affinity; the pods move back with the next rollout."}
	r.Impact.Performance = "a replica may be gone two minutes after a notice"
	r.Risk.Level, r.Impact.RiskLevel, r.Risk.Effort = Medium, Medium, EffortRestart
	r.SetConfidence(Part{"discount", 0.7, "what spot machines cost changes; 60 % less is assumed"})
	w.price(&r, w.Cost*spotDiscount*HoursPerMonth)
	r.ExpiresAt = float64(slot)/1000 + (30 * 24 * time.Hour).Seconds()
	return &r
}

// price sets the savings a month, or says that there is no price.
func (w Workload) price(r *Recommendation, monthly float64) {
	if w.Currency == "" || math.IsNaN(monthly) {
		r.Reasons = append(r.Reasons, "its cost is not known, so neither is the saving")
		return
	}
	r.Impact.SavingsMonthly, r.Impact.Currency, r.Impact.PriceSource = Number(monthly), w.Currency, w.PriceSource
	switch {
	case monthly >= 500:
		r.Impact.Level = High
	case monthly >= 50:
		r.Impact.Level = Medium
	}
}

// Volume is what is known of a volume and its claim.
type Volume struct {
	Target      Target
	Size        float64       // bytes
	Price       float64       // of a GiB an hour; NaN if unknown
	Currency    string        // "" without a price
	PriceSource string        // opencost or config
	Used        series.Series // bytes; no values if unknown
	Attached    bool
	Hours       float64 // how long it has been seen unattached
}

// Unattached says of a volume that no pod has used for a week.
func Unattached(v Volume, slot int64) *Recommendation {
	if v.Attached || v.Hours < 7*24 {
		return nil
	}
	r := New(UnattachedVolume, v.Target, "")
	r.Action = fmt.Sprintf("Take a snapshot of the volume %s and delete it: no pod has used it for %.0f days", v.subject(), v.Hours/24)
	r.Reasons = []string{fmt.Sprintf("%s are paid for", amount(v.Size, "bytes"))}
	r.Current[StorageBytes], r.Recommended[StorageBytes] = v.Size, 0
	r.Steps = []string{"Ask its owners.", "Take a snapshot.", fmt.Sprintf("kubectl --namespace %s delete pvc %s", shellWord(v.Target.Namespace), shellWord(v.Target.Name))}
	r.Rollback = []string{"Make a volume of the snapshot."}
	r.Risk.Level, r.Impact.RiskLevel, r.Risk.RollbackComplexity = Medium, Medium, Medium
	r.SetConfidence(sampled("unattached", min(1, v.Hours/24/14), v.Hours/24, fmt.Sprintf("%.0f days", v.Hours/24)))
	v.price(&r, v.Size)
	r.ExpiresAt = float64(slot)/1000 + (24 * time.Hour).Seconds()
	return &r
}

// Oversized says of a volume that less than a fifth of it was ever used in the history of two weeks and
// more, and that it does not fill up within a year at its growth. It is enough at twice what was used.
func Oversized(v Volume, slot int64) *Recommendation {
	used := lastDays(v.Used, 3650)
	if len(used) < 14*24 || !(v.Size > 10<<30) {
		return nil
	}
	top := slices.Max(used)
	growth := (used[len(used)-1] - used[0]) / (float64(len(used)) / 24)
	want := max(math.Ceil(2*max(top, used[len(used)-1]+365*growth)/(1<<30)), 5) * (1 << 30)
	if top >= 0.2*v.Size || want > v.Size/2 {
		return nil
	}
	r := New(OversizedVolume, v.Target, "")
	r.Action = fmt.Sprintf("Move %s to a volume of %s: it has %s and never used more than %s", v.subject(), amount(want, "bytes"), amount(v.Size, "bytes"), amount(top, "bytes"))
	r.Reasons = []string{fmt.Sprintf("%.0f %% are used, with a growth of %s a day", 100*top/v.Size, amount(growth, "bytes"))}
	r.Current[StorageBytes], r.Recommended[StorageBytes] = v.Size, want
	r.Steps = []string{"A claim cannot be made smaller: make a new one, copy the data while the workload is stopped, and switch."}
	r.Rollback = []string{"Keep the old volume until the new one has proved itself, and switch back."}
	r.Risk.Level, r.Impact.RiskLevel, r.Risk.RollbackComplexity, r.Risk.Effort = Medium, Medium, Medium, EffortRestart
	r.SetConfidence(historyPart(v.Used), presencePart(v.Used))
	v.price(&r, v.Size-want)
	r.ExpiresAt = float64(slot)/1000 + (30 * 24 * time.Hour).Seconds()
	return &r
}

func (v Volume) subject() string {
	if v.Target.Namespace == "" {
		return v.Target.Name
	}
	return v.Target.Namespace + "/" + v.Target.Name
}

func (v Volume) price(r *Recommendation, bytes float64) {
	w := Workload{Currency: v.Currency, PriceSource: v.PriceSource}
	if math.IsNaN(v.Price) {
		w.Currency = ""
	}
	w.price(r, bytes/(1<<30)*v.Price*HoursPerMonth)
}

// CapSavings makes the savings of rs honest: those of one target add up to no more than it costs,
// and all to no more than the cluster does, a month; what is less certain gives way. costs are by target
// without container, total is NaN if unknown: then nothing caps the sum. It changes rs and returns it.
func CapSavings(rs []Recommendation, costs map[Target]float64, total float64) []Recommendation {
	order := make([]int, len(rs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(rs[b].Confidence, rs[a].Confidence), cmp.Compare(savings(rs[b]), savings(rs[a])))
	})
	left := maps.Clone(costs)
	if left == nil {
		left = map[Target]float64{}
	}
	for _, i := range order {
		r := &rs[i]
		if r.Impact.SavingsMonthly == nil || r.State != StateOpen || *r.Impact.SavingsMonthly <= 0 {
			continue
		}
		s := *r.Impact.SavingsMonthly
		t := r.Target
		t.Container = ""
		if room, ok := left[t]; ok {
			s = min(s, room)
			left[t] = room - s
		}
		if !math.IsNaN(total) {
			s = min(s, total)
			total -= s
		}
		if s < *r.Impact.SavingsMonthly {
			r.Reasons = append(r.Reasons, "the saving is what other recommendations leave of the cost")
			r.Impact.SavingsMonthly = Number(s)
			if real := r.Impact.SavingsRealisable; real != nil {
				r.Impact.SavingsRealisable = Number(min(*real, s))
			}
		}
	}
	return rs
}

// lastDays returns the values of the last days of s, without gaps.
func lastDays(s series.Series, days int) []float64 {
	var out []float64
	for _, v := range s.Slice(s.End()-int64(days)*86_400_000, s.End()).Values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			out = append(out, v)
		}
	}
	return out
}

func usageEvidence(s series.Series, stat string, v float64) Evidence {
	return Evidence{Metric: "container_cpu_usage_seconds_total", Query: "", Window: window(time.Duration(s.End()-s.Start) * time.Millisecond), Points: points(s), Statistic: stat, Value: Number(v), Unit: "cores", Backtest: nil}
}

// shellWord returns s as one word of a shell: labels hold what anyone put into them.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._/:", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// kindWord is how kubectl calls a kind; a workload that may be one of several is a deployment.
func kindWord(kind string) string {
	switch kind {
	case "StatefulSet":
		return "statefulset"
	case "DaemonSet":
		return "daemonset"
	}
	return "deployment"
}

func orZero(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}
