package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/common/model"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/audit"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/views"
	"github.com/upid/upid/detect/threat"
	"github.com/upid/upid/forecast"
	"github.com/upid/upid/forecast/learn"
	"github.com/upid/upid/rules"
	"github.com/upid/upid/rules/presets"
	"github.com/upid/upid/rules/recommend/replay"
)

// The exit codes, a contract with scripts.
const (
	exitOK          = 0
	exitFailure     = 1 // something went wrong while running
	exitUsage       = 2 // wrong flag or configuration
	exitFinding     = 3 // --fail-on-finding, and there is one
	exitUnreachable = 4 // the server asked by --query did not answer
)

// cli is the whole grammar. Global flags may stand before or after the command.
type cli struct {
	Log      logFlags `embed:"" prefix:"log."`
	Timezone string   `default:"UTC" placeholder:"ZONE" help:"IANA time zone of the times in tables and of the daily season, such as Europe/Berlin. (default UTC)"`

	// The sidecar.
	Start startCmd `cmd:"" help:"Run the sidecar: forecast, score, export, alert."`
	Stop  stopCmd  `cmd:"" help:"Stop a running sidecar and wait until it has stopped."`
	Check checkCmd `cmd:"" help:"Check the configuration, and with --live every query."`
	Rules rulesCmd `cmd:"" help:"Prometheus rules: alerts of anomalies, and about upid."`

	// Questions to a running sidecar.
	Predictions     predictionsCmd     `cmd:"" help:"List what a running sidecar expects."`
	Anomalies       anomaliesCmd       `cmd:"" help:"List what a running sidecar found out of the ordinary, and why."`
	Recommendations recommendationsCmd `cmd:"" help:"List what to change, why and what it saves."`
	Report          reportCmd          `cmd:"" help:"What upid was worth: spend, savings, incidents, accuracy."`
	Dashboard       dashboardCmd       `cmd:"" help:"Show a running sidecar, live."`

	// Learned models.
	Train       trainCmd       `cmd:"" help:"Train a model on rows of features; it is saved if it proves itself."`
	Predict     predictCmd     `cmd:"" help:"Ask a trained model once."`
	Performance performanceCmd `cmd:"" help:"Show how good trained models are."`
	Models      modelsCmd      `cmd:"" help:"Versions and features of trained models."`
	Feedback    feedbackCmd    `cmd:"" help:"Say which times are not to be learned from."`
	Audit       auditCmd       `cmd:"" help:"Who changed models, when and why; check that the trail is whole."`

	State stateCmd `cmd:"" help:"The data directory: change the key that seals it."`

	Demo demoCmd `cmd:"" help:"Watch a made-up cluster in which things go wrong; nothing to install."`

	// One-off commands.
	Forecast forecastCmd `cmd:"" help:"Forecast series with intervals."`
	Detect   detectCmd   `cmd:"" help:"Score how unusual each point was when it came."`
	Backtest backtestCmd `cmd:"" help:"Measure how well series can be forecast."`
	Threats  threatsCmd  `cmd:"" help:"Attacks that a running sidecar found, or that are in files of counters."`
	Replay   replayCmd   `cmd:"" help:"Compare ways of sizing containers over past usage."`
	Version  versionCmd  `cmd:"" help:"Print build information."`
}

type logFlags struct {
	Level  string `default:"info" enum:"debug,info,warn,error" placeholder:"LEVEL" help:"Least severe level to log: ${enum}. (default ${default})"`
	Format string `default:"logfmt" enum:"logfmt,json" placeholder:"FORMAT" help:"Form of the log on stderr: ${enum}. (default ${default})"`
}

// logger makes the logger that commands hand down.
func (f logFlags) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.Level)); err != nil {
		panic(err) // the enum above admits only what slog knows
	}
	o := &slog.HandlerOptions{Level: level}
	if f.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// AfterApply refuses an unknown time zone before any command runs.
func (c *cli) AfterApply() error {
	if _, err := time.LoadLocation(c.Timezone); err != nil {
		return fmt.Errorf("--timezone: %w", err)
	}
	return nil
}

// exitError carries the exit code of an error that is not a run-time failure.
type exitError struct {
	code int
	err  error // nil: nothing more to say
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usageErrorf makes an error that ends the program with exitUsage.
func usageErrorf(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// run is the program: it returns the exit code. The first SIGINT or SIGTERM
// cancels the command, the second kills the process.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return execute(ctx, args, stdin, stdout, stderr)
}

// parser returns the parser of the grammar.
func (c *cli) parser(ctx context.Context, stdout, stderr io.Writer, exit func(int)) *kong.Kong {
	parser, err := kong.New(c,
		kong.Name("upid"),
		kong.Description("Forecasts, anomaly scores and alerts for the series of a Prometheus-compatible server. \"upid ml-enhancement COMMAND\" is the same as \"upid COMMAND\"."),
		kong.Writers(stdout, stderr),
		kong.Exit(exit),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 80}),
		kong.PostBuild(lists),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		panic(err) // the grammar itself is wrong
	}
	return parser
}

