package recommend

import (
	"fmt"
	"math"
	"strings"

	"github.com/upid/upid/collector/series"
)

// ReplicaInput is what ReplicaCounts needs to know of one workload. Numbers that are not known
// are NaN.
type ReplicaInput struct {
	Target   Target
	Slot     int64            // Unix seconds
	Forecast *series.Forecast // CPU of all replicas together, cores, hourly, seven days; nil: none
	Request  float64          // CPU of one replica, cores
	Aim      float64          // share of the request that a replica is to use; NaN: 0.7, or the autoscaler's

	Replicas float64 // mean over time
	HPAName  string  // of the autoscaler; empty: none
	HPAMin   float64
	HPAMax   float64

	CPUPrice    float64 // a core-hour
	Currency    string
	PriceSource string
	Query       string // PromQL of the usage
}

// ReplicaHours is a stretch of the day, in UTC, and the replicas it needs.
type ReplicaHours struct {
	From     int `json:"from_hour"` // 0 to 23
	To       int `json:"to_hour"`   // exclusive, 1 to 24
	Replicas int `json:"replicas"`
}

const (
	defaultAim  = 0.7
	burst       = 1.2 // of the highest forecast: the most replicas allow for as much
	leastHours  = 24 * 7
	availableTo = 2 // replicas that what has two or more now keeps, so that one may fail
)

// ReplicaCounts says how many replicas a workload needs, from the upper bound of the forecast of its
// whole demand, which no autoscaler changes:
//
//	n(h) = ⌈upper(h) / (request · aim)⌉
//
// The least is the smallest n of the seven days, the most is that of 1.2 times the highest bound.
// The day's schedule holds the largest n of each hour of the day. With an autoscaler its bounds are
// patched; without one the schedule is for whoever scales, and the highest n is what to
// set once and for all. What has two replicas keeps two.
func ReplicaCounts(in ReplicaInput) Recommendation {
	r := New(Replicas, in.Target, "")
	r.ExpiresAt = float64(in.Slot + 7*86400)
	for resource, v := range map[Resource]float64{ReplicaCount: in.Replicas, ReplicasMin: in.HPAMin, ReplicasMax: in.HPAMax} {
		if v == v {
			r.Current[resource] = v
		}
	}
	if !(in.Request > 0) {
		r.Block(BlockNoRequest, "Set a CPU request: without one nobody knows what a replica is for.")
	}
	if in.Forecast == nil || len(in.Forecast.Upper) < leastHours {
		r.Block(BlockShortHistory, "Wait until there is a forecast of seven days.")
	}
	if len(r.Blockers) > 0 {
		return r
	}
	aim := in.Aim
	if !(aim > 0) {
		aim = defaultAim
	}
	least, most, mean, hours := needs(in.Forecast, in.Request*aim, in.Replicas)
	if math.IsNaN(mean) {
		r.Block(BlockShortHistory, "Wait until the forecast has bounds.")
		return r
	}
	sure := in.Forecast.Confidence
	if sure != sure {
		sure = 0 // not measured
	}
	r.SetConfidence(Part{"forecast", min(max(sure, 0), 1), "of the demand, seven days ahead"})
	r.Schedule = schedule(hours)
	r.Evidence = append(r.Evidence, Evidence{
		Metric: "container_cpu_usage_seconds_total", Query: in.Query, Window: "7d", Points: len(in.Forecast.Upper),
		Statistic: fmt.Sprintf("highest upper bound of the forecast, level %g", in.Forecast.Level), Value: Number(float64(most) / burst * in.Request * aim), Unit: "cores",
	})
	r.Recommended[ReplicasMin], r.Recommended[ReplicasMax] = float64(least), float64(most)
	saved := in.Replicas - mean
	if in.CPUPrice == in.CPUPrice && saved == saved {
		r.Impact.SavingsMonthly = Number(saved * in.Request * in.CPUPrice * monthHours)
		r.Impact.Currency, r.Impact.PriceSource = in.Currency, in.PriceSource
	}
	if saved > 0 && r.Impact.SavingsMonthly != nil {
		r.OptimizationType = CostReduction
	}
	r.Reasons = append(r.Reasons, fmt.Sprintf("The demand of the next seven days takes %d to %d replicas, %.1f on average", least, int(math.Ceil(float64(most)/burst)), mean))
	if in.HPAName == "" {
		in.withoutHPA(&r, hours, mean)
	} else {
		in.withHPA(&r, least, most)
	}
	return r
}

