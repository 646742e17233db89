package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/upid/upid/collector/store"
)

// Progress is how far the pipeline of a model type is: what it did last and why, and what
// it does next. It is kept on disk, so that a pipeline goes on where it was killed.
type Progress struct {
	ModelType   string   `json:"model_type"`
	Step        string   `json:"step"`         // of the newest training: a Step… constant while it runs, else its outcome
	Cause       string   `json:"cause"`        // why it began
	Reason      string   `json:"reason"`       // in words: why it ended as it did
	Version     string   `json:"version"`      // that it made
	StartedAt   *float64 `json:"started_at"`   // Unix seconds, as all times
	EndedAt     *float64 `json:"ended_at"`     // null while it runs
	TriggeredAt *float64 `json:"triggered_at"` // when drift or a demotion last began one
	NextAt      *float64 `json:"next_at"`      // when the next one is due; null: not by itself
	Waits       string   `json:"waits"`        // why it does not begin although it is due
	Interrupted int      `json:"interrupted"`  // how often in a row the process ended under it
	Trained     *float64 `json:"trained_at"`   // created_at of the version that is being saved
	CanarySince *float64 `json:"canary_since"` // of the canary, if the pipeline made it one
	Degraded    string   `json:"degraded"`     // what is wrong with the active version, "" if nothing
	Demoted     bool     `json:"demoted"`      // a version was demoted, and none was trained since
	Made        []string `json:"made"`         // versions that it made, newest last
	Steps       []Step   `json:"steps"`        // of the newest training and of what became of its version
	Live        *Judged  `json:"live"`         // what was judged last; null: nothing yet
}

// Step is one step of a pipeline.
type Step struct {
	Step   string  `json:"step"`
	At     float64 `json:"at"`
	Detail string  `json:"detail"`
}

// keptSteps and keptMade bound the steps and versions of a pipeline that are remembered.
const (
	keptSteps = 40
	keptMade  = 200
)

// under reports whether a training is under way, or was when the process ended.
func (p *Progress) under() bool {
	return slices.Contains([]string{StepExtract, StepFeatures, StepSplit, StepTrain, StepGate, StepSave}, p.Step)
}

// note adds a step.
func (p *Progress) note(at time.Time, step, detail string) {
	p.Steps = append(p.Steps, Step{step, unix(at), detail})
	p.Steps = p.Steps[max(0, len(p.Steps)-keptSteps):]
}

// clone returns a copy that is not changed any more.
func (p *Progress) clone() Progress {
	out := *p
	out.Steps = slices.Clone(p.Steps)
	if out.Steps == nil {
		out.Steps = []Step{}
	}
	return out
}

// progressKind names the file of the progress in the data directory.
const progressKind = "pipeline"

// ProgressFile returns the file with the progress of all types in a data directory.
func ProgressFile(dir string, keys *store.Keys) *store.Records {
	return store.NewRecords(dir, progressKind, keys)
}

// ReadProgress returns the progress of the types in a file, by type; none if there is no
// file. What can be read of a damaged one is returned with the error.
func ReadProgress(f *store.Records) (map[string]*Progress, error) {
	records, err := f.Load()
	out := map[string]*Progress{}
	for _, b := range records {
		p := new(Progress)
		if jerr := json.Unmarshal(b, p); jerr != nil || !known(p.ModelType) {
			err = errors.Join(err, fmt.Errorf("%s: a record makes no sense: %w", f.Path(), errors.Join(jerr, store.ErrDamaged)))
			continue
		}
		out[p.ModelType] = p
	}
	return out, err
}

// writeProgress replaces the file.
func writeProgress(f *store.Records, all map[string]*Progress) error {
	var records [][]byte
	for _, typ := range sortedKeys(all) {
		b, err := json.Marshal(all[typ])
		if err != nil {
			return err
		}
		records = append(records, b)
	}
	return f.Save(records)
}

func sortedKeys(m map[string]*Progress) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
