// Package privacy takes the names of people and their addresses out of labels: a label is
// kept, dropped, or replaced by a keyed hash that still tells two people apart and one
// person again.
//
// A Policy is a list of rules; a label that none names is kept, so without rules nothing is
// hidden. The sidecar applies it in one place: to the labels of every answer of Prometheus as
// it comes in; commands that ask or read files themselves do not. What is made of these
// labels (entities, history, models, results, alerts, texts and logs) then holds pseudonyms
// only. A hashed value must not be hashed again.
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

// New returns the policy of some rules; all mistakes are told at once. Without rules every
// label is kept.
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

// Action returns what becomes of a label.
func (p *Policy) Action(label string) Action {
	for _, r := range p.rules {
		if r.name.MatchString(label) {
			return r.action
		}
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

// Value returns what is left of the value of a label; ok is false if nothing is.
func (p *Policy) Value(label, value string) (left string, ok bool) {
	switch p.Action(label) {
	case Drop:
		return "", false
	case Hash:
		return p.Hash(value), true
	case Keep:
	}
	return value, true
}

// Labels returns what is left of a label set. The name of the metric is always kept.
func (p *Policy) Labels(ls labels.Labels) labels.Labels {
	touched := false
	ls.Range(func(l labels.Label) {
		touched = touched || l.Name != model.MetricNameLabel && p.Action(l.Name) != Keep
	})
	if !touched {
		return ls
	}
	b := labels.NewScratchBuilder(ls.Len())
	ls.Range(func(l labels.Label) {
		if l.Name == model.MetricNameLabel {
			b.Add(l.Name, l.Value)
		} else if v, ok := p.Value(l.Name, l.Value); ok {
			b.Add(l.Name, v)
		}
	})
	return b.Labels() // names are as they were: still sorted
}
