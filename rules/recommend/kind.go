package recommend

// OptimizationType is the broad class of a recommendation, by which users filter.
type OptimizationType string

// The optimization types, a contract of the command line, the API and the metrics.
const (
	ResourceScaling        OptimizationType = "resource_scaling"
	CostReduction          OptimizationType = "cost_reduction"
	PerformanceImprovement OptimizationType = "performance_improvement"
	SecurityEnhancement    OptimizationType = "security_enhancement"
	CapacityPlanning       OptimizationType = "capacity_planning"
)

// OptimizationTypes lists them in the order they are shown.
var OptimizationTypes = []OptimizationType{
	ResourceScaling, CostReduction, PerformanceImprovement, SecurityEnhancement, CapacityPlanning,
}

// Kind names one way of finding something to change; it has one file in this package.
type Kind string

// The kinds.
const (
	RightSize Kind = "right_size" // CPU and memory requests and limits of a container
	Replicas  Kind = "replicas"   // least, most and scheduled replicas of a workload

	GPUUnderused Kind = "gpu_underused" // GPUs that are requested and not used

	CapacityExhaustion Kind = "capacity_exhaustion" // a limit is reached soon
	Leak               Kind = "memory_leak"         // memory that only a restart frees
	CertificateExpiry  Kind = "certificate_expiry"  // a certificate ends

	IdleWorkload     Kind = "idle_workload"     // costs and does nothing
	OffHours         Kind = "off_hours"         // does little at night or at weekends
	UnattachedVolume Kind = "unattached_volume" // no pod uses it
	OversizedVolume  Kind = "oversized_volume"  // mostly empty, and does not grow
	SpotCandidate    Kind = "spot_candidate"    // may run on machines that can be taken away
	NodePacking      Kind = "node_count"        // fewer nodes hold what is requested
	BudgetOverrun    Kind = "budget_overrun"    // the month's budget does not last
	CostInputs       Kind = "cost_inputs"       // what spend is not known for want of

	Throttled     Kind = "cpu_throttled"     // waits for its CPU limit
	OOMKilled     Kind = "oom_killed"        // is killed for memory
	HPAAtMax      Kind = "hpa_at_max"        // the autoscaler wants more than it may
	RequestTooLow Kind = "request_below_use" // uses more CPU than it asks for
	MissingLimits Kind = "missing_limits"    // may take all memory of its node
	PolicyFailing Kind = "policy_failing"    // breaks a policy
	AuditSilent   Kind = "audit_silent"      // the audit log has stopped
	StateInputs   Kind = "state_inputs"      // what is not known without kube-state-metrics
)

// Kinds gives every kind its optimization type. A recommendation may be of another
// one: a raise that prevents an out-of-memory kill is a right-size and stays resource
// scaling, but an oversized volume and an idle workload are two kinds of cost
// reduction.
var Kinds = map[Kind]OptimizationType{
	RightSize: ResourceScaling,
	Replicas:  ResourceScaling,

	CapacityExhaustion: CapacityPlanning,
	Leak:               PerformanceImprovement,
	CertificateExpiry:  SecurityEnhancement,

	GPUUnderused:     CostReduction,
	IdleWorkload:     CostReduction,
	OffHours:         CostReduction,
	UnattachedVolume: CostReduction,
	OversizedVolume:  CostReduction,
	SpotCandidate:    CostReduction,
	NodePacking:      CostReduction,
	BudgetOverrun:    CostReduction,
	CostInputs:       CostReduction,

	Throttled:     PerformanceImprovement,
	OOMKilled:     PerformanceImprovement,
	HPAAtMax:      PerformanceImprovement,
	RequestTooLow: PerformanceImprovement,
	MissingLimits: SecurityEnhancement,
	PolicyFailing: SecurityEnhancement,
	AuditSilent:   SecurityEnhancement,
	StateInputs:   ResourceScaling,
}
