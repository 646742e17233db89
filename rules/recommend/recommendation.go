package recommend

import (
	"encoding/json"
	"math"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/num"
)

// Recommendation is one change worth making, or one that would be and is held back by
// its blockers. Numbers that are not known are nil, null in JSON; none is NaN or ±Inf.
// Times are Unix seconds. Money is of Currency.
type Recommendation struct {
	ID               string           `json:"id"`   // from kind, action and target; the same over its life
	Kind             Kind             `json:"kind"` // in Kinds
	OptimizationType OptimizationType `json:"optimization_type"`
	Target           Target           `json:"target"`
	Action           string           `json:"action"` // one imperative sentence with the numbers
	State            State            `json:"state"`
	Urgency          Urgency          `json:"urgency"`
	Current          Amounts          `json:"current"`     // what is set now
	Recommended      Amounts          `json:"recommended"` // what to set; keys of Current that are not here stay
	Impact           Impact           `json:"expected_impact"`
	Confidence       float64          `json:"confidence"` // in [0, 1], the product of ConfidenceParts
	ConfidenceLevel  string           `json:"confidence_level"`
	ConfidenceParts  []Part           `json:"confidence_parts"`
	Risk             Risk             `json:"risk"`
	Steps            []string         `json:"steps"`    // how to apply it safely, in order
	Rollback         []string         `json:"rollback"` // how to undo it
	Evidence         []Evidence       `json:"evidence"`
	Reasons          []string         `json:"reasons"`  // why the change, most important first
	Blockers         []Blocker        `json:"blockers"` // why not, or not yet
	Patch            []Patch          `json:"patch"`
	ReversePatch     []Patch          `json:"reverse_patch"`      // undoes Patch, applied in order
	ExpiresAt        float64          `json:"expires_at"`         // do not apply it later than this
	Schedule         []ReplicaHours   `json:"schedule,omitempty"` // of replicas through the day
}

// Target is what a recommendation is about. Fields that do not apply are empty.
type Target struct {
	Cluster   string `json:"cluster,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Kind      string `json:"kind,omitempty"` // Deployment, StatefulSet, PersistentVolumeClaim, Node …
	Name      string `json:"name,omitempty"`
	Container string `json:"container,omitempty"`
}

// State is whether a recommendation asks for anything.
type State string

// The states.
const (
	StateOpen    State = "open"    // worth doing
	StateKept    State = "kept"    // looked at; what is set is near enough to what would be best
	StateBlocked State = "blocked" // something in Blockers is in the way, or not known
)

// Urgency is how soon to act.
type Urgency string

// The urgencies.
const (
	UrgencyNormal Urgency = "normal"
	UrgencyNow    Urgency = "now" // a limit is hit or about to be; the only one that alerts
)

// Level is a coarse grade.
type Level string

// The levels.
const (
	Low    Level = "low"
	Medium Level = "medium"
	High   Level = "high"
)

// Effort is what applying a change does to what runs.
type Effort string

// The efforts.
const (
	EffortNone    Effort = "none"     // nothing restarts, nothing is resized
	EffortInPlace Effort = "in_place" // pods are resized while they run
	EffortRestart Effort = "restart"  // pods are replaced
)

// Resource names one amount in Current and Recommended; the unit is in the name. It is
// also the label of upid_recommendation_target_value.
type Resource string

// The resources.
const (
	CPURequest      Resource = "cpu_request_cores"
	CPULimit        Resource = "cpu_limit_cores"
	CPUStartup      Resource = "cpu_startup_cores" // needed only in the first minutes of a container
	MemoryRequest   Resource = "memory_request_bytes"
	MemoryLimit     Resource = "memory_limit_bytes"
	GPURequest      Resource = "gpu_request"
	ReplicaCount    Resource = "replicas"
	ReplicasMin     Resource = "replicas_min"
	ReplicasMax     Resource = "replicas_max"
	HPATarget       Resource = "hpa_target_ratio" // utilisation the autoscaler aims at
	StorageBytes    Resource = "storage_bytes"
	NodeCount       Resource = "nodes"
	SpendMonthly    Resource = "spend_monthly"
	UsageRatio      Resource = "usage_ratio"
	LimitHitSeconds Resource = "limit_hit_seconds" // until a limit is reached
)

// Amounts are values by resource. A resource that is not a key is not set; JSON
// has the keys in alphabetical order.
type Amounts map[Resource]float64

// Impact is what the change is expected to bring.
type Impact struct {
	SavingsMonthly    *float64      `json:"savings_monthly"`            // at list price of the requests, 730 h; below 0 it costs
	SavingsRealisable *float64      `json:"savings_realisable_monthly"` // whole nodes that can go; ≤ savings_monthly
	Currency          string        `json:"currency"`                   // ISO 4217; empty without a price
	PriceSource       string        `json:"price_source"`               // opencost, config; empty without a price
	Level             Level         `json:"level"`
	RiskLevel         Level         `json:"risk_level"` // of the change; Risk has the parts
	Performance       string        `json:"performance"`
	Violation         Probabilities `json:"cpu_violation"` // share of time usage is above the request
	OOM               Probabilities `json:"oom_7d"`        // that a container is killed for memory within 7 days
}

// Probabilities compares what is with what would be, both in [0, 1].
type Probabilities struct {
	Before *float64 `json:"before"`
	After  *float64 `json:"after"`
}

// Risk is what can go wrong in applying.
type Risk struct {
	Level              Level  `json:"level"`
	RollbackComplexity Level  `json:"rollback_complexity"`
	Effort             Effort `json:"effort"`
}

// Part is one factor of the confidence. What rests on a sample is at most what the rule of succession allows for
// its size: only what is written down, as the date in a certificate, is 1.
type Part struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"` // in [0, 1]
	Why   string  `json:"why"`
}

