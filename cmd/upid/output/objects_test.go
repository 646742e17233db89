package output

import (
	"encoding/json"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// Every value is the same in JSON and in YAML.
func TestObjects(t *testing.T) {
	hostile := map[string]any{
		"id": "1e3", "no": "yes", "true": true, "null": nil, "a b": "x: y # z", "": "", "empty": []any{}, "none": map[string]any{},
		"list":   []any{1.5, -0.25, 1e21, "- a", []any{}, []any{"deep", []any{1.0}}, map[string]any{}, map[string]any{"pod": "web-1\n\x1b[2J", "ünï": "\u2028\u0085\x7f\u202e<&>"}},
		"labels": map[string]any{"__name__": "~", "job": "a\"b\\c", "5xx": "0x10", "off": "2001-01-01", "yes": "=", "high": "<<"},
		"number": 12345678901234.5,
	}
	for _, v := range []any{hostile, []any{hostile, hostile, 1.0}, []any{}, map[string]any{}, nil, "x", []any{[]any{map[string]any{"aaaa": []any{1.0, 2.0}}}}} {
		var y, j strings.Builder
		if err := Objects(&y, YAML, v); err != nil {
			t.Fatal(err)
		}
		if err := Objects(&j, JSON, v); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(y.String()+j.String(), "\x1b\x7f\u0085\u202e") {
			t.Errorf("a control character as it is in %q and %q", y.String(), j.String())
		}
		var fromYAML, fromJSON any
		if err := yaml.Unmarshal([]byte(y.String()), &fromYAML); err != nil {
			t.Fatalf("%v in\n%s", err, y.String())
		}
		if err := json.Unmarshal([]byte(j.String()), &fromJSON); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(fromYAML) // whole numbers are ints in YAML
		if err != nil {
			t.Fatal(err)
		}
		var again any
		if err := json.Unmarshal(b, &again); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again, fromJSON) {
			t.Errorf("YAML\n%s\nJSON\n%s", y.String(), j.String())
		}
	}
}

func TestObjectsForm(t *testing.T) {
	type object struct {
		ID     string             `json:"id"`
		Lower  *float64           `json:"lower"`
		Labels map[string]string  `json:"labels"`
		Path   []float64          `json:"path"`
		Parts  []map[string]int64 `json:"parts"`
	}
	var b strings.Builder
	if err := Objects(&b, YAML, []object{{ID: "a", Labels: map[string]string{"pod": "web"}, Path: []float64{1, 2.5}, Parts: []map[string]int64{{"weight": 1}}}, {ID: "b"}}); err != nil {
		t.Fatal(err)
	}
	want := `- id: "a"
  lower: null
  labels:
    "pod": "web"
  path:
    - 1
    - 2.5
  parts:
    - weight: 1
- id: "b"
  lower: null
  labels: null
  path: null
  parts: null
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	if err := Objects(&b, JSON, func() {}); err == nil {
		t.Error("a function has no form")
	}
	defer func() {
		if recover() == nil {
			t.Error("a table is no form of objects")
		}
	}()
	_ = Objects(&b, Table, 1)
}

// YAML 1.1 readers take a number with an exponent for a text unless it has a point and
// a sign.
func TestNumbersOfYAML11(t *testing.T) {
	float := regexp.MustCompile(`^-?[0-9]+(\.[0-9]+(e[-+][0-9]+)?)?$`)
	for _, x := range []float64{1e-7, -1e-7, 1.5e-300, 1e21, 1e300, 5e-324, math.MaxFloat64, 0.25, 3, 1e20} {
		var y strings.Builder
		if err := Objects(&y, YAML, x); err != nil {
			t.Fatal(err)
		}
		s := NewSchema(YAML, "value")
		rows := s.Rows(nil)
		rows.Number(x)
		record := strings.TrimPrefix(strings.TrimSpace(string(rows.Bytes())), "- value: ")
		for _, text := range []string{strings.TrimSpace(y.String()), record} {
			back, err := strconv.ParseFloat(text, 64)
			if err != nil || back != x || !float.MatchString(text) {
				t.Errorf("%v is written as %q", x, text)
			}
		}
	}
	s := NewSchema(CSV, "value")
	rows := s.Rows(nil)
	rows.Number(1e-7)
	if got := string(rows.Bytes()); got != "1e-07\n" {
		t.Errorf("CSV has %q", got)
	}
}
