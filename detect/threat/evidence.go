package threat

import "strings"

// Evidence is one reading of one detector that is worth keeping.
type Evidence struct {
	Detector  string
	Model     string // of the detector
	Family    Family
	Threat    string
	Technique string // ATT&CK ids, joined by ";"
	Time      int64  // of the newest slot it was seen in
	Score     float64
	What      string // the action, the rule; empty if the detector says it all
	Reading   Reading
}

// A Worth is the score evidence has at its threshold and six decades above.
type Worth struct{ Low, High float64 }

// What the evidence of each model is worth. One anomaly alone is an alert of medium
// severity: "high", from 70 on, takes a second evidence, an action that speaks for
// itself, or a success.
//
//	model          at the threshold   six decades above
//	ratio, count   40                 69    so does distinct
//	egress         40                 69
//	novelty        45                 80
//	sequence       75                 95
//	telemetry      50                 60
//	peak           25                 55
//	off hours      10                 35    never an alert alone
//	first seen     28                 39    never an alert alone; four at once are one
//	passthrough    its priority's weight, see Weight
var (
	anomalyWorth   = Worth{40, 69}
	noveltyWorth   = Worth{45, 80}
	sequenceWorth  = Worth{75, 95}
	telemetryWorth = Worth{50, 60}
	offHoursWorth  = Worth{10, 35}
	firstSeenWorth = Worth{28, 39}
	peakWorth      = Worth{25, 55}
)

// anonymousScore is what a resource read without an identity is worth.
const anonymousScore = 90

// anonymousTechnique is that of access without an identity.
const anonymousTechnique = "T1078.001"

// Of returns the score of a reading: Low + (High − Low)·(2c − 1) with its confidence c,
// 0 if it is no evidence.
func (w Worth) Of(r Reading) float64 {
	if !r.Evident() {
		return 0
	}
	return w.Low + (w.High-w.Low)*(2*r.Confidence()-1)
}

// tactics are those of the techniques the detectors name. MITRE ATT&CK, Enterprise 15.
var tactics = map[string]string{
	"T1110": "credential-access", "T1552": "credential-access", "T1555": "credential-access", "T1528": "credential-access", "T1003": "credential-access",
	"T1078": "initial-access", "T1190": "initial-access", "T1133": "initial-access", "T1021": "lateral-movement", "T1550": "lateral-movement",
	"T1098": "persistence", "T1136": "persistence", "T1525": "persistence", "T1037": "persistence", "T1546": "persistence", "T1543": "persistence",
	"T1068": "privilege-escalation", "T1611": "privilege-escalation", "T1134": "privilege-escalation", "T1548": "privilege-escalation", "T1055": "privilege-escalation",
	"T1609": "execution", "T1610": "execution", "T1651": "execution", "T1059": "execution", "T1204": "execution",
	"T1562": "defense-evasion", "T1070": "defense-evasion", "T1578": "defense-evasion", "T1556": "defense-evasion", "T1027": "defense-evasion",
	"T1613": "discovery", "T1069": "discovery", "T1087": "discovery", "T1580": "discovery", "T1046": "discovery", "T1526": "discovery",
	"T1530": "collection", "T1213": "collection", "T1113": "collection", "T1119": "collection",
	"T1041": "exfiltration", "T1048": "exfiltration", "T1567": "exfiltration", "T1029": "exfiltration", "T1030": "exfiltration", "T1537": "exfiltration",
	"T1071": "command-and-control", "T1095": "command-and-control", "T1572": "command-and-control", "T1105": "command-and-control",
	"T1485": "impact", "T1486": "impact", "T1490": "impact", "T1496": "impact", "T1498": "impact", "T1499": "impact", "T1489": "impact",
}

// Tactic returns the tactic of the first of the techniques that is known, "" if none is.
func Tactic(techniques string) string {
	for id := range strings.SplitSeq(techniques, ";") {
		base, _, _ := strings.Cut(id, ".")
		if t, ok := tactics[base]; ok {
			return t
		}
	}
	return ""
}
