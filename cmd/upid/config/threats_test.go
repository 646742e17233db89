package config

import (
	"strings"
	"testing"
	"time"
)

var testThreatChecks = ThreatChecks{
	Threats: []string{"brute_force"}, Families: []string{"auth"}, Catalogues: []string{"aws"},
	Inputs: func(model string) (need, may []string, ok bool) {
		return []string{"value"}, []string{"up"}, model == "count"
	},
}

const goodThreatPreset = `entity_type: host
entity: [[host]]
metrics: [m_total]
step: 5m
detectors:
  - name: d
    model: count
    family: auth
    threat: brute_force
    windows: [5m, 1h]
    min: 3
    inputs: {value: sum(m_total), up: up}
`

func TestParseThreatPreset(t *testing.T) {
	p, err := ParseThreatPreset("p", []byte(goodThreatPreset), testThreatChecks)
	if err != nil {
		t.Fatal(err)
	}
	d := p.Detectors[0]
	if p.Name != "p" || p.Step != 5*time.Minute || p.EntityType[0] != "host" || d.Windows[1] != time.Hour || d.Min != 3 || d.Inputs["value"] != "sum(m_total)" {
		t.Errorf("%+v", p)
	}
}

// TestParseThreatPreset_refused changes one thing at a time.
func TestParseThreatPreset_refused(t *testing.T) {
	for _, c := range [][3]string{
		{"step: 5m", "step: soon", `preset p: step is "soon"`},
		{"entity_type: host", "entity_type: ''", "entity_type is missing"},
		{"entity: [[host]]", "entity: []", "entity needs at least one list"},
		{"entity: [[host]]", "entity: [[host]]\nentity_types: [a, b]", "2 entity_types for 1 lists"},
		{"metrics: [m_total]", "metrics: []", "metrics and detectors are needed"},
		{"name: d", "name: D!", `detectors[0]: name is "D!"`},
		{"family: auth", "family: none", `family is "none", want one of auth`},
		{"threat: brute_force", "threat: bad", `threat is "bad"`},
		{"model: count", "model: magic", `there is no model "magic"`},
		{"value: sum(m_total), ", "", "needs the input value"},
		{"up: up", "down: up", "has no input down"},
		{"min: 3", "min: -1", "min is -1"},
		{"windows: [5m, 1h]", "windows: [x]", `window "x" is no duration`},
		{"min: 3", "catalogue: gcp", `catalogue is "gcp", want one of aws`},
		{"min: 3", "labels: {colour: red}", `labels is "colour"`},
		{"min: 3", "mim: 3", "field mim not found"},
		{"min: 3", "min: 3\n---\na: 1", "preset p"},
	} {
		_, err := ParseThreatPreset("p", []byte(strings.Replace(goodThreatPreset, c[0], c[1], 1)), testThreatChecks)
		if err == nil || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("%s: %v, want %s", c[1], err, c[2])
		}
	}
	if _, err := ParseThreatPreset("p", []byte(goodThreatPreset+"---\na: 1\n"), testThreatChecks); err == nil || !strings.Contains(err.Error(), "more than one YAML document") {
		t.Error(err)
	}
}
