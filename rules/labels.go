package rules

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

// The names of the alerts.
const (
	AlertAnomaly  = "UpidAnomaly"
	AlertThreat   = "UpidThreat"
	AlertCapacity = "UpidCapacity"
	AlertCost     = "UpidCostAnomaly"
	AlertForecast = "UpidForecastBreach"
	AlertWatchdog = "UpidWatchdog"
)

// SignalInfo is what an alert says about its signal beside the finding itself.
type SignalInfo struct {
	Name          string
	Type          string         // resource, performance, cost, security or behavior
	Unit          string         // of the query's value; may be empty
	Query         string         // PromQL, opened by the alert's source link
	Every         time.Duration  // cadence of the score pass
	PrometheusURL string         // as a browser reaches it; empty means no source link
	RunbookURL    string         // may be empty
	Location      *time.Location // of the season; nil is UTC
	Muted         bool           // nothing is posted: alerts are off, or Prometheus rules raise them
}

// Input labels beyond these limits are an attack or an accident: there is no
// such series on /metrics either.
const (
	maxLabels     = 40
	maxLabelName  = 256  // bytes
	maxLabelValue = 1024 // bytes
)

const sourcePrefix = "source_"

// AlertLabels returns the labels that identify the alert of a finding:
// alertname, signal, severity, type and the labels of the input series. An input
// label that clashes with one of upid's own is renamed source_<label>, once more
// where that name is taken too. named adds the input's metric name as
// source_name: for series that differ in nothing else.
//
// It returns an error if a name or a value cannot be a label, or is over a limit.
func AlertLabels(info SignalInfo, r series.Result, f series.Finding, named bool) (labels.Labels, error) {
	set := map[string]string{
		labels.AlertName: alertName(f),
		"signal":         info.Name,
		"severity":       f.Severity,
		"type":           f.Type,
	}
	var (
		clash []labels.Label
		errs  []error
	)
	r.Labels.Range(func(l labels.Label) {
		switch {
		case len(l.Name) > maxLabelName || len(l.Value) > maxLabelValue:
			errs = append(errs, fmt.Errorf("label %q has %d bytes and a value of %d, want at most %d and %d",
				shorten(l.Name, 64), len(l.Name), len(l.Value), maxLabelName, maxLabelValue))
		case !model.UTF8Validation.IsValidLabelName(l.Name) || strings.ContainsFunc(l.Name, unicode.IsControl):
			errs = append(errs, fmt.Errorf("label name %q is invalid", shorten(l.Name, 64)))
		case !utf8.ValidString(l.Value):
			errs = append(errs, fmt.Errorf("value %q of label %q is not UTF-8", shorten(l.Value, 64), l.Name))
		case l.Name == model.MetricNameLabel || l.Value == "":
		case l.Name == labels.AlertName || series.IsOwnLabel(l.Name):
			clash = append(clash, l)
		default:
			set[l.Name] = l.Value
		}
	})
	if n := r.Labels.Len(); n > maxLabels {
		errs = append(errs, fmt.Errorf("%d labels, want at most %d", n, maxLabels))
	}
	if err := errors.Join(errs...); err != nil {
		return labels.EmptyLabels(), err
	}
	if named && r.SourceName != "" {
		set["source_name"] = r.SourceName // no input label keeps or gets that name
	}
	for _, l := range clash { // sorted by name, as labels are
		name := sourcePrefix + l.Name
		for set[name] != "" {
			name = sourcePrefix + name
		}
		set[name] = l.Value
	}
	return labels.FromMap(set), nil
}
