package source

import "github.com/prometheus/prometheus/model/labels"

// Name writes ls the way PromQL does: name{a="b",c="d"}. It is the name under
// which one-off commands show a series.
func Name(ls labels.Labels) string { return canonicalName(ls) }
