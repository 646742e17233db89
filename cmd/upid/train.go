package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/audit"
	"github.com/upid/upid/collector/feedback"
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/collector/source"
	"github.com/upid/upid/collector/store"
	"github.com/upid/upid/forecast/features"
	"github.com/upid/upid/forecast/learn"
)

// modelFlags say where the versions of models are.
type modelFlags struct {
	StoragePath string `name:"storage.path" placeholder:"DIR" help:"Data directory with the versions of models. (default that of config.yaml, else data)"`
	KeyFile     string `name:"storage.encryption-key-file" placeholder:"FILE" help:"Key that seals the data directory. (default that of config.yaml, else none)"`
}

// where says where the data directory is and which file has its key.
//
// A configuration that is refused could name another key, or none: it is an error, unless
// flags say both.
func (f *modelFlags) where() (place, error) {
	at := place{dir: f.StoragePath, listen: "", keyFile: f.KeyFile}
	if at.dir != "" && at.keyFile != "" {
		return at, nil
	}
	cfg, _, err := loadConfig("", "")
	if err != nil {
		return place{}, err
	}
	return place{dir: cmp.Or(at.dir, cfg.Storage.Path), listen: "", keyFile: cmp.Or(at.keyFile, cfg.Storage.EncryptionKeyFile)}, nil
}

// open returns where the data directory is and the keys that seal it.
func (f *modelFlags) open() (at place, keys *store.Keys, err error) {
	if at, err = f.where(); err != nil {
		return place{}, nil, err
	}
	if at.keyFile != "" {
		if keys, err = store.ReadKeys(at.keyFile); err != nil {
			return place{}, nil, &exitError{code: exitUsage, err: err}
		}
	}
	return at, keys, nil
}

// registry returns the versions in the data directory. What is found damaged is in its audit
// trail.
func (f *modelFlags) registry() (*models.Registry, error) {
	at, keys, err := f.open()
	if err != nil {
		return nil, err
	}
	r := models.NewRegistry(at.dir, keys)
	r.Audit(models.Journal{Trail: audit.New(filepath.Join(at.dir, audit.FileName)), Actor: actor(), Source: "cli"})
	return r, nil
}

type trainCmd struct {
	changeFlags   `embed:""`
	ModelType     string    `arg:"" name:"model-type" placeholder:"TYPE" help:"What to train: ${model_types}."`
	TrainingData  string    `placeholder:"FILE" help:"Rows of features with targets, - is stdin: a JSON array of objects, JSON lines or CSV; also gzipped. (default made from Prometheus)"`
	Epochs        int       `default:"100" placeholder:"N" help:"Rounds of boosting, or passes of a network, at most; it ends early when the error on the held-out tail stops falling. (default ${default})"`
	Algorithm     string    `default:"auto" enum:"auto,${algorithms}" placeholder:"NAME" help:"Of models of numbers: ${enum}; auto trains each and keeps, for each target, the one with the least error on the rows that end the training. (default ${default})"`
	Level         float64   `default:"0.9" placeholder:"SHARE" help:"Share of values an interval is to hold. (default ${default})"`
	Seed          uint64    `default:"1" placeholder:"N" help:"The same rows and seed give the same model. (default ${default})"`
	TargetHorizon *duration `placeholder:"DURATION" help:"How long after its timestamp the target of a row is known; such rows are kept out of each other's way. (default 7d for resource_prediction and cost_optimization, else 0)"`
	Force         bool      `help:"Save the version even if the gate does not let it pass; its record says so."`
	PrometheusURL string    `name:"prometheus.url" default:"http://localhost:9090" placeholder:"URL" help:"Server the rows are made from without a file. (default ${default})"`
	HTTPConfig    string    `name:"prometheus.http-config" type:"path" placeholder:"FILE" help:"YAML file with TLS, authentication and proxy for that server, in the form of Prometheus's http_config."`
	Lookback      duration  `default:"60d" placeholder:"DURATION" help:"How far back rows from Prometheus go. (default ${default})"`
	Every         duration  `default:"12h" placeholder:"DURATION" help:"Time between rows of one workload from Prometheus, whole hours. (default ${default})"`
	Output        string    `short:"o" default:"table" enum:"table,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`

	said string // what became of the version that was saved
}

// Help is shown by --help.
func (trainCmd) Help() string {
	return `Trains a model on rows of named features and saves it as a new version, if it proves itself on the newest fifth of the rows, which it has not seen: it must beat the naive prediction there and know how sure it is.

A row is {"features": {"cpu_usage_24h_avg": 0.2, …}, "target": 0.3}, or flat with target, or with several target_NAME: each is learned on its own. The first version answers upid predict at once. A later one takes its place if a paired test on rows that neither has learned from shows that it is better; else it is kept in the shadow, and upid models promote puts it to use. With targets 7 days ahead and rows every 12 h that test wants 56 different times among the held-out rows, some five months of rows in all; with fewer, promote with --force.

"timestamp" (Unix seconds or RFC 3339) orders the rows in time; without it they are taken as they come, oldest first. null and an empty cell are missing. Any names will do: upid models show --features lists those upid makes itself.

security_threat wants targets of 0 and 1; anomaly_detection needs none, and judges itself by them if they are there.

Examples:

    upid train resource_prediction --training-data data.json --epochs 100
    upid train resource_prediction --prometheus.url http://prometheus:9090
    upid train security_threat --training-data labelled.csv
`
}

