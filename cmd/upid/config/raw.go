package config

// The raw structs mirror the file. Durations, budgets and enumerations are
// strings here and checked later, so that one bad value does not hide the next.

type rawConfig struct {
	Prometheus      rawPrometheus       `yaml:"prometheus"`
	Alertmanager    rawAlertmanager     `yaml:"alertmanager"`
	Presets         []string            `yaml:"presets"`
	Signals         []rawSignal         `yaml:"signals"`
	Costs           *rawCosts           `yaml:"costs"`           // nil: not given
	Recommendations *rawRecommendations `yaml:"recommendations"` // nil: not given
	Threats         *rawThreats         `yaml:"threats"`         // nil: not given
	Models          *rawModels          `yaml:"models"`          // nil: not given
	Privacy         rawPrivacy          `yaml:"privacy"`
	Maintenance     []rawMaintenance    `yaml:"maintenance"`
	Calendars       []rawCalendar       `yaml:"calendars"`
	Storage         rawStorage          `yaml:"storage"`
	Web             rawWeb              `yaml:"web"`
}

type rawPrometheus struct {
	URL         string   `yaml:"url"`
	HTTP        deferred `yaml:"http"`
	Timeout     string   `yaml:"timeout"`
	Concurrency *int     `yaml:"concurrency"`
}

type rawAlertmanager struct {
	URLs        []string `yaml:"urls"`
	HTTP        deferred `yaml:"http"`
	ResendDelay string   `yaml:"resend_delay"`
	Watchdog    bool     `yaml:"watchdog"`
	Post        *bool    `yaml:"post"`
	Rules       bool     `yaml:"rules"`
}

type rawSignal struct {
	Name      string      `yaml:"name"`
	Type      string      `yaml:"type"`
	Query     string      `yaml:"query"`
	Unit      string      `yaml:"unit"`
	Step      string      `yaml:"step"`
	Every     string      `yaml:"every"`
	Offset    string      `yaml:"query_offset"`
	History   string      `yaml:"history"`
	Timezone  string      `yaml:"timezone"`
	Calendars []string    `yaml:"calendars"` // nil: those that are for all signals
	Forecast  rawForecast `yaml:"forecast"`
	Detect    rawDetect   `yaml:"detect"`
	Alert     rawAlert    `yaml:"alert"`
	Rollouts  rawRollouts `yaml:"rollouts"`
}

type rawRollouts struct {
	Query string `yaml:"query"`
	Grace string `yaml:"grace"`
}

type rawForecast struct {
	Enabled  *bool      `yaml:"enabled"`
	Horizons []string   `yaml:"horizons"`
	Level    *float64   `yaml:"level"`
	Max      *float64   `yaml:"max"`
	Breach   *rawBreach `yaml:"breach"`
	Model    string     `yaml:"model"`
	Every    string     `yaml:"every"`
}

type rawBreach struct {
	Above  *float64 `yaml:"above"`
	Below  *float64 `yaml:"below"`
	Within string   `yaml:"within"`
}

type rawDetect struct {
	Enabled      *bool    `yaml:"enabled"`
	Budget       string   `yaml:"budget"`
	Direction    string   `yaml:"direction"`
	Transform    string   `yaml:"transform"`
	MinDeviation *float64 `yaml:"min_deviation"`
	MinRelative  *float64 `yaml:"min_relative"`
	Model        string   `yaml:"model"`
}

type rawAlert struct {
	Enabled    *bool  `yaml:"enabled"`
	Severity   string `yaml:"severity"`
	RunbookURL string `yaml:"runbook_url"`
	Post       *bool  `yaml:"post"`
	Rules      *bool  `yaml:"rules"`
}

type rawStorage struct {
	Path              string `yaml:"path"`
	EncryptionKeyFile string `yaml:"encryption_key_file"`
}

type rawWeb struct {
	ListenAddress   string `yaml:"listen_address"`
	EnableLifecycle bool   `yaml:"enable_lifecycle"`
}

// deferred keeps a part of the file to be decoded later, still strictly and with
// line numbers: a foreign type's own checks would otherwise end the whole decode
// at their first complaint.
type deferred struct{ decode func(any) error }

// UnmarshalYAML implements yaml.v3's function form; the node form would lose
// strictness (go-yaml #460).
func (d *deferred) UnmarshalYAML(unmarshal func(any) error) error {
	d.decode = unmarshal
	return nil
}
