package recommend

import (
	"fmt"
	"math"
	"slices"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/num"
)

// GPUInput is what is known of the GPUs of one container of a workload. Numbers that are not known are NaN, series
// that are not have no values. All are of all its pods together, hourly, oldest first.
type GPUInput struct {
	Target    Target
	Slot      int64         // Unix milliseconds
	Requested float64       // GPUs
	Pods      float64       // that request them
	Seen      float64       // GPUs that are measured now
	Used      series.Series // GPUs at work: the sum of the shares of the hour in which a kernel ran
	Peak      series.Series // the highest such share of a point, of any of the GPUs, in [0, 1]
	Memory    series.Series // GPUs' worth of memory: the sum of the highest shares of memory taken
	HasHPA    bool

	Price                           float64 // of a GPU-hour
	Currency, PriceSource           string
	UsedQuery, PeakQuery, MemoryAsk string // PromQL of the series
}

const (
	gpuIdle  = 0.01 // of the time: a GPU whose highest share is below does nothing
	gpuAim   = 0.7  // of the time, to which a GPU is to be used
	gpuRoom  = 0.9  // of its memory that may be taken
	gpuShare = 0.3  // of the time: a single GPU used less is worth sharing
	gpuTaken = 0.1  // of its memory: something is loaded
)

// GPUs says of a container that requests GPUs that it does not use them: in 99 of 100 hours of a week the highest
// share of the time in which a kernel ran was below 1 %, or fewer are enough. With u the 95th percentile of the GPUs
// at work and m the most memory taken, in GPUs:
//
//	of one pod with several:     k = max(⌈u / (pods · 0.7)⌉, ⌈m / (pods · 0.9)⌉, 1)
//	of several pods of one each: n = max(⌈u / 0.7⌉, 2)
//
// A single GPU that is used less than 30 % is held back: GPUs are requested whole, and whether it can be shared
// is not known. What is missing (measurements, a week of them, memory) blocks. It returns nil if they are used.
func GPUs(in GPUInput) *Recommendation {
	if !(in.Requested > 0) || !(in.Pods > 0) {
		return nil
	}
	r := New(GPUUnderused, in.Target, "")
	r.Current[GPURequest], r.Current[ReplicaCount] = in.Requested/in.Pods, in.Pods
	r.ExpiresAt = expires(in.Slot, 7)
	used, peak := lastDays(in.Used, idleDays), lastDays(in.Peak, idleDays)
	switch {
	case len(used) == 0 || len(peak) == 0:
		r.Block(BlockNoUsage, "Run dcgm-exporter with the labels of pods (DCGM_EXPORTER_KUBERNETES=true): DCGM_FI_DEV_GPU_UTIL is not known of its GPUs.")
		return &r
	case len(used) < idleDays*24*9/10:
		r.Block(BlockShortHistory, fmt.Sprintf("Wait: there are %d hours of GPU use, a week is needed.", len(used)))
		return &r
	case orZero(in.Seen) < in.Requested:
		r.Block(BlockGaps, fmt.Sprintf("Measure all of its GPUs: dcgm-exporter shows %.0f of %.0f.", orZero(in.Seen), in.Requested))
		return &r
	}
	g := gpus{in: in, r: &r, used: num.Quantile(slices.Clone(used), 0.95), peak: num.Quantile(slices.Clone(peak), 0.99), memory: math.NaN()}
	if m := lastDays(in.Memory, idleDays); len(m) > 0 {
		g.memory = slices.Max(m)
	}
	if !g.decide() {
		return nil
	}
	r.Evidence = append(r.Evidence,
		Evidence{Metric: "DCGM_FI_DEV_GPU_UTIL", Query: in.UsedQuery, Window: "7d", Points: len(used), Statistic: "p95 of the GPUs at work", Value: Number(g.used), Unit: "GPUs", Backtest: nil},
		Evidence{Metric: "DCGM_FI_DEV_GPU_UTIL", Query: in.PeakQuery, Window: "7d", Points: len(peak), Statistic: "p99 of the highest share of an hour", Value: Number(g.peak), Unit: "ratio", Backtest: nil})
	if g.memory == g.memory {
		r.Evidence = append(r.Evidence, Evidence{Metric: "DCGM_FI_DEV_FB_USED", Query: in.MemoryAsk, Window: "7d", Points: points(in.Memory), Statistic: "most memory taken", Value: Number(g.memory), Unit: "GPUs", Backtest: nil})
	}
	return &r
}

// gpus is such a recommendation under way.
type gpus struct {
	in                 GPUInput
	r                  *Recommendation
	used, peak, memory float64 // GPUs, a share of the time, GPUs
}

// decide reports whether there is anything to say.
func (g gpus) decide() bool {
	each := g.in.Requested / g.in.Pods
	many := math.Ceil(g.used/gpuAim - 1e-9)
	switch {
	case g.peak < gpuIdle:
		g.idle()
	case each >= 2:
		k := max(1, math.Ceil(g.used/g.in.Pods/gpuAim-1e-9))
		if k >= each {
			return false
		}
		if g.memory != g.memory {
			g.r.Block(BlockNoUsage, fmt.Sprintf("Export DCGM_FI_DEV_FB_USED and DCGM_FI_DEV_FB_FREE: %.0f of %.0f GPUs would do the work, whether they hold the memory is not known.", k, each))
			return true
		}
		if k = max(k, math.Ceil(g.memory/g.in.Pods/gpuRoom-1e-9)); k >= each {
			return false
		}
		g.fewer(k, each)
	case g.in.Pods >= 2 && max(many, availableTo) < g.in.Pods:
		g.pods(max(many, availableTo))
	case g.in.Pods < 2 && g.used < gpuShare*g.in.Requested:
		g.r.Block(BlockWholeGPU, fmt.Sprintf("Share it with others by MIG, MPS or time-slicing of the device plugin: it works %.0f %% of the time, and GPUs are requested whole. Whether the program can share is not known.", 100*g.used))
		g.sure(Part{"sharing", 0.5, "whether the program can share a GPU is not known"})
	default:
		return false
	}
	return true
}