// Evidence is one number the recommendation rests on and how to get it again.
type Evidence struct {
	Metric    string    `json:"metric"`
	Query     string    `json:"promql"`
	Window    string    `json:"window"` // 28d
	Points    int       `json:"points"`
	Statistic string    `json:"stat"`
	Value     *float64  `json:"value"`
	Unit      string    `json:"unit"`
	Backtest  *Backtest `json:"backtest"` // null where none was run
}

// Backtest is how the same rule would have done on the past of the same target.
type Backtest struct {
	Weeks      float64  `json:"weeks"`
	Violations *float64 `json:"violations"` // share of time above what it would have set
	OOM        *float64 `json:"oom"`        // kills it would have caused
}

// Blocker is one reason not to act, or not yet.
type Blocker struct {
	Code string `json:"code"` // a Block… constant
	Text string `json:"text"` // what to do about it
}

// The codes of blockers.
const (
	BlockShortHistory     = "short_history"      // too little history to say
	BlockNoUsage          = "no_usage"           // no usage series
	BlockNoRequest        = "no_request"         // what is requested is not known
	BlockNoLimit          = "no_limit"           // what is the limit is not known
	BlockNoPrice          = "no_price"           // no prices: savings are not known
	BlockNoKubeState      = "no_kube_state"      // kube-state-metrics is not there
	BlockHPAOnCPU         = "hpa_on_cpu"         // an autoscaler divides by this request
	BlockHPAOnMemory      = "hpa_on_memory"      // the same for memory
	BlockVPA              = "vpa"                // a VerticalPodAutoscaler sets requests
	BlockQuota            = "quota"              // the namespace's quota leaves no room
	BlockUnstable         = "unstable"           // the level moved or the image changed lately
	BlockGaps             = "gaps"               // too much of the window has no data
	BlockLeak             = "leak"               // usage grows until the limit: a size does not help
	BlockSmallChange      = "small_change"       // the change is too small to be worth it
	BlockLittleWorth      = "little_worth"       // the saving is too small to be worth the disruption
	BlockRecentlyChanged  = "recently_changed"   // changed lately; wait and see
	BlockTooMany          = "too_many"           // more containers than are looked at
	BlockAutoscaled       = "autoscaled"         // an autoscaler sets the replicas
	BlockWholeGPU         = "gpu_whole"          // a GPU is requested whole, or shared by other means
	BlockLimitNeverKilled = "limit_never_killed" // a raise without evidence that the limit hurts
)

// Patch is one call of kubectl patch, or of the Kubernetes API.
type Patch struct {
	APIVersion  string          `json:"api_version"` // apps/v1
	Kind        string          `json:"kind"`        // Deployment
	Namespace   string          `json:"namespace"`
	Name        string          `json:"name"`
	Subresource string          `json:"subresource,omitempty"` // resize
	Type        string          `json:"type"`                  // strategic, merge or json
	Body        json.RawMessage `json:"body"`
}

// Number returns v as an optional number: nil if it is NaN or ±Inf.
func Number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// New begins a recommendation: kind, type, target and id. Action tells apart several
// of one kind about one target, and is "" where there is only one. Everything
// else is empty but not null.
func New(kind Kind, target Target, action string) Recommendation {
	return Recommendation{
		ID: identity(kind, target, action), Kind: kind, OptimizationType: Kinds[kind], Target: target,
		State: StateOpen, Urgency: UrgencyNormal,
		Current: Amounts{}, Recommended: Amounts{},
		Impact:          Impact{Level: Low, RiskLevel: Low},
		Risk:            Risk{Level: Low, RollbackComplexity: Low, Effort: EffortNone},
		ConfidenceParts: []Part{}, Steps: []string{}, Rollback: []string{}, Evidence: []Evidence{}, Reasons: []string{},
		Blockers: []Blocker{}, Patch: []Patch{}, ReversePatch: []Patch{}, ConfidenceLevel: series.ConfidenceLevel(0),
	}
}

// sampled returns a part of a sample of n: v, but at most (n + 1)/(n + 2).
func sampled(name string, v, n float64, why string) Part {
	return Part{name, min(v, num.Succession(n)), why}
}

// SetConfidence stores parts and their product. Parts are in [0, 1]; Check tells.
func (r *Recommendation) SetConfidence(parts ...Part) {
	r.ConfidenceParts, r.Confidence = parts, 1
	for _, p := range parts {
		r.Confidence *= p.Value
	}
	r.ConfidenceLevel = series.ConfidenceLevel(r.Confidence)
}

// Block adds a blocker and holds the recommendation back.
func (r *Recommendation) Block(code, text string) {
	r.Blockers = append(r.Blockers, Blocker{Code: code, Text: text})
	r.State = StateBlocked
}
