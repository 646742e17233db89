// Package privacy takes the names of people and their addresses out of what upid gives
// away: a label is kept, dropped, or replaced by a keyed hash that still tells two people
// apart and one person again.
//
// A Policy answers for each door by which labels leave. What a rule says holds at every
// door; without a rule, names of users and addresses stay out of logs and stored models
// only (see Identifying). A hashed value must not be hashed again: apply the policy once,
// to the labels of the input, and make entities, keys and texts of the result.
//
// Package privacy does no I/O: the caller reads the key. A Policy is safe for concurrent use.
package privacy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// An Action is what becomes of a label's value.
type Action string

// The actions.
const (
	Keep Action = "keep"
	Drop Action = "drop" // the label is not there
	Hash Action = "hash" // see Policy.Hash
)

// Actions lists them.
var Actions = []Action{Keep, Drop, Hash}

// A Door is a way by which labels leave.
type Door string

// The doors.
const (
	Export  Door = "export"  // /metrics and the API
	Alert   Door = "alert"   // Alertmanager, rules
	Log     Door = "log"     // of upid itself
	History Door = "history" // findings on disk
	Audit   Door = "audit"   // who asked what
	Model   Door = "model"   // stored models and what they are trained on
)

// Doors lists them.
var Doors = []Door{Export, Alert, Log, History, Audit, Model}

// A Rule says what becomes of the labels whose name matches Label, a regular expression for
// the whole name as in Prometheus.
type Rule struct {
	Label  string
	Action Action
}

// Options make a Policy. The first rule that matches counts.
type Options struct {
	Rules []Rule
	Key   []byte // of the hash, at least MinKey bytes; needed for Hash only
}

// MinKey is the least length of a key: with fewer bits the names of a company are found by
// trying.
const MinKey = 16

// A Policy says what becomes of labels.
type Policy struct {
	rules []rule
	key   []byte // nil: there is none
}

type rule struct {
	name   *regexp.Regexp
	action Action
}

// New returns the policy of some rules; all mistakes are told at once. Without rules it is
// the default: names and addresses are hashed in logs and stored models if there is a
// key, and dropped there if not.
func New(o Options) (*Policy, error) {
	p := &Policy{rules: make([]rule, 0, len(o.Rules)), key: slices.Clone(o.Key)}
	var errs []error
	if n := len(o.Key); n > 0 && n < MinKey {
		errs = append(errs, fmt.Errorf("privacy: the key has %d bytes, want at least %d", n, MinKey))
	}
	for i, r := range o.Rules {
		name, err := regexp.Compile("^(?s:" + r.Label + ")$")
		switch {
		case r.Label == "":
			errs = append(errs, fmt.Errorf("privacy: rules[%d] names no label", i))
		case err != nil:
			errs = append(errs, fmt.Errorf("privacy: rules[%d]: label %q: %w", i, r.Label, err))
		case !slices.Contains(Actions, r.Action):
			errs = append(errs, fmt.Errorf("privacy: rules[%d]: action is %q, want keep, drop or hash", i, r.Action))
		case r.Action == Hash && len(o.Key) == 0:
			errs = append(errs, fmt.Errorf("privacy: rules[%d]: hash needs a key of at least %d bytes", i, MinKey))
		}
		p.rules = append(p.rules, rule{name: name, action: r.Action})
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return p, nil
}

// Action returns what becomes of a label at a door.
func (p *Policy) Action(d Door, label string) Action {
	for _, r := range p.rules {
		if r.name.MatchString(label) {
			return r.action
		}
	}
	if (d == Log || d == Model) && Identifying(label) {
		if p.key == nil {
			return Drop
		}
		return Hash
	}
	return Keep
}

// hashPrefix marks a hashed value, so that nobody looks for it in the directory of users.
const hashPrefix = "hmac-"

// Hash returns the pseudonym of a value:
//
//	"hmac-" and the first 16 hexadecimal digits of HMAC-SHA-256(key, value)
//
// The same value has the same pseudonym under every label, so that findings can be joined;
// among a million names two are alike with a chance of 3e-8. Without a key it returns
// "hmac-none" for all, which says nothing. The empty value stays empty. RFC 2104.
func (p *Policy) Hash(value string) string {
	switch {
	case value == "":
		return ""
	case p.key == nil:
		return hashPrefix + "none"
	}
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(value))
	return hashPrefix + hex.EncodeToString(mac.Sum(nil)[:8])
}

// Value returns what leaves of the value of a label; ok is false if nothing does.
func (p *Policy) Value(d Door, label, value string) (left string, ok bool) {
	switch p.Action(d, label) {
	case Drop:
		return "", false
	case Hash:
		return p.Hash(value), true
	case Keep:
	}
	return value, true
}

// Labels returns what leaves of a label set. The name of the metric is always kept.
func (p *Policy) Labels(d Door, ls labels.Labels) labels.Labels {
	touched := false
	ls.Range(func(l labels.Label) {
		touched = touched || l.Name != model.MetricNameLabel && p.Action(d, l.Name) != Keep
	})
	if !touched {
		return ls
	}
	b := labels.NewScratchBuilder(ls.Len())
	ls.Range(func(l labels.Label) {
		if l.Name == model.MetricNameLabel {
			b.Add(l.Name, l.Value)
		} else if v, ok := p.Value(d, l.Name, l.Value); ok {
			b.Add(l.Name, v)
		}
	})
	return b.Labels() // names are as they were: still sorted
}

// Entity returns the name of an entity that the given labels make, joined by "/": those that
// are empty or dropped are left out. It is "" if none is left. The "/" and "%" of a
// hostile value are kept as they are: it is a name for people, not a path.
func (p *Policy) Entity(d Door, names []string, ls labels.Labels) string {
	parts := make([]string, 0, len(names))
	for _, n := range names {
		if v, ok := p.Value(d, n, ls.Get(n)); ok && v != "" {
			parts = append(parts, v)
		}
	}
	return strings.Join(parts, "/")
}
