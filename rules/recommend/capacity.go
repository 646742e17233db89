package recommend

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/capacity"
)

// Limit is one thing that is used up, with what it may hold.
type Limit struct {
	Kind   string // what it is, in LimitKinds
	Target Target
	Name   string        // as people call it: the mount point, the quota and its resource
	Unit   string        // bytes, cores, …; "" counts
	Used   series.Series // oldest first
	Limit  float64       // NaN if unknown
	Query  string        // of Used
}

// LimitKind says of a kind of limit what reaching it means and what to do.
type LimitKind struct {
	Action string // with the subject and when, as in "in 5 days (3 to 9 days)"
	First  string // what to do first
	Enough string // how large it must be, with the amount
	Effect string // what happens when it is reached
	Undo   string
}

const (
	noSmaller = "A volume or disk cannot be made smaller again: enlarge by what is needed."
	deleted   = "What was deleted does not come back: move it first if in doubt."
	drainNode = "Drain the node and remove it (kubectl drain)."
)

// LimitKinds says it of each kind.
var LimitKinds = map[string]LimitKind{
	"disk": {
		"Enlarge or clean up the disk: %s is full %s", "Find what grows (du -x --max-depth 2) and delete or move it, or enlarge the disk.",
		"A disk of %s is enough for 90 days with a fifth to spare.", "writes fail when it is full; the kubelet evicts pods before", noSmaller,
	},
	"inodes": {
		"Delete small files: the inodes of %s are used up %s", "Find the directory with the many small files (du --inodes -x) and clean it up.",
		"%s inodes are enough for 90 days with a fifth to spare; most file systems get them only when they are made anew.", "no file can be created, though there is space, when they are used up", deleted,
	},
	"pvc": {
		"Enlarge or empty the volume: %s is full %s", "Enlarge the claim if its storage class allows expansion (kubectl get sc), or delete data.",
		"A claim of %s is enough for 90 days with a fifth to spare.", "writes of the pods that use it fail when it is full", noSmaller,
	},
	"pvc_inodes": {
		"Delete small files: the inodes of the volume %s are used up %s", "Find the directory with the many small files and clean it up.",
		"%s inodes are enough for 90 days with a fifth to spare; a larger volume may have more of them.", "no file can be created on it, though there is space, when they are used up", deleted,
	},
	"allocatable": {
		"Add a node or lower requests: cluster %s is requested in full %s", "Add a node, or lower requests that are larger than use: see the recommendations of type resource_scaling.",
		"Nodes with %s together are enough for 90 days with a fifth to spare.", "new pods stay Pending when no node has room; with three nodes and more the largest may fail before", drainNode,
	},
	"quota": {
		"Raise the quota or ask for less: %s is used up %s", "Ask for a larger quota, or lower requests in the namespace.",
		"A quota of %s is enough for 90 days with a fifth to spare.", "new pods and objects of the namespace are refused when it is used up; rollouts stop half way", "Set the old quota; what runs goes on.",
	},
	"pods": {
		"Add a node: cluster %s runs as many pods as it may %s", "Add a node, or raise maxPods of the kubelets where addresses allow it.",
		"Room for %s pods is enough for 90 days with a fifth to spare.", "new pods stay Pending when no node may run another, whatever CPU and memory are free", drainNode,
	},
	"ips": {
		"Add addresses: those of cluster %s are used up %s", "Add a subnet or a node, or enable prefix delegation.",
		"%s addresses are enough for 90 days with a fifth to spare.", "new pods stay ContainerCreating without an address", "Remove the subnet when nothing uses it.",
	},
	"series_limit": {
		"Drop series: a scrape of %s has as many samples as it may %s", "Find the metric with the most series (topk(10, count by (__name__) ({job=\"…\"}))) and drop or aggregate it.",
		"A sample_limit of %s is enough for 90 days with a fifth to spare.", "the whole scrape fails, and every series of the target is missing, when it has one sample more", "Set the old sample_limit.",
	},
	"memory": {
		"Find the leak in %s: its memory is at the limit %s", "Take a heap profile, then restart; a larger limit only delays the end.",
		"", "it is killed for memory when the limit is reached", "Nothing was changed.",
	},
	"custom": {
		"Make room: the limit of %s is reached %s", "Find what grows, or raise the limit.",
		"A limit of %s is enough for 90 days with a fifth to spare.", "what the limit is for is refused or fails when it is reached", "Set the old limit.",
	},
}

// capacityGoal is how far ahead a limit is to be enough, and how full it may be
// then.
const (
	capacityGoal = 90 * 24 * time.Hour
	capacityRoom = 0.8
)

