// Package config reads upid's configuration file: strict, with every mistake
// reported at once and with its line. It has two layers: raw structs that mirror
// the file, and the checked Config that the program uses.
package config

import (
	"time"

	commonconfig "github.com/prometheus/common/config"
)

// Config is a checked configuration.
type Config struct {
	Prometheus      Prometheus
	Alertmanager    Alertmanager
	Signals         []Signal // those of the presets first, then the file's own
	Costs           Costs
	Recommendations Recommendations
	Threats         Threats
	Models          []Model // that are trained by themselves, by type
	Privacy         Privacy
	Maintenance     []Maintenance
	Calendars       []Calendar
	Storage         Storage
	Web             Web
	Hash            [32]byte // SHA-256 of the file
}

// Prometheus says where the data are.
type Prometheus struct {
	URL         string
	HTTP        commonconfig.HTTPClientConfig
	Timeout     time.Duration // of one query
	Concurrency int           // queries at once
}

// Alertmanager says where alerts go. Without URLs none are sent.
type Alertmanager struct {
	URLs        []string
	HTTP        commonconfig.HTTPClientConfig
	ResendDelay time.Duration
	Watchdog    bool // send UpidWatchdog, always firing, for a dead-man service
	Post        bool // the default of Alert.Post
	Rules       bool // the default of Alert.Rules
}

// Signal is one PromQL expression and what to do with its series.
type Signal struct {
	Name      string
	Type      string // resource, performance, cost, security, behavior or business
	Query     string
	Unit      string
	Step      time.Duration
	Every     time.Duration // cadence of scoring; 0 = not set, take --interval
	Offset    time.Duration // how long a grid point takes to be complete
	History   time.Duration
	Location  *time.Location
	Calendars []string // their names
	Events    []Event  // of the calendars, in their order
	Forecast  Forecast
	Detect    Detect
	Alert     Alert
	Rollouts  Rollouts
	Line      int    // in the file; 0 for a preset's
	Preset    string // "" for the file's own
}

// Alerts reports whether there can be an alert about the signal.
func (s Signal) Alerts() bool { return s.Detect.Enabled || s.Forecast.Breach != nil }

// Forecast says how a signal is forecast.
type Forecast struct {
	Enabled  bool
	Horizons []time.Duration // ascending
	Level    float64
	Max      *float64 // the most that can be, in the unit of the query; nil: no limit is known
	Breach   *Breach  // limits that it should not reach; nil: none
	Model    string
	Every    time.Duration // cadence of fitting
}

// Breach are the limits of UpidForecastBreach, in the unit of the query; nil: none on that side.
type Breach struct {
	Above, Below *float64
	Within       time.Duration
}

// Detect says how a signal is scored.
type Detect struct {
	Enabled      bool
	Budget       string // "1/week"; see rules.ParseBudget
	Direction    string
	Transform    string
	MinDeviation float64
	MinRelative  float64
	Model        string
}

// Family is how signals of a type are scored where they do not say otherwise.
type Family struct {
	Direction, Transform      string
	MinDeviation, MinRelative float64
	Severity                  string
}

// Rollouts says how a signal hears of rollouts; without a query it does not.
type Rollouts struct {
	Query string
	Grace time.Duration
}

// Alert says what an anomaly of the signal becomes.
type Alert struct {
	Enabled    bool
	Severity   string
	RunbookURL string
	Post       bool // upid posts its alerts, where there are Alertmanagers
	Rules      bool // the shipped Prometheus rules raise them; never both
}

// Storage says where the lock and the state are.
type Storage struct {
	Path              string
	EncryptionKeyFile string // seals what is kept; "": it is plain
}

// Web says where upid listens.
type Web struct {
	ListenAddress   string
	EnableLifecycle bool
}

// Defaults of the file.
const (
	DefaultURL         = "http://localhost:9090"
	DefaultListen      = ":9877"
	DefaultStorage     = "data"
	DefaultTimeout     = 30 * time.Second
	DefaultGrace       = 10 * time.Minute // after a rollout
	DefaultConcurrency = 2
	DefaultResend      = time.Minute
	DefaultStep        = time.Minute
	DefaultHistory     = 28 * 24 * time.Hour
	DefaultFitEvery    = 6 * time.Hour
	DefaultLevel       = 0.9
	DefaultBudget      = "1/week"
	// maxOffset bounds the default query offset: a scrape that was due at a grid
	// point is stored within its timeout (10 s by default) and some slack.
	maxOffset = 30 * time.Second
)

// DefaultHorizons are forecast where a signal names none.
var DefaultHorizons = []time.Duration{time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}

// Types are the signal types.
var Types = []string{"resource", "performance", "cost", "security", "behavior", "business"}

// Checks are what the file's values are checked against; config itself knows no
// model and no PromQL.
type Checks struct {
	Expr        func(string) error // PromQL, and no raw counter
	Budget      func(string) error
	Forecasters []string
	Detectors   []string
	Transforms  []string
	Family      func(signalType, unit string) Family // what a type of signals is scored by
	EventKinds  []string
	Weekday     func(string) error
	Dates       func(string) error
	Preset      func(name string) (file []byte, ok bool)
	Presets     []string // names, for the error message
	Kinds       []string // of recommendations
	Inputs      []string // of recommendations

	// Of presets of threat detectors.
	ThreatNames []string
	ThreatFile  func(name string) (file []byte, ok bool)
	Threats     ThreatChecks
}