// Validate is called by kong.
func (c *trainCmd) Validate() error {
	errs := []error{oneOf("MODEL_TYPE", c.ModelType, features.Types), validLevel(c.Level)}
	if c.Epochs < 1 || c.Epochs > learn.MaxEpochs {
		errs = append(errs, fmt.Errorf("--epochs is %d, want 1 to %d", c.Epochs, learn.MaxEpochs))
	}
	if c.TargetHorizon != nil && *c.TargetHorizon < 0 {
		errs = append(errs, fmt.Errorf("--target-horizon is %s, want 0 or more", *c.TargetHorizon))
	}
	if c.Lookback <= 0 {
		errs = append(errs, fmt.Errorf("--lookback is %s, want more than 0", c.Lookback))
	}
	if d := time.Duration(c.Every); d < time.Hour || d%time.Hour != 0 {
		errs = append(errs, fmt.Errorf("--every is %s, want whole hours", c.Every))
	}
	return errors.Join(errs...)
}

// errGate says that a version was trained and not saved.
var errGate = errors.New("the version is not saved")

// Run trains, shows and saves.
func (c *trainCmd) Run(ctx context.Context, e *env) error {
	r, j, err := c.change()
	if err != nil {
		return err
	}
	rows, from, err := c.rows(ctx, e)
	if err != nil {
		return err
	}
	t := models.Training{
		ModelType: c.ModelType, Rows: rows, Source: from, Epochs: c.Epochs, Algorithm: c.Algorithm, Level: c.Level, Seed: c.Seed,
		Horizon: -1, Build: build().Version, Now: time.Now,
	}
	if c.TrainingData == "" {
		t.Every = time.Duration(c.Every)
	}
	if c.TargetHorizon != nil {
		t.Horizon = time.Duration(*c.TargetHorizon)
	}
	if err := j.Note(audit.TrainStart, c.ModelType, audit.OK, fmt.Sprintf("%d rows of %s", rows.N, from)); err != nil {
		return fmt.Errorf("nothing is trained, because it cannot be written down: %w", err)
	}
	bar := &trainingBar{e: e}
	t.Progress = bar.tell
	v, err := models.Train(ctx, t)
	bar.done()
	if err != nil {
		err = errors.Join(err, j.Note(audit.TrainEnd, c.ModelType, audit.Failed, err.Error()))
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		if advice := models.Advice(err); advice != "" {
			err = fmt.Errorf("%w\n%s", err, advice)
		}
		return fmt.Errorf("train %s: %w", c.ModelType, err)
	}
	passed := v.Passed()
	v.Forced = !passed && c.Force
	if passed || c.Force {
		if err := c.keep(ctx, r, j, v, rows); err != nil {
			return fmt.Errorf("train %s: %w", c.ModelType, err)
		}
	} else if err := j.Note(audit.Gate, c.ModelType, audit.Refused, v.Gate()); err != nil {
		return err
	}
	if err := writeRecords(e, c.Output, []models.Record{v.Record}); err != nil {
		return err
	}
	return c.verdict(e, v)
}

// keep saves a version and says what became of it.
func (c *trainCmd) keep(ctx context.Context, r *models.Registry, j models.Journal, v *models.Version, rows *models.Rows) error {
	why, err := r.Keep(ctx, j, v, rows)
	if err != nil {
		return err
	}
	c.said = "it answers upid predict --model-type " + v.ModelType
	if v.State == models.Shadow {
		stages, err := r.Stages(v.ModelType)
		if err != nil {
			return err
		}
		c.said = fmt.Sprintf("%s still answers (%s). \"upid models promote %s %s\" puts it to use once it is shown to be better, with --force at once", stages.Active, why, v.ModelType, v.Version)
	}
	return nil
}

// verdict says beside the figures what became of the version.
func (c *trainCmd) verdict(e *env, v *models.Version) error {
	for _, t := range v.Targets {
		if t.Passed {
			continue
		}
		what := "it is not used"
		if t.Algorithm == learn.NaiveAlgorithm {
			what = "the naive prediction answers, with a measured interval"
		}
		e.warnf("target %s: %s; %s", t.Name, strings.Join(t.Why, "; "), what)
	}
	switch {
	case v.Version == "":
	case v.Forced:
		e.warnf("saved as %s %s by --force, although the gate did not let it pass; %s", v.ModelType, v.Version, c.said)
		return nil
	default:
		fmt.Fprintf(e.stderr, "upid: saved as %s %s; %s\n", v.ModelType, v.Version, c.said)
		return nil
	}
	return fmt.Errorf("train %s: %w: nothing beats the naive prediction on the held-out rows. Give more rows or features that know more, or save it all the same with --force", c.ModelType, errGate)
}