// Exhaustion says when l is reached and, where that is within 90 days as likely as not, how large it must be.
// There is no recommendation for a limit that is not known or far.
//
//	size = (used + growth a day · 90) / 0.8
//
// The confidence is the product of
//
//	history      min(1, days/14)^½
//	presence     share of the points that are there
//	sharpness    1 − (upper − lower)/(upper + lower), ½ without upper
func Exhaustion(l Limit, slot int64) (capacity.Estimate, *Recommendation) {
	e := capacity.Of(l.Used, l.Limit, capacity.Horizons)
	if !e.Known() || !(e.Median <= capacityGoal.Seconds()) {
		return e, nil
	}
	r := New(CapacityExhaustion, l.Target, l.Kind+" "+l.Name)
	what := LimitKinds[l.Kind]
	when := e.Text()
	if e.Median == 0 {
		when = "now"
	}
	r.Action = fmt.Sprintf(what.Action, l.subject(), when)
	r.Reasons = []string{fmt.Sprintf("%s of %s are used and it grows by %s a day", amount(e.Used, l.Unit), amount(l.Limit, l.Unit), amount(e.Growth, l.Unit))}
	if math.IsNaN(e.Growth) {
		r.Reasons = []string{fmt.Sprintf("%s of %s are used", amount(e.Used, l.Unit), amount(l.Limit, l.Unit))}
	}
	if e.Emptied {
		r.Reasons = append(r.Reasons, "it was emptied before when it was as full; the date holds if nobody does so again")
	}
	r.Current[UsageRatio] = e.Used / l.Limit
	r.Recommended[LimitHitSeconds] = e.Median
	r.Steps = []string{what.First}
	if size := (e.Used + e.Growth*90) / capacityRoom; size > l.Limit {
		if l.Unit == "" {
			size = math.Ceil(size)
		}
		r.Steps = append(r.Steps, fmt.Sprintf(what.Enough, amount(size, l.Unit)))
		if l.Unit == "bytes" && (l.Kind == "disk" || l.Kind == "pvc") {
			r.Current[StorageBytes], r.Recommended[StorageBytes] = l.Limit, math.Ceil(size/(1<<30))*(1<<30)
		}
		if l.Kind == "pvc" && l.Target.Name != "" {
			r.Steps = append(r.Steps, fmt.Sprintf("kubectl -n %s patch pvc %s --type merge -p '{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"%.0fGi\"}}}}'",
				shellWord(l.Target.Namespace), shellWord(l.Target.Name), math.Ceil(size/(1<<30))))
		}
	}
	r.Rollback = []string{what.Undo}
	r.Impact.Performance = what.Effect
	r.Impact.Level = grade(e.Median, 7*24*time.Hour, 30*24*time.Hour)
	r.Impact.RiskLevel, r.Risk.RollbackComplexity = Low, Low
	if what.Undo == noSmaller {
		r.Risk.RollbackComplexity = High
	}
	if e.Urgent() {
		r.Urgency = UrgencyNow
	}
	sharp := Part{"sharpness", 0.5, "no upper bound of the date"}
	if !math.IsNaN(e.Upper) && e.Upper+e.Lower > 0 {
		sharp = Part{"sharpness", 1 - (e.Upper-e.Lower)/(e.Upper+e.Lower), "width of the interval of the date"}
	} else if e.Median == 0 {
		sharp = Part{"sharpness", 1, "it is reached"}
	}
	r.SetConfidence(historyPart(l.Used), presencePart(l.Used), sharp)
	r.Evidence = []Evidence{{
		Metric: l.Kind, Query: l.Query, Window: window(e.Window), Points: points(l.Used), Statistic: "drift of the peaks", Value: Number(e.Growth), Unit: strings.TrimSpace(l.Unit + " per day"), Backtest: nil,
	}}
	r.ExpiresAt = float64(slot)/1000 + (7 * 24 * time.Hour).Seconds()
	return e, &r
}

// MemoryLeak says whether the memory of a container leaks. floor is its lowest working set
// of each hour.
func MemoryLeak(l Limit, slot int64) (capacity.Leak, *Recommendation) {
	leak := capacity.LeakOf(l.Used, l.Limit)
	if !leak.Known() {
		return leak, nil
	}
	r := New(Leak, l.Target, l.Name)
	r.Action = fmt.Sprintf("Find the leak in %s: it grows by %s an hour and reaches its limit in %s", l.subject(), amount(leak.Rate, l.Unit), capacity.About(leak.Median))
	r.Reasons = []string{fmt.Sprintf("the floor of its memory has grown for %.0f hours, in each quarter of them, as never before", leak.Hours)}
	r.Steps = []string{
		LimitKinds["memory"].First,
		"Compare the heap with one taken an hour later: what grew is what leaks.",
		"Was there a release before it began? Roll it back.",
	}
	r.Rollback = []string{"Nothing was changed."}
	r.Current[MemoryLimit] = l.Limit
	r.Recommended[LimitHitSeconds] = leak.Median
	r.Impact.Performance = "it is killed for memory when the limit is reached"
	r.Impact.Level = grade(leak.Median, 2*24*time.Hour, 5*24*time.Hour)
	if leak.Median <= (24 * time.Hour).Seconds() {
		r.Urgency = UrgencyNow
	}
	r.SetConfidence(Part{"growth", 0.9, "of such findings in simulated pods nine of ten are leaks"}, presencePart(l.Used))
	r.Evidence = []Evidence{{
		Metric: "container_memory_working_set_bytes", Query: l.Query, Window: fmt.Sprintf("%.0fh", leak.Hours), Points: points(l.Used),
		Statistic: "slope of the hourly floor", Value: Number(leak.Rate), Unit: "bytes per hour", Backtest: nil,
	}}
	r.ExpiresAt = float64(slot)/1000 + (24 * time.Hour).Seconds()
	return leak, &r
}

