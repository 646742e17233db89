package source

import (
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// Name writes ls the way PromQL does: name{a="b",c="d"}, or the metric name
// alone if there is no other label. It is the name under which one-off commands
// show a series.
func Name(ls labels.Labels) string {
	name, rest := ls.Get(model.MetricNameLabel), labels.NewBuilder(ls).Del(model.MetricNameLabel).Labels()
	if rest.IsEmpty() && name != "" {
		return name
	}
	return name + rest.StringNoSpace()
}