// rows reads or makes the rows, and says from where.
func (c *trainCmd) rows(ctx context.Context, e *env) (*models.Rows, string, error) {
	if c.TrainingData != "" {
		rows, err := c.fileRows(ctx, e)
		return rows, c.TrainingData, err
	}
	if c.ModelType == features.SecurityThreat {
		return nil, "", usageErrorf("security_threat is learned from labelled rows: give them with --training-data")
	}
	server, err := newServer(e, c.PrometheusURL, c.HTTPConfig)
	if err != nil {
		return nil, "", err
	}
	defer server.Close()
	var bar *output.Progress
	now := time.Now()
	excluded, err := c.excluded()
	if err != nil {
		return nil, "", err
	}
	rows, err := models.Extract(ctx, server, models.Extraction{
		Excluded: excluded.Of, ModelType: c.ModelType, From: now.Add(-time.Duration(c.Lookback)).UnixMilli(), To: now.UnixMilli(), Every: time.Duration(c.Every), Location: e.loc,
		Progress: func(done, of int) {
			if done == 0 {
				bar = e.progress("ask "+c.PrometheusURL, of)
			}
			bar.Set(done)
		},
	})
	bar.Done()
	var failed *source.Error
	switch {
	case ctx.Err() != nil:
		return nil, "", ctx.Err()
	case errors.As(err, &failed) && failed.Unreachable():
		return nil, "", &exitError{code: exitUnreachable, err: fmt.Errorf("%w\nCheck that the server runs, name another with --prometheus.url, or give rows with --training-data", err)}
	case err != nil:
		return nil, "", fmt.Errorf("train %s: %w", c.ModelType, err)
	}
	return rows, c.PrometheusURL, nil
}

// fileRows reads the rows of --training-data and leaves out what feedback says.
func (c *trainCmd) fileRows(ctx context.Context, e *env) (*models.Rows, error) {
	excluded, err := c.excluded()
	if err != nil {
		return nil, err
	}
	rows, err := readRows(ctx, e, c.TrainingData)
	if err != nil {
		return nil, err
	}
	horizon := models.DefaultHorizon(c.ModelType)
	if c.TargetHorizon != nil {
		horizon = time.Duration(*c.TargetHorizon)
	}
	if len(excluded) > 0 && rows.Times == nil {
		e.warnf("the rows have no timestamp, so none is left out for what upid feedback list shows")
	}
	if rows = rows.LeaveOut(excluded.Of, horizon); rows.LeftOut > 0 {
		e.warnf("%s not learned from, because of feedback (upid feedback list)", plural(rows.LeftOut, "row is", "rows are"))
	}
	return rows, nil
}

// excluded are the times that feedback says are not to be learned from.
func (c *trainCmd) excluded() (feedback.Windows, error) {
	f, _, err := (&feedbackFlags{changeFlags: c.changeFlags}).file()
	if err != nil {
		return nil, err
	}
	return f.Load()
}

// readRows reads path, or stdin, and gives up when ctx is done.
func readRows(ctx context.Context, e *env, path string) (*models.Rows, error) {
	type outcome struct {
		rows *models.Rows
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		rows, err := openRows(e, path)
		done <- outcome{rows, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case o := <-done:
		return o.rows, o.err
	}
}

func openRows(e *env, path string) (*models.Rows, error) {
	in := e.stdin
	name := "<stdin>"
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in, name = f, path
	}
	rows, err := models.ReadRows(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return rows, nil
}

// trainingBar shows how far a training is, with the error on the held-out tail that ends
// it early: as a bar on a terminal, elsewhere as some ten lines in all.
type trainingBar struct {
	e    *env
	bar  *output.Progress
	told int // tenths of the work that have a line
}

func (b *trainingBar) tell(target string, done, targets int, ep learn.Epoch) {
	if done == 0 && ep.Turn == 0 && ep.Epoch == 1 {
		b.bar = b.e.progress("train", ep.Of*ep.Turns*targets)
	}
	said := "?"
	if !math.IsNaN(ep.HeldOut) {
		said = output.Human(ep.HeldOut)
	}
	if b.bar != nil {
		b.bar.Label(fmt.Sprintf("%s by %s: epoch %d/%d held-out tail error %s", output.Printable(target), ep.Algorithm, ep.Epoch, ep.Of, said))
		b.bar.Set((done*ep.Turns+ep.Turn)*ep.Of + ep.Epoch)
		return
	}
	// The first epoch has a line, and each that passes another tenth of all.
	if tenth := 1 + 10*((done*ep.Turns+ep.Turn)*ep.Of+ep.Epoch-1)/(ep.Of*ep.Turns*targets); tenth > b.told {
		b.told = tenth
		fmt.Fprintf(b.e.stderr, "upid: train %s by %s: epoch %d/%d, held-out tail error %s\n", output.Printable(target), ep.Algorithm, ep.Epoch, ep.Of, said)
	}
}

func (b *trainingBar) done() { b.bar.Done() }
