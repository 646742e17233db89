package recommend

import (
	"fmt"
	"math"

	"github.com/upid/upid/rules/recommend/sizing"
)

// SizeInput is what RightSizes needs to know of one container. Numbers that are not known,
// or not set, are NaN.
type SizeInput struct {
	Target Target // with Container
	Slot   int64  // Unix seconds
	Policy string // cost, balanced or safe, for the texts

	Size       sizing.Size // what the container should ask for
	Days       int         // of history, whole ones
	Seen       bool        // there was a sample
	Trust      sizing.Trust
	Past       sizing.Past
	Startup    float64                 // highest CPU of a start, cores
	Above      func(r float64) float64 // share of the time CPU is above r cores
	Risk       func(m float64) float64 // that memory is above m bytes within seven days
	MemoryNow  float64                 // highest working set of the last hour, bytes
	MemoryPeak float64                 // highest of 28 days, bytes
	Kills      int                     // in a row at one limit

	KubeState     bool // requests and limits are known, set or not
	CPURequest    float64
	CPULimit      float64
	MemoryRequest float64
	MemoryLimit   float64
	Replicas      float64 // mean over time
	Throttled     float64 // share of periods, 95th percentile

	HPATarget   float64 // of CPU, of the request, in (0, 1]; NaN: none on CPU
	HPAName     string
	HPAOthers   bool // it looks at other metrics too
	HPAOnMemory bool
	VPA         bool
	QuotaCPU    float64 // cores left in the namespace
	QuotaMemory float64 // bytes left

	JVMHeap    float64 // most the heap may be, bytes
	JVMNonHeap float64 // 99th percentile of the rest

	CPUPrice    float64 // a core-hour
	MemoryPrice float64 // a GiB-hour
	Currency    string
	PriceSource string

	LeastSavings float64 // a month, of Currency: what a saving must be worth
	InPlace      bool    // the server resizes pods that run
	Pods         []string

	CPUQuery, MemoryQuery string // PromQL of the usage

	Given bool  // by whoever asks, and not measured by Prometheus; for the texts
	Step  int64 // seconds between samples
}

// Learn fills in what a Sizer knows, after its Decide.
func (in *SizeInput) Learn(s *sizing.Sizer, c *sizing.Scratch) {
	in.Size, in.Days, in.Seen, in.Trust, in.Startup = s.Size(), s.Days(), s.Seen(), s.Trust(c), s.Startup()
	in.MemoryPeak = s.MemoryPeak()
	in.Kills, _ = s.Kills()
	in.Above = s.Above
	in.Step = s.Step()
	sure := in.Trust.Confidence()
	in.Past = s.Past()
	in.Risk = func(m float64) float64 { return s.Risk(m, sure) }
}

// LeastSavings is what a change must save a month to be worth a restart, of any currency.
const LeastSavings = 1

const (
	leastChange  = 0.1 // relative, of CPU or memory
	leastHistory = 7   // days
	throttledBad = 0.05
	monthHours   = 730
	jvmMargin    = 1.1
	hpaLow       = 0.3
	hpaHigh      = 0.95
	nearLimit    = 0.9
)

// RightSizes says what the container should request, and may use of memory. CPU gets no
// limit that it has not, and one that it has is never below the request. Memory is never raised
// above a limit that has not been hurt: a kill, or usage above 90 % of it. A Java virtual
// machine gets 1.1·(heap + the rest). Where an autoscaler divides usage by the CPU request, both
// are changed so that their product stays: what a replica does then is the same, and sizing
// again says the same.
func RightSizes(in SizeInput) Recommendation {
	r := New(RightSize, in.Target, "")
	r.ExpiresAt = float64(in.Slot + 7*86400)
	r.SetConfidence(
		Part{"history", in.Trust.History, fmt.Sprintf("%d days", in.Days)},
		Part{"coverage", in.Trust.Coverage, "samples of 14 days that are there"},
		Part{"stability", in.Trust.Stable, "how far the level moved in three days"},
		Part{"calibration", in.Trust.Borne, "how past claims of CPU above the request came true"},
	)
	s := sizes{in: in, r: &r}
	s.current()
	s.evidence()
	if !s.possible() {
		return r
	}
	s.cpu()
	s.memory()
	s.money()
	s.risk()
	s.decide()
	return r
}

// sizes is a right-size under way.
type sizes struct {
	in                SizeInput
	r                 *Recommendation
	request, memorySz float64 // wanted; NaN: stays
	target            float64 // of the autoscaler; NaN: stays
	fix               bool    // it mends something
}

func (s *sizes) current() {
	for resource, v := range map[Resource]float64{
		CPURequest: s.in.CPURequest, CPULimit: s.in.CPULimit, MemoryRequest: s.in.MemoryRequest, MemoryLimit: s.in.MemoryLimit, HPATarget: s.in.HPATarget,
	} {
		if v == v {
			s.r.Current[resource] = v
		}
	}
	if s.in.Startup > 0 {
		s.r.Recommended[CPUStartup] = s.in.Startup
	}
}

