package presets

import (
	"testing"
	"time"
)

func TestExpand(t *testing.T) {
	for _, c := range []struct {
		query  string
		entity []string
		want   string
	}{
		{"sum by ($entity) ($increase(a_total))", []string{"realm", "client"}, "sum by (realm, client) (((a_total - a_total offset 5m) >= 0 or a_total))"},
		{`$increase(a{b=~"(x)?\")"}) / $increase(c[$step])`, nil, `((a{b=~"(x)?\")"} - a{b=~"(x)?\")"} offset 5m) >= 0 or a{b=~"(x)?\")"}) / ((c[5m] - c[5m] offset 5m) >= 0 or c[5m])`},
		{"up", nil, "up"},
	} {
		got, err := Expand(c.query, c.entity, 5*time.Minute)
		if err != nil || got != c.want {
			t.Errorf("%s:\n%s, %v\nwant\n%s", c.query, got, err, c.want)
		}
	}
	for _, bad := range []string{"$increase(a", `$increase(a{b=")"}`, "$increase("} {
		if got, err := Expand(bad, nil, time.Minute); err == nil {
			t.Errorf("%s became %s", bad, got)
		}
	}
}

func TestThreatsByName(t *testing.T) {
	for _, n := range Threats() {
		if b, ok := Threat(n); !ok || len(b) == 0 {
			t.Error(n)
		}
	}
	if _, ok := Threat("none"); ok {
		t.Error("a preset that is not there")
	}
}