// Expiry says that a certificate ends, 30 days before.
func Expiry(t Target, name string, left float64, slot int64) (capacity.Estimate, *Recommendation) {
	e := capacity.At(left, capacity.Horizons)
	if !e.Known() || e.Median > (30*24*time.Hour).Seconds() {
		return e, nil
	}
	r := New(CertificateExpiry, t, name)
	r.Action = fmt.Sprintf("Renew the certificate of %s: it ends in %s", name, capacity.About(e.Median))
	if e.Median == 0 {
		r.Action = fmt.Sprintf("Renew the certificate of %s: it has ended", name)
	}
	r.Reasons = []string{"it was not renewed at least 30 days before its end, as automatic renewal does"}
	r.Steps = []string{"Look why it was not renewed (cert-manager: kubectl describe certificate), and renew it."}
	r.Rollback = []string{"Nothing to undo."}
	r.Recommended[LimitHitSeconds] = e.Median
	r.Impact.Performance = "clients refuse to connect when it has ended"
	r.Impact.Level = grade(e.Median, 7*24*time.Hour, 14*24*time.Hour)
	if e.Urgent() {
		r.Urgency = UrgencyNow
	}
	r.SetConfidence(Part{"date", 1, "the date is in the certificate"})
	r.ExpiresAt = float64(slot)/1000 + (24 * time.Hour).Seconds()
	return e, &r
}

// subject names what the limit is of.
func (l Limit) subject() string {
	name := l.Target.Name
	if l.Target.Namespace != "" && name != "" {
		name = l.Target.Namespace + "/" + name
	}
	if l.Target.Container != "" {
		name += " (" + l.Target.Container + ")"
	}
	switch {
	case name == "":
		return l.Name
	case l.Name == "":
		return name
	}
	return name + " " + l.Name
}

// grade is high for times up to soon, medium up to later.
func grade(seconds float64, soon, later time.Duration) Level {
	switch {
	case seconds <= soon.Seconds():
		return High
	case seconds <= later.Seconds():
		return Medium
	}
	return Low
}

// historyPart is min(1, days/14)^½.
func historyPart(y series.Series) Part {
	days := float64(y.End()-y.Start) / 86_400_000
	return sampled("history", math.Sqrt(min(1, max(0, days)/14)), max(0, days), fmt.Sprintf("%.1f days", days))
}

// presencePart is the share of points that are there.
func presencePart(y series.Series) Part {
	share := 0.0
	if len(y.Values) > 0 {
		share = float64(points(y)) / float64(len(y.Values))
	}
	return sampled("presence", share, float64(len(y.Values)), fmt.Sprintf("%.0f %% of the points", 100*share))
}

// points counts the values of y.
func points(y series.Series) int {
	n := 0
	for _, v := range y.Values {
		if !math.IsNaN(v) {
			n++
		}
	}
	return n
}

// window writes a duration in whole hours or days.
func window(d time.Duration) string {
	if h := d.Hours(); h < 48 {
		return fmt.Sprintf("%.0fh", h)
	}
	return fmt.Sprintf("%.0fd", d.Hours()/24)
}

// amount writes v with its unit: bytes in GiB and so on.
func amount(v float64, unit string) string {
	if math.IsNaN(v) {
		return "an unknown amount"
	}
	if unit == "bytes" {
		for _, u := range []struct {
			size float64
			name string
		}{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}} {
			if math.Abs(v) >= u.size {
				return fmt.Sprintf("%.3g %s", v/u.size, u.name)
			}
		}
		return fmt.Sprintf("%.0f bytes", v)
	}
	digits := fmt.Sprintf("%.4g", v)
	if math.Abs(v) >= 1000 {
		digits = fmt.Sprintf("%.0f", v)
	}
	return strings.TrimSpace(digits + " " + unit)
}