func (s *sizes) evidence() {
	points := 0
	if s.in.Step > 0 {
		points = s.in.Days * int(86400/s.in.Step)
	}
	cpu, memory := "container_cpu_usage_seconds_total", "container_memory_working_set_bytes"
	if s.in.Given {
		cpu, memory = "cpu_cores", "memory_bytes"
	}
	s.r.Evidence = append(s.r.Evidence,
		Evidence{
			Metric: cpu, Query: s.in.CPUQuery, Window: "28d", Points: points,
			Statistic: "cheapest of 175 rules by their losses so far, policy " + s.in.Policy, Value: Number(s.in.Size.CPU), Unit: "cores", Backtest: s.backtest(s.in.Past.Weeks, s.in.Past.Above, math.NaN()),
		},
		Evidence{
			Metric: memory, Query: s.in.MemoryQuery, Window: "28d", Points: points,
			Statistic: "Gumbel distribution of the highest of seven days, policy " + s.in.Policy, Value: Number(s.in.Size.Memory), Unit: "bytes", Backtest: s.backtest(s.in.Past.MemoryWeeks, math.NaN(), s.in.Past.Exceeded),
		})
}

// backtest is how the rule did on the past of this container; nil of none.
func (*sizes) backtest(weeks, violations, kills float64) *Backtest {
	if !(weeks > 0) {
		return nil
	}
	return &Backtest{Weeks: weeks, Violations: Number(violations), OOM: Number(kills)}
}

// possible reports whether there is anything to say; it blocks where there is not.
func (s *sizes) possible() bool {
	in, r := s.in, s.r
	noUsage, noState := "Check that Prometheus scrapes cAdvisor: there are no series of CPU or memory of this container.", "Run kube-state-metrics: requests and limits are not known without it."
	if in.Given {
		noUsage = fmt.Sprintf("Give what the container used in %d days or more: cpu_cores, memory_bytes and their step and end.", leastHistory)
		noState = "Give what is set, 0 where nothing is: cpu_request_cores, cpu_limit_cores, memory_request_bytes and memory_limit_bytes."
	}
	if in.Days == 0 && !in.Seen || math.IsNaN(in.Size.CPU) && math.IsNaN(in.Size.Memory) && in.Days >= leastHistory {
		r.Block(BlockNoUsage, noUsage)
	} else if in.Days < leastHistory {
		r.Block(BlockShortHistory, fmt.Sprintf("Wait: there is a history of %d of the %d days that a size needs.", in.Days, leastHistory))
	}
	if !in.KubeState {
		r.Block(BlockNoKubeState, noState)
	}
	if in.VPA {
		r.Block(BlockVPA, "Leave it to the VerticalPodAutoscaler, or set its mode to Off first: it would undo the change.")
	}
	return len(r.Blockers) == 0
}

func (s *sizes) cpu() {
	in := s.in
	s.request, s.target = roundUp(in.Size.CPU, 0.001), math.NaN()
	if s.request != s.request {
		return
	}
	if in.Throttled > throttledBad {
		s.fix = true
		s.r.Reasons = append(s.r.Reasons, fmt.Sprintf("It waits for its CPU limit in %.0f %% of the periods", 100*in.Throttled))
		if in.CPULimit == in.CPULimit {
			s.r.Recommended[CPULimit] = max(roundUp(1.25*in.CPULimit, 0.001), s.request)
		}
		if in.CPURequest == in.CPURequest {
			s.request = max(s.request, in.CPURequest)
		}
	}
	if in.HPATarget == in.HPATarget {
		if in.HPAOthers {
			s.r.Block(BlockHPAOnCPU, "Change request and target by hand: the autoscaler "+in.HPAName+" looks at other metrics too, which a patch of its target would take away.")
		}
		var ok bool
		if s.request, s.target, ok = Pair(in.CPURequest, in.HPATarget, s.request); !ok {
			s.r.Block(BlockHPAOnCPU, "Set a CPU request first: the autoscaler "+in.HPAName+" divides usage by it.")
			return
		}
		s.r.Recommended[HPATarget] = s.target
	}
	s.r.Recommended[CPURequest] = s.request
	if in.CPULimit < s.request {
		s.r.Recommended[CPULimit] = max(s.request, s.r.Recommended[CPULimit])
	}
}

// Pair returns the request nearest to wanted, and the target of an autoscaler, that keep the
// usage of a replica where the autoscaler has it now:
//
//	request · target = request now · target now
//
// with the target in [0.3, 0.95], so that the number of replicas does not change. Sizing to the
// request alone would shrink for ever: usage is a share of the request, by the
// autoscaler's doing. ok is false if there is no request now. Cores; targets are ratios.
func Pair(now, targetNow, wanted float64) (request, target float64, ok bool) {
	if !(now > 0) || !(targetNow > 0) || !(wanted > 0) {
		return math.NaN(), math.NaN(), false
	}
	product := now * targetNow
	target = math.Round(100*min(max(product/wanted, hpaLow), hpaHigh)) / 100
	return roundUp(product/target, 0.001), target, true
}

