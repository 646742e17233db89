// Command upid forecasts the series of a Prometheus-compatible server, scores
// their anomalies and says so on /metrics, to Alertmanager and on the terminal.
package main

import (
	"os"
	"runtime/debug"
	_ "time/tzdata" // --timezone works in an empty container
)

func main() {
	collect(seldom)
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// What a start allocates is some 6 MB. Collecting that is a tenth of the time of a command that
// ends at once, so it waits until a command begins that does not.
const (
	seldom  = 800 // per cent of growth between two collections, see runtime/debug.SetGCPercent
	usually = 100
)

// collect sets how often the heap is collected, unless GOGC does.
func collect(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}
