package rules

import _ "embed"

// PrometheusRules are the rules upid ships for Prometheus, as a file of it: the
// alerts of signals whose alerts it does not post itself, and alerts about upid.
//
//go:embed upid.rules.yaml
var PrometheusRules []byte
