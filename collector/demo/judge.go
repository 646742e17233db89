package demo

import (
	"slices"
	"strings"
	"time"
)

// Sighting is one finding, as far as judging it takes.
type Sighting struct {
	Signal string
	Labels map[string]string
	Start  int64 // Unix milliseconds
}

// Verdict is what the findings say about the incidents.
type Verdict struct {
	Found       []int // by incident: the first finding that shows it; -1: missed
	Explained   []int // by finding: the incident that it shows or follows from; -1: a false alarm
	FalseAlarms int
}

const (
	// aftermath is how long after its end an incident may still be found odd: its
	// end is a change as well.
	aftermath = 2 * time.Hour
	// surprise is how long an incident that lasts may show in other signals than
	// those that are to find it: later it is the new normal.
	surprise = day
)

// Judge holds the findings against the incidents; now (Unix milliseconds) is the
// time that these are relative to.
func Judge(incidents []Incident, now int64, findings []Sighting) Verdict {
	v := Verdict{Found: make([]int, len(incidents)), Explained: make([]int, len(findings))}
	for i := range v.Found {
		v.Found[i] = -1
	}
	for f := range findings {
		s := &findings[f]
		v.Explained[f] = -1
		for i := range incidents {
			in := &incidents[i]
			direct, caused := in.shows(s, now)
			switch {
			case direct:
				v.Explained[f] = i // rather than one that it may follow from
				if had := v.Found[i]; had < 0 || s.Start < findings[had].Start {
					v.Found[i] = f
				}
			case caused && v.Explained[f] < 0:
				v.Explained[f] = i
			}
		}
		if v.Explained[f] < 0 {
			v.FalseAlarms++
		}
	}
	return v
}

// shows reports whether s is a finding that in is to be found by, and whether it
// may be caused by in at all.
func (in *Incident) shows(s *Sighting, now int64) (direct, caused bool) {
	at := time.Duration(s.Start-now) * time.Millisecond
	if at < in.Start-Interval || at > in.End()+aftermath {
		return false, false
	}
	hit := in.hits(s.Labels)
	if hit && slices.Contains(in.Finds, s.Signal) {
		return true, true
	}
	recent := at <= in.Start+min(in.Lasts, surprise)+aftermath
	return false, recent && (hit || slices.Contains(in.Also, s.Signal))
}

// hits reports whether the labels are those of what the incident is on.
func (in *Incident) hits(labels map[string]string) bool {
	namespace, name, ok := strings.Cut(in.On, "/")
	if !ok {
		host, _, _ := strings.Cut(labels["instance"], ":")
		return host == in.On
	}
	return labels["namespace"] == namespace && (labels["workload"] == name || labels["service"] == name)
}
