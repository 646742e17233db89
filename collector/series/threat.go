package series

import "time"

// Threat is what is known of one entity that evidence speaks against.
type Threat struct {
	ID           string // of the alert; "" while there is only a risk
	Entity       string // values of the labels that make it, joined by "/"
	EntityType   string // what the input has: host, client, user, …
	Threat       string // brute_force, …; frozen while an alert is open
	Reclassified string // a later one, if it differs
	Technique    string // ATT&CK ids, joined by ";"
	Band         string // info, low, medium, high, critical: of the risk, or the highest of an open alert
	Severity     string // the band as a severity
	Risk         float64
	Confidence   float64       // in [0, 1]; of the strongest evidence
	Observed     float64       // over Window, unit of the counter; NaN if unknown
	Expected     float64       // the same, as learned before
	Window       time.Duration // 0 if unknown
	Evidence     []string      // one line each, what explains most first
	FirstAction  string        // what to do first
	First, Last  int64         // slots with evidence, Unix milliseconds
	Recurrences  int           // earlier alerts of this threat on the entity, as far back as is learned from
	Entities     []string      // of a campaign; nil otherwise
}
