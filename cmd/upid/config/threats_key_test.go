package config

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const threatsKey = `threats:
  presets: [p]
  budget: 0.2
  history: 7d
  retention: 30d
  timezone: Europe/Berlin
  alert_from: 70
  post: false
  runbook_url: https://runbooks.example/#$threat
  allow:
    cidrs: [10.1.2.3/8, "2001:db8::1"]
    users: [ci, "bot-*"]
    namespaces: [load]
  overrides:
    - preset: p
      budget: 1
      step: 1m
      entity: [host]
`

func TestThreatsKey(t *testing.T) {
	cfg, err := Parse("f", []byte(threatsKey), checks)
	if err != nil {
		t.Fatal(err)
	}
	loc, _ := time.LoadLocation("Europe/Berlin")
	want := Threats{
		Enabled: true, Presets: []string{"p"}, Budget: 0.2, History: 7 * 24 * time.Hour, Retention: 30 * 24 * time.Hour, Location: loc, AlertFrom: 70, Post: false,
		RunbookURL: "https://runbooks.example/#$threat",
		Allow: ThreatAllow{
			CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::1/128")},
			Users: []string{"ci", "bot-*"}, Namespaces: []string{"load"},
		},
		Overrides: []ThreatOverride{{Preset: "p", Budget: 1, AlertFrom: 0, Step: time.Minute, Entity: []string{"host"}, Without: nil}},
	}
	if !reflect.DeepEqual(cfg.Threats, want) {
		t.Errorf("%+v\nwant %+v", cfg.Threats, want)
	}
	if o := cfg.Threats.Override("p"); o.Budget != 1 || o.AlertFrom != 70 {
		t.Errorf("override of p: %+v", o)
	}
	if o := cfg.Threats.Override("q"); o.Budget != 0.2 || o.AlertFrom != 70 || o.Step != 0 {
		t.Errorf("no override of q: %+v", o)
	}
	// What is shown means the same again.
	text, err := cfg.Show()
	if err != nil {
		t.Fatal(err)
	}
	i := strings.Index(text, "threats:")
	again, err := Parse("shown", []byte(text[i:]), checks)
	if err != nil || !reflect.DeepEqual(again.Threats, cfg.Threats) {
		t.Errorf("shown and read again: %+v, %v\n%s", again, err, text)
	}
}

func TestThreatsKey_defaults(t *testing.T) {
	cfg, err := Parse("f", []byte("threats: {}\n"), checks)
	if err != nil {
		t.Fatal(err)
	}
	if th := cfg.Threats; !th.Enabled || !slices.Equal(th.Presets, []string{"auto"}) || th.Budget != 0.1 || th.History != 14*24*time.Hour || th.AlertFrom != 40 || !th.Post {
		t.Errorf("%+v", th)
	}
	// With everything below it commented out the key still asks for it.
	for _, yaml := range []string{"threats:\nrecommendations:\n  # enabled: true\n", "threats: null\nrecommendations: ~\n"} {
		if cfg, err := Parse("f", []byte(yaml), checks); err != nil || !cfg.Threats.Enabled || !cfg.Recommendations.Enabled || cfg.Threats.Budget != 0.1 || cfg.Recommendations.Policy != DefaultPolicy {
			t.Errorf("%q: %+v, %v", yaml, cfg, err)
		}
	}
	if cfg, err := Parse("f", []byte("models:\n  resource_prediction:\n    # step: 1h\n"), checks); err != nil || len(cfg.Models) != 1 || cfg.Models[0].Every != DefaultTrainEvery {
		t.Errorf("%+v, %v", cfg, err)
	}
	if _, err := Parse("f", []byte("threats: {}\nmodels:\n"), checks); err == nil || !strings.Contains(err.Error(), "f:2: models: no type is named") || strings.Contains(err.Error(), "nothing to do") {
		t.Error(err)
	}
	cfg, err = Parse("f", []byte("presets: [good]\nsignals: [{name: a, query: b}]\n"), checks)
	if err == nil && cfg.Threats.Enabled {
		t.Error("threats are watched without the key")
	}
}

// TestThreatsKey_rules wants one road for the alerts: upid posts them or Prometheus' rules do.
func TestThreatsKey_rules(t *testing.T) {
	for yaml, want := range map[string]bool{
		"threats: {}\n":                                                             false,
		"threats: {rules: true}\n":                                                  true, // there is nobody to post to
		"alertmanager: {rules: true}\nthreats: {}\n":                                true,
		"alertmanager: {rules: true}\nthreats: {rules: false}\n":                    false,
		"alertmanager: {urls: [http://a], rules: true, post: false}\nthreats: {}\n": true,
		"alertmanager: {urls: [http://a]}\nthreats: {rules: true, post: false}\n":   true,
	} {
		if cfg, err := Parse("f", []byte(yaml), checks); err != nil || cfg.Threats.Rules != want {
			t.Errorf("%s: %v, want rules %v", yaml, err, want)
		}
	}
	if _, err := Parse("f", []byte("alertmanager: {urls: [http://a]}\nthreats: {rules: true}\n"), checks); err == nil || !strings.Contains(err.Error(), "threats: Prometheus' rules are to alert on threats, and so is upid") {
		t.Errorf("both roads: %v", err)
	}
	if _, err := Parse("f", []byte("alertmanager: {urls: [http://a], rules: true}\nthreats: {}\n"), checks); err == nil {
		t.Error("both roads by default")
	}
}

func TestListenAddress(t *testing.T) {
	for addr, ok := range map[string]bool{
		":9877": true, "127.0.0.1:0": true, "[::1]:9877": true, "upid.example:80": true,
		"9877": false, "127.0.0.1": false, ":": false, ":65536": false, ":-1": false, "http://a:1": false, "::1": false,
	} {
		_, err := Parse("f", []byte("threats: {}\nweb:\n  listen_address: '"+addr+"'\n"), checks)
		if ok != (err == nil) || !ok && !strings.Contains(err.Error(), "f:3: web.listen_address: \""+addr+"\", want host:port") {
			t.Errorf("%q: %v", addr, err)
		}
	}
}
