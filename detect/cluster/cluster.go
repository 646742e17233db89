// Package cluster makes the series of a Kubernetes cluster from causes: people
// send requests, requests take CPU, memory and time, autoscalers follow, releases
// restart pods, jobs run by the clock, and now and then something breaks. It is a
// test bed for detectors: what belongs to an ordinary day (releases, scaling, jobs,
// weekends, the end of a month, log rotation, renewed certificates, a scrape that
// fails) is in the series and is no anomaly; what breaks is labelled.
//
// The cluster is made twice with the same random numbers, once with the faults and
// once without. A series is labelled where the two differ by more than it usually
// moves, and the value is none that it has at this time on other days: what a fault
// causes elsewhere is labelled, what nobody can see is not. No
// detector is asked.
package cluster

import (
	"errors"
	"fmt"
	"time"
)

// Options say which cluster it is. The same options give the same series.
type Options struct {
	Seed  uint64
	Step  time.Duration // between two points: whole minutes
	Days  int           // of length
	Warm  int           // days at the start in which nothing breaks, less than Days
	Start time.Time     // zero: a Monday in 2026 that Seed picks
}

// Series is one series with what is labelled in it. All times are Unix milliseconds.
type Series struct {
	Name   string
	Kind   string // what it measures
	Start  int64
	Step   int64
	Values []float64 // NaN where there is no sample; the first and the last are numbers
	Events []Event
}

// Event is a stretch that is not as it would have been.
type Event struct {
	Start, End int64 // the first and the last point
	Kind       Kind
	Size       float64 // of the fault, in the unit of its kind
}

// Kind names what broke.
type Kind string

// The kinds of faults, with the unit of their size.
const (
	Spike       Kind = "spike"          // factor on requests, share of the cores of a node, seconds of lag
	Drop        Kind = "drop"           // share that is left of the orders
	TrafficLoss Kind = "traffic_loss"   // share that is left of the requests
	LevelShift  Kind = "level_shift"    // factor
	Drift       Kind = "drift"          // share an hour
	Variance    Kind = "variance"       // factor on the noise
	Flatline    Kind = "flatline"       // 1
	Missing     Kind = "missing"        // 1
	Outlier     Kind = "outlier"        // factor on one sample
	MissedJob   Kind = "missed_job"     // 1
	HungJob     Kind = "hung_job"       // factor on how long it runs
	ErrorBurst  Kind = "error_burst"    // share of the requests
	Latency     Kind = "latency"        // factor
	CrashLoop   Kind = "crash_loop"     // restarts in ten minutes
	CostJump    Kind = "cost_jump"      // factor on the least number of pods
	LoginBurst  Kind = "login_burst"    // failed log-ins a minute
	QueueStall  Kind = "queue_stall"    // share of the consumers that stand still
	dayMinutes       = 24 * 60          //
	weekMinutes      = 7 * 24 * 60      //
	minuteMS         = int64(60 * 1000) //
)

// Make returns every series of the cluster, in a fixed order: about 150. Five weeks
// of minutes take about a second and 200 MB.
func Make(o Options) ([]Series, error) {
	if o.Step < time.Minute || o.Step%time.Minute != 0 || o.Step > time.Hour || time.Hour%o.Step != 0 {
		return nil, fmt.Errorf("step is %s, want minutes that divide an hour", o.Step)
	}
	if o.Warm < 0 || o.Warm >= o.Days {
		return nil, fmt.Errorf("%d days of warm-up in %d days", o.Warm, o.Days)
	}
	if o.Days > 366 {
		return nil, errors.New("more than 366 days")
	}
	if o.Start.IsZero() {
		// A month ends within the warm-up of any of them, and another one after it.
		mondays := [...]time.Time{date(2, 23), date(3, 23), date(4, 20), date(5, 25), date(6, 22), date(8, 24), date(9, 21)}
		o.Start = mondays[o.Seed%uint64(len(mondays))]
	}
	o.Start = o.Start.UTC().Truncate(24 * time.Hour)
	calm := newWorld(o, nil)
	calm.run()
	faults := plan(calm)
	broken := newWorld(o, faults)
	broken.run()
	return broken.label(calm, faults), nil
}

func date(month time.Month, day int) time.Time {
	return time.Date(2026, month, day, 0, 0, 0, 0, time.UTC)
}
