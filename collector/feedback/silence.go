package feedback

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
)

// Silence is one of Alertmanager.
type Silence struct {
	ID, Comment, By string
	From, To        int64 // Unix milliseconds
	Matchers        []*labels.Matcher
}

// marker is what a comment says so that its time is not learned from.
var marker = regexp.MustCompile(`(?i)(^|[^\w:])upid:exclude($|[^\w:])`)

// markerLabel is the label of a matcher that says the same: upid_training=~"exclude|" matches
// alerts, which have no such label.
const markerLabel = "upid_training"

// alertLabels are labels of alerts that no series has.
var alertLabels = map[string]bool{"alertname": true, "severity": true, "type": true, markerLabel: true}

// Window returns what a silence says is not to be learned from; ok is false if it says
// nothing of the kind. A silence that names neither a signal nor a label of series would be
// about everything, and is an error.
func (s Silence) Window() (w Window, ok bool, err error) {
	ok = marker.MatchString(s.Comment)
	w = Window{From: s.From, To: s.To, Note: s.Comment, By: s.By, Source: FromSilence + s.ID}
	var match []string
	for _, m := range s.Matchers {
		switch {
		case m.Name == markerLabel:
			ok = ok || m.Matches("exclude")
		case m.Name == "signal" && m.Type == labels.MatchEqual:
			w.Signal = m.Value
		case m.Name == "signal":
			err = fmt.Errorf("silence %s: of signals only signal=\"NAME\" is understood, not %s", s.ID, m)
		case !alertLabels[m.Name]:
			match = append(match, m.String())
		}
	}
	if !ok {
		return Window{}, false, nil
	}
	if err == nil && w.Signal == "" && len(match) == 0 {
		err = fmt.Errorf("silence %s: it names no signal and no label of series, so all would be left out", s.ID)
	}
	if err != nil {
		return Window{}, true, err
	}
	if len(match) > 0 {
		w.Match = "{" + strings.Join(match, ",") + "}"
	}
	if len(w.Note) > maxText {
		w.Note = w.Note[:maxText]
	}
	w, err = New(w)
	return w, true, err
}
