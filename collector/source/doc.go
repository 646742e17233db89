// Package source reads time series: from a Prometheus-compatible HTTP API
// (Prometheus, Thanos, Mimir, VictoriaMetrics) and from files. Both answers are
// decoded as a stream, under hard limits, directly into series.Series.
//
// What a source cannot use it counts and names; it never fills a gap and never
// returns part of an answer as if it were the whole.
package source
