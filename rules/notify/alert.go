package notify

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-openapi/strfmt"
	"github.com/prometheus/alertmanager/api/v2/models"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// alert is one label set as an Alertmanager is to know it. It is not changed
// once made.
type alert struct {
	key         string // the labels, as text
	labels      labels.Labels
	annotations map[string]string
	source      string // generator URL
	severity    string
	mark        string    // a change of it is posted at once, a change of the annotations is not
	startsAt    time.Time // grid time of the first breach
	resolvedAt  time.Time // zero while it fires
	forgetAt    time.Time // until when the resolution is posted again
}

func (a *alert) firing() bool { return a.resolvedAt.IsZero() }

// resolved returns a with an end, to be posted again until forget.
func (a *alert) resolved(at, forget time.Time) *alert {
	c := *a
	c.resolvedAt, c.forgetAt = at, forget
	return &c
}

// postable returns a as the API takes it. A firing alert is valid for lifetime:
// without a newer post Alertmanager then resolves it. Both times are always set:
// an alert with an end and no start would start at its end.
func (a *alert) postable(now time.Time, lifetime time.Duration) *models.PostableAlert {
	// A grid ahead of this clock must not make a start in the future or after
	// the end, which Alertmanager refuses.
	starts := a.startsAt
	if starts.After(now) {
		starts = now
	}
	ends := now.Add(lifetime)
	if !a.firing() {
		ends = a.resolvedAt
		if ends.After(now) {
			ends = now
		}
		if ends.Before(starts) {
			ends = starts
		}
	}
	return &models.PostableAlert{
		Annotations: a.annotations,
		StartsAt:    strfmt.DateTime(starts.UTC()),
		EndsAt:      strfmt.DateTime(ends.UTC()),
		Alert: models.Alert{
			GeneratorURL: strfmt.URI(a.source),
			Labels:       a.labels.Map(),
		},
	}
}

// shiftTimes returns a with its times as a clock has them that is so far ahead.
// Alertmanager compares them with its own: an end that is past there resolves.
func shiftTimes(a *models.PostableAlert, ahead time.Duration) *models.PostableAlert {
	if ahead == 0 {
		return a
	}
	c := *a
	c.StartsAt = strfmt.DateTime(time.Time(a.StartsAt).Add(ahead))
	c.EndsAt = strfmt.DateTime(time.Time(a.EndsAt).Add(ahead))
	return &c
}

// hasUTF8Names reports whether an alert has a label or annotation name outside
// the character set that Alertmanager before 0.27 takes.
func hasUTF8Names(a *models.PostableAlert) bool {
	for name := range a.Labels {
		if !model.LegacyValidation.IsValidLabelName(name) {
			return true
		}
	}
	return false
}

// escapeNames returns a with label names that every Alertmanager takes: other
// characters become underscores, and a name that is taken gets one more.
func escapeNames(a *models.PostableAlert) *models.PostableAlert {
	if !hasUTF8Names(a) {
		return a
	}
	c := *a
	c.Labels = make(models.LabelSet, len(a.Labels))
	var odd []string
	for _, name := range slices.Sorted(maps.Keys(a.Labels)) {
		if model.LegacyValidation.IsValidLabelName(name) {
			c.Labels[name] = a.Labels[name]
		} else {
			odd = append(odd, name)
		}
	}
	for _, name := range odd {
		esc := strings.ReplaceAll(model.EscapeName(name, model.UnderscoreEscaping), ":", "_")
		for {
			if _, taken := c.Labels[esc]; !taken {
				break
			}
			esc += "_"
		}
		c.Labels[esc] = a.Labels[name]
	}
	return &c
}
