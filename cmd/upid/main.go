// Command upid forecasts the series of a Prometheus-compatible server, scores
// their anomalies and says so on /metrics, to Alertmanager and on the terminal.
package main

import (
	"os"
	_ "time/tzdata" // --timezone works in an empty container
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
