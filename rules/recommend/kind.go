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

	CapacityExhaustion Kind = "capacity_exhaustion" // a limit is reached soon
	Leak               Kind = "memory_leak"         // memory that only a restart frees
	CertificateExpiry  Kind = "certificate_expiry"  // a certificate ends
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
}