// needs returns the least and most replicas of the forecast, their mean, and the largest of each
// hour of the day in UTC; the mean is NaN if no hour has a bound.
func needs(f *series.Forecast, capacity, now float64) (least, most int, mean float64, hours [24]int) {
	floor := 1
	if now >= availableTo {
		floor = availableTo
	}
	least = math.MaxInt
	n, sum, highest := 0, 0, 0.0
	for i, upper := range f.Upper {
		if upper != upper {
			continue
		}
		k := max(int(math.Ceil(upper/capacity-1e-9)), floor)
		hour := int((f.Start+int64(i)*f.Step)/3_600_000) % 24
		hours[hour] = max(hours[hour], k)
		least = min(least, k)
		highest = max(highest, upper)
		n++
		sum += k
	}
	for h, k := range hours {
		hours[h] = max(k, floor)
	}
	return least, max(int(math.Ceil(burst*highest/capacity-1e-9)), floor), float64(sum) / float64(n), hours
}

// schedule joins hours that need the same.
func schedule(hours [24]int) []ReplicaHours {
	out := []ReplicaHours{}
	for h, k := range hours {
		if n := len(out); n > 0 && out[n-1].Replicas == k {
			out[n-1].To = h + 1
			continue
		}
		out = append(out, ReplicaHours{From: h, To: h + 1, Replicas: k})
	}
	return out
}

// withHPA sets the bounds of the autoscaler.
func (in ReplicaInput) withHPA(r *Recommendation, least, most int) {
	low, high := float64(least), float64(most)
	if in.HPAMin == low && in.HPAMax == high || in.HPAMin == low && in.HPAMax > high {
		r.State = StateKept
		r.Reasons = append(r.Reasons, "The autoscaler's bounds leave room, and are no higher than needed below")
		return
	}
	high = max(high, orZero(in.HPAMax)) // a most that is never reached costs nothing
	r.Recommended[ReplicasMax] = high
	r.Action = fmt.Sprintf("Let %s scale from %.0f to %.0f replicas", in.HPAName, low, high)
	bounds := func(low, high float64) Patch {
		set := map[string]any{"minReplicas": nil, "maxReplicas": nil}
		if low == low {
			set["minReplicas"] = int(low)
		}
		if high == high {
			set["maxReplicas"] = int(high)
		}
		return Patch{
			APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler", Namespace: in.Target.Namespace, Name: in.HPAName, Type: "merge",
			Body: nested([]string{"spec"}, set),
		}
	}
	if in.HPAMax == in.HPAMax { // without it there is no way back
		r.Patch, r.ReversePatch = []Patch{bounds(low, high)}, []Patch{bounds(in.HPAMin, in.HPAMax)}
	}
	r.Steps = []string{"Apply a right-size of it first and look again: replicas are counted by its request.", "Apply the patch when the load is low.", "Watch the number of replicas and latency through one peak."}
	r.Rollback = []string{"Apply the reverse patch."}
}

// withoutHPA proposes the schedule, and one number for those who have none.
func (in ReplicaInput) withoutHPA(r *Recommendation, hours [24]int, mean float64) {
	all := 0
	for _, k := range hours {
		all = max(all, k)
	}
	r.Recommended[ReplicaCount] = float64(all)
	if in.Replicas == in.Replicas && math.Abs(in.Replicas-mean) < 1 && math.Abs(in.Replicas-float64(all)) < 1 {
		r.State = StateKept
		r.Reasons = append(r.Reasons, "It has as many replicas as it needs")
		return
	}
	var parts []string
	for _, s := range r.Schedule {
		parts = append(parts, fmt.Sprintf("%02d:00 to %02d:00 %d", s.From, s.To, s.Replicas))
	}
	r.Action = fmt.Sprintf("Scale by the hour (UTC): %s; or to %d for good", strings.Join(parts, ", "), all)
	r.Patch, r.ReversePatch = replicaPatches(in.Target, float64(all), in.Replicas)
	r.Steps = []string{
		"Apply a right-size of it first and look again: replicas are counted by its request.",
		"Prefer an autoscaler, or one of KEDA on upid_forecast_value, to a schedule: it knows when the forecast is wrong.",
		"Scale down first where the schedule says least, and watch latency through one peak.",
	}
	r.Rollback = []string{"Apply the reverse patch, or scale back by hand."}
}