func (s *sizes) memory() {
	in := s.in
	s.memorySz = roundUp(in.Size.Memory, 1<<20)
	if in.JVMHeap == in.JVMHeap && in.JVMNonHeap == in.JVMNonHeap {
		s.memorySz = roundUp(jvmMargin*(in.JVMHeap+in.JVMNonHeap), 1<<20)
		s.r.Reasons = append(s.r.Reasons, "It is a Java virtual machine: memory is the heap it may have, the rest and 10 %")
	}
	if s.memorySz != s.memorySz {
		return
	}
	if in.HPAOnMemory {
		s.memorySz = math.NaN()
		s.r.Reasons = append(s.r.Reasons, "An autoscaler divides memory by its request: memory stays as it is")
		return
	}
	hurt := in.Kills > 0 || in.MemoryPeak > nearLimit*in.MemoryLimit
	if s.memorySz > in.MemoryLimit {
		if !hurt {
			s.memorySz = in.MemoryLimit // a limit that never killed needs no raise
		} else {
			s.fix = true
		}
	}
	if in.Kills >= 3 && s.memorySz >= in.MemoryLimit && in.MemoryPeak < 0.7*in.MemoryLimit {
		s.r.Block(BlockLeak, "Look for a burst: it was killed three times at a limit that it seldom comes near to, so a size does not help.")
	}
	if in.MemoryNow > nearLimit*in.MemoryLimit || in.Throttled > 0.25 {
		s.r.Urgency = UrgencyNow
		s.fix = true
	}
	if in.MemoryNow > nearLimit*in.MemoryLimit {
		s.memorySz = max(s.memorySz, roundUp(1.2*in.MemoryNow, 1<<20))
		s.r.Reasons = append(s.r.Reasons, fmt.Sprintf("Memory is at %.0f %% of its limit", 100*in.MemoryNow/in.MemoryLimit))
	}
	s.r.Recommended[MemoryRequest], s.r.Recommended[MemoryLimit] = s.memorySz, s.memorySz
}

func (s *sizes) money() {
	in, replicas := s.in, s.in.Replicas
	if !(replicas > 0) {
		replicas = 1
	}
	cpu, memory := 0.0, 0.0
	if v, ok := s.r.Recommended[CPURequest]; ok {
		cpu = orZero(in.CPURequest) - v
	}
	if v, ok := s.r.Recommended[MemoryRequest]; ok {
		memory = orZero(in.MemoryRequest) - v
	}
	if -cpu*replicas > in.QuotaCPU || -memory*replicas > in.QuotaMemory {
		s.r.Block(BlockQuota, "Raise the namespace's ResourceQuota first: it leaves no room for this.")
	}
	if in.CPUPrice != in.CPUPrice || in.MemoryPrice != in.MemoryPrice {
		return // no price, no savings; the size stands
	}
	s.r.Impact.SavingsMonthly = Number(replicas * monthHours * (cpu*in.CPUPrice + memory/(1<<30)*in.MemoryPrice))
	s.r.Impact.Currency, s.r.Impact.PriceSource = in.Currency, in.PriceSource
}

func (s *sizes) risk() {
	in, r := s.in, s.r
	if in.Above != nil {
		if in.CPURequest == in.CPURequest {
			r.Impact.Violation.Before = Number(in.Above(in.CPURequest))
		}
		if v, ok := r.Recommended[CPURequest]; ok {
			r.Impact.Violation.After = Number(in.Above(v))
		}
	}
	if in.Risk != nil {
		if in.MemoryLimit == in.MemoryLimit {
			r.Impact.OOM.Before = Number(in.Risk(in.MemoryLimit))
		}
		if v, ok := r.Recommended[MemoryLimit]; ok {
			r.Impact.OOM.After = Number(in.Risk(v))
		}
	}
	if a := r.Impact.Violation.After; a != nil {
		r.Impact.Performance = fmt.Sprintf("CPU is above its request %.1f %% of the time", 100**a)
	}
	if a := r.Impact.OOM.After; a != nil {
		r.Impact.Performance += fmt.Sprintf("; memory is above its limit within a week with a probability of %.0f %%", 100**a)
		r.Risk.Level = level(*a, 0.05, 0.2)
	}
	r.Impact.RiskLevel = r.Risk.Level
	r.Impact.Level = Low
	if v := r.Impact.SavingsMonthly; v != nil {
		r.Impact.Level = level(math.Abs(*v), 20, 200)
	}
}

// level grades v by two limits.
func level(v, medium, high float64) Level {
	switch {
	case v >= high:
		return High
	case v >= medium:
		return Medium
	}
	return Low
}

// roundUp rounds v up to a multiple of unit; NaN stays.
func roundUp(v, unit float64) float64 {
	n := math.Ceil(v/unit - 1e-9)
	if unit < 1 {
		return n / math.Round(1/unit)
	}
	return n * unit
}