// lists puts in the lists that help texts and enumerations name. As variables of kong each of them
// would itself be searched for variables once for every flag, which is most of a start.
func lists(k *kong.Kong) error {
	r := strings.NewReplacer(
		"${models}", strings.Join(forecast.Names(), ", "),
		"${model_types}", strings.Join(views.ModelTypes, ", "),
		"${algorithms}", strings.Join(learn.Algorithms(), ","),
		"${confidence_levels}", strings.Join(views.ConfidenceLevels(), ", "),
		"${families}", strings.Join(rules.Families, ", "),
		"${anomaly_types}", strings.Join(series.AnomalyTypes, ", "),
		"${threat_presets}", strings.Join(presets.Threats(), ", "),
		"${optimization_types}", strings.Join(views.OptimizationTypes, ", "),
		"${recommendation_kinds}", strings.Join(adviceKinds(), ", "),
		"${severities}", strings.Join(series.Severities, ", "),
		"${strategies}", strings.Join(replay.Names, ", "),
		"${audit_actions}", strings.Join(audit.Actions, ", "),
		"${threats}", strings.Join(threat.Threats, ", "),
	)
	return kong.Visit(k.Model.Node, func(node kong.Visitable, next kong.Next) error {
		switch n := node.(type) {
		case *kong.Node:
			n.Help = r.Replace(n.Help)
		case *kong.Value:
			n.Help, n.Enum = r.Replace(n.Help), r.Replace(n.Enum)
		}
		return next(nil)
	})
}

// execute parses args and runs the command in them until ctx is done.
func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(stderr, "upid: internal error: %v (a bug; please report it with the command line)\n", r)
			code = exitFailure
		}
	}()
	args = normalise(args)
	if len(args) == 0 {
		args = []string{"--help"}
		stdout, code = stderr, exitUsage
	}

	var c cli
	helped := false // kong wants to exit after --help; we return instead
	parser := c.parser(ctx, stdout, stderr, func(int) { helped = true })
	parsed, err := parser.Parse(args)
	if helped {
		return code
	}
	if err != nil {
		fmt.Fprintf(stderr, "upid: %s\nRun \"%s --help\" for the flags and examples.\n", parseProblem(err), commandPath(err))
		return exitUsage
	}
	loc, err := time.LoadLocation(c.Timezone)
	if err != nil {
		panic(err) // AfterApply has loaded it before
	}
	if parsed.Selected().Name != "predict" {
		collect(usually)
	}
	e := &env{stdin: stdin, stdout: stdout, stderr: stderr, log: c.Log.logger(stderr), loc: loc}
	return exitCode(ctx, parsed.Run(e), stderr)
}

// normalise drops the word ml-enhancement, which may come first, and turns help
// and --version into what the grammar knows.
func normalise(args []string) []string {
	if len(args) > 0 && args[0] == "ml-enhancement" {
		args = args[1:]
	}
	switch {
	case len(args) > 0 && args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	case len(args) == 1 && args[0] == "--version":
		return []string{"version"}
	}
	return args
}

// dashedValue is how the parser complains of a value that begins with a dash.
var dashedValue = regexp.MustCompile(`^(--[\w.-]+): expected .* value but got "(-[^"]*)" \(.*$`)

// missingWord is how it complains of a word that is missing.
var missingWord = regexp.MustCompile(`^expected "<([a-z-]+)>`)

// parseProblem says what is wrong with the arguments.
func parseProblem(err error) string {
	if m := missingWord.FindStringSubmatch(err.Error()); m != nil {
		text := strings.ToUpper(strings.ReplaceAll(m[1], "-", "_")) + " is missing"
		if m[1] == "model-type" {
			text += ", want one of " + strings.Join(views.ModelTypes, ", ")
		}
		return text
	}
	if strings.HasPrefix(err.Error(), "unexpected argument status, ") { // "state", which sounds like it, is about files
		return `unexpected argument status; "upid dashboard" shows how a running sidecar is doing`
	}
	return dashedValue.ReplaceAllString(err.Error(), `$1: no value, and "$2" is taken for a flag; write $1=$2 if it is meant as the value`)
}

// commandPath names the command whose arguments did not parse, "upid" if none
// was recognised.
func commandPath(err error) string {
	var p *kong.ParseError
	if errors.As(err, &p) && p.Context != nil {
		if cmd := p.Context.Selected(); cmd != nil {
			return cmd.FullPath()
		}
	}
	return "upid"
}

// exitCode prints err, if there is anything to say, and returns its exit code.
func exitCode(ctx context.Context, err error, stderr io.Writer) int {
	var ee *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &ee):
		if ee.err != nil {
			fmt.Fprintf(stderr, "upid: %v\n", ee.err)
		}
		return ee.code
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "upid: interrupted")
		return exitFailure
	}
	fmt.Fprintf(stderr, "upid: %v\n", err)
	return exitFailure
}

// duration is a flag that takes both 1w, 7d or 1h30m as Prometheus does and
// 1.5h as Go does.
type duration time.Duration

// UnmarshalText parses a flag's value.
func (d *duration) UnmarshalText(text []byte) error {
	s := string(text)
	if p, err := model.ParseDuration(s); err == nil {
		*d = duration(p)
		return nil
	}
	g, err := time.ParseDuration(s)
	if _, bare := strconv.ParseFloat(s, 64); err != nil && bare == nil {
		return fmt.Errorf("%q has no unit: %sm, %sh or %sd?", s, s, s, s)
	}
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 90s, 1h30m or 7d", s)
	}
	*d = duration(g)
	return nil
}

// String returns d as the contract writes horizons, such as 28d or 36h.
func (d duration) String() string { return output.Horizon(time.Duration(d)) }