// sure sets the confidence: what was measured of a week, and the part that the case adds.
func (g gpus) sure(more Part) {
	week := lastDays(g.in.Used, idleDays)
	g.r.SetConfidence(hoursPart(week), presencePart(g.in.Used.Slice(g.in.Used.End()-idleDays*86_400_000, g.in.Used.End())), more)
}

// idle proposes to give them back.
func (g gpus) idle() {
	r, t := g.r, g.in.Target
	r.Action = fmt.Sprintf("Give back the %.0f GPUs of %s: no kernel ran in a week", g.in.Requested, place(t))
	r.Reasons = []string{fmt.Sprintf("in 99 of 100 hours the highest share of the time in which a kernel ran was below %.0f %%", 100*gpuIdle)}
	loaded := Part{"use", 0.95, "a week without a kernel"}
	if g.memory > gpuTaken*g.in.Requested {
		loaded = Part{"use", 0.85, "memory is taken: something is loaded and may wait"}
		r.Reasons = append(r.Reasons, fmt.Sprintf("memory of %.1f GPUs is taken: a model may be loaded and wait for requests", g.memory))
	}
	g.sure(loaded)
	r.Recommended[GPURequest], r.Recommended[ReplicaCount] = 0, 0
	r.Steps = []string{"Ask its owners whether it waits for something rare.", "Scale it to zero, or take nvidia.com/gpu out of its requests and limits if it runs without."}
	r.Rollback = []string{"Scale it back; a free GPU may take a while to find."}
	r.Impact.Performance = "nobody uses them"
	r.Risk.Level, r.Impact.RiskLevel, r.Risk.Effort = Medium, Medium, EffortRestart
	r.Patch, r.ReversePatch = replicaPatches(t, 0, g.in.Pods)
	g.money(g.in.Requested)
}

// fewer proposes k GPUs of each pod.
func (g gpus) fewer(k, each float64) {
	r, t := g.r, g.in.Target
	r.Action = fmt.Sprintf("Request %.0f instead of %.0f GPUs for %s", k, each, place(t))
	r.Reasons = []string{
		fmt.Sprintf("in 95 of 100 hours no more than %.2g of %.0f GPUs were at work", g.used, g.in.Requested),
		fmt.Sprintf("the most memory that was taken is that of %.2g GPUs", g.memory),
	}
	g.sure(Part{"use", 0.8, "whether the program works with fewer is not known"})
	r.Recommended[GPURequest] = k
	r.Steps = []string{"See that the program can split its work and its memory over fewer GPUs.", "Try it with one pod, and compare throughput and latency.", "Change nvidia.com/gpu in the manifests: requests and limits are the same."}
	r.Rollback = []string{"Apply the reverse patch; a free GPU may take a while to find."}
	r.Impact.Performance = fmt.Sprintf("GPUs are at work %.0f %% of the time", 100*g.used/(k*g.in.Pods))
	r.Risk.Level, r.Impact.RiskLevel, r.Risk.Effort = Medium, Medium, EffortRestart
	r.Patch = ResourcePatches(t, map[Resource]float64{GPURequest: k})
	r.ReversePatch = ResourcePatches(t, map[Resource]float64{GPURequest: each})
	g.money((each - k) * g.in.Pods)
}

// pods proposes n pods.
func (g gpus) pods(n float64) {
	r, t := g.r, g.in.Target
	r.Action = fmt.Sprintf("Run %.0f instead of %.0f pods of %s, one GPU each", n, g.in.Pods, place(t))
	r.Reasons = []string{fmt.Sprintf("in 95 of 100 hours no more than %.2g of %.0f GPUs were at work", g.used, g.in.Requested)}
	g.sure(Part{"use", 0.8, "whether fewer pods serve bursts is not known"})
	r.Recommended[ReplicaCount] = n
	r.Steps = []string{"Scale down one pod at a time when the load is high, and watch latency and queues."}
	r.Rollback = []string{"Scale it back; a free GPU may take a while to find."}
	r.Impact.Performance = fmt.Sprintf("GPUs are at work %.0f %% of the time", 100*g.used/n)
	r.Risk.Level, r.Impact.RiskLevel, r.Risk.Effort = Medium, Medium, EffortRestart
	r.Patch, r.ReversePatch = replicaPatches(t, n, g.in.Pods)
	g.money(g.in.Pods - n)
	if g.in.HasHPA {
		r.Patch, r.ReversePatch = []Patch{}, []Patch{}
		r.Block(BlockAutoscaled, "Lower the least replicas of its autoscaler instead: it would undo the change.")
	}
}

// money is what so many GPUs cost.
func (g gpus) money(n float64) {
	w := Workload{Currency: g.in.Currency, PriceSource: g.in.PriceSource}
	if math.IsNaN(g.in.Price) {
		w.Currency = ""
	}
	w.price(g.r, n*g.in.Price*HoursPerMonth)
	g.r.Reasons = append(g.r.Reasons, "utilisation is the share of the time in which any kernel ran, however few of its cores: what is low is low")
}
