// Package audit keeps the trail of what changed models: who did what to what, when
// and with what outcome. It is a file of JSON lines, each of which holds the hash of
// the one before it, so that a line that was changed, removed or put in between is
// found.
package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// FileName is the trail's name in the data directory.
const FileName = "audit.jsonl"

// MaxText bounds each text of an event, in bytes; what is longer is cut and ends
// in "…".
const MaxText = 1 << 10

// The actions, a closed list.
const (
	TrainStart = "train_start"
	TrainEnd   = "train_end"
	Gate       = "gate" // the verdict on a newly trained version
	Promote    = "promote"
	Demote     = "demote"
	Rollback   = "rollback"
	Import     = "import"
	Export     = "export"
	Delete     = "delete"
	Feedback   = "feedback"
	Quarantine = "quarantine"
	Park       = "park"   // a version failed again and again and is not asked for a while
	Reseal     = "reseal" // the files of the data directory are sealed with another key
	Repair     = "repair" // a line that a crash had cut was dropped
)

// Actions are all of them.
var Actions = []string{TrainStart, TrainEnd, Gate, Promote, Demote, Rollback, Import, Export, Delete, Feedback, Quarantine, Park, Reseal, Repair}

// The outcomes, a closed list.
const (
	OK      = "ok"
	Refused = "refused"
	Failed  = "failed"
)

// Event is one line of the trail.
type Event struct {
	Time    time.Time // to the millisecond, UTC
	Actor   string    // who: a user of the system, a user of the API, or "upid" itself
	Source  string    // from where: "cli", "sidecar", or the address of a request
	Action  string    // one of Actions
	Object  string    // what: a model type and version, such as resource_prediction/3
	Outcome string    // OK, Refused or Failed
	Request string    // what the log calls the same run or request; may be empty
	Detail  string    // why, in words; may be empty
}

// record is an Event as it stands in the file. The order of its fields is the order
// that is hashed.
type record struct {
	Sequence int64  `json:"seq"`
	Time     string `json:"time"`
	Actor    string `json:"actor"`
	Source   string `json:"source"`
	Action   string `json:"action"`
	Object   string `json:"object"`
	Outcome  string `json:"outcome"`
	Request  string `json:"request,omitempty"`
	Detail   string `json:"detail,omitempty"`
	Previous string `json:"previous"` // the hash of the line before; zeros in the first
	Hash     string `json:"hash,omitempty"`
}

const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// Head is the end of a trail: how many lines it has, and the hash of the last. Whoever
// keeps it elsewhere can tell that lines are missing at the end, which the trail itself
// cannot.
type Head struct {
	Sequence int64  `json:"seq"`
	Hash     string `json:"hash"`
}

var start = Head{Hash: strings.Repeat("0", 2*sha256.Size)}

// next returns the line of an event, without its newline, and the head it makes.
func next(h Head, e Event) ([]byte, Head, error) {
	r := record{
		Sequence: h.Sequence + 1,
		Time:     e.Time.UTC().Format(timeLayout),
		Actor:    clean(e.Actor), Source: clean(e.Source), Action: e.Action, Object: clean(e.Object),
		Outcome: e.Outcome, Request: clean(e.Request), Detail: clean(e.Detail),
		Previous: h.Hash,
	}
	sum, err := r.sum()
	if err != nil {
		return nil, Head{}, err
	}
	r.Hash = sum
	line, err := json.Marshal(r)
	return line, Head{r.Sequence, r.Hash}, err
}

// sum returns SHA-256 of the record's JSON without its hash, in hexadecimal digits.
func (r record) sum() (string, error) {
	r.Hash = ""
	b, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// clean makes a text valid UTF-8 of at most MaxText bytes.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= MaxText {
		return s
	}
	n := MaxText - len("…")
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

func (e Event) validate() error {
	var errs []error
	if e.Time.IsZero() {
		errs = append(errs, errors.New("no time"))
	}
	if !slices.Contains(Actions, e.Action) {
		errs = append(errs, fmt.Errorf("unknown action %q", e.Action))
	}
	if !slices.Contains([]string{OK, Refused, Failed}, e.Outcome) {
		errs = append(errs, fmt.Errorf("unknown outcome %q", e.Outcome))
	}
	if e.Actor == "" || e.Object == "" || e.Source == "" {
		errs = append(errs, errors.New("want an actor, a source and an object"))
	}
	return errors.Join(errs...)
}
