// Package collector is what Prometheus scrapes: the table of every metric, the
// constructors of the self metrics, and one handler that writes the pre-rendered
// results followed by a private registry.
package collector
