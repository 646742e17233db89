package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/privacy"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/threats"
)

// labelPolicy is what becomes of labels as they come in: before history, models, results,
// alerts and logs see them, so that none of these has anything to give away.
type labelPolicy struct {
	policy *privacy.Policy
	print  string // tells policies apart; says nothing about the key
	// Of the queries of threat detectors: who is left out, by the labels as they are. After
	// that an address is in no network and a user matches no pattern.
	allow   threats.Allow
	allowed map[string]bool // queries
}

// newLabelPolicy reads the key. It is nil if no label is dropped or hashed.
func newLabelPolicy(cfg *config.Privacy) (*labelPolicy, error) {
	if cfg.Empty() {
		return nil, nil
	}
	var key []byte
	if cfg.KeyFile != "" {
		b, err := os.ReadFile(cfg.KeyFile)
		if err != nil {
			return nil, &exitError{code: exitUsage, err: fmt.Errorf("privacy: key_file: %w", err)}
		}
		key = bytes.TrimSpace(b)
	}
	var rules []privacy.Rule
	for _, part := range []struct {
		names  []string
		action privacy.Action
	}{{cfg.Keep, privacy.Keep}, {cfg.Drop, privacy.Drop}, {cfg.Hash, privacy.Hash}} {
		for _, n := range part.names {
			rules = append(rules, privacy.Rule{Label: n, Action: part.action})
		}
	}
	p, err := privacy.New(privacy.Options{Rules: rules, Key: key})
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err}
	}
	sum := sha256.Sum256(append([]byte("upid privacy\x00"), key...))
	return &labelPolicy{policy: p, print: fmt.Sprintf("%v %s", rules, hex.EncodeToString(sum[:8])), allow: threats.Allow{CIDRs: nil, Users: nil, Namespaces: nil}, allowed: nil}, nil
}

// leaves reports whether a label comes in at all.
func (l *labelPolicy) leaves(label string) bool {
	return l == nil || l.policy.Action(label) != privacy.Drop
}

// apply returns an answer with the labels that may be known. Of series that are alike then
// the first stays, the others are counted as duplicates.
func (l *labelPolicy) apply(expr string, d series.Data) series.Data {
	if l == nil {
		return d
	}
	seen := make(map[string]bool, len(d.Series))
	out := d.Series[:0:0]
	duplicates := 0
	var buf []byte
	for _, s := range d.Series {
		if l.allowed[expr] && l.allow.Match(s.Labels) {
			continue
		}
		s.Labels = l.policy.Labels(s.Labels)
		buf = s.Labels.Bytes(buf[:0])
		if seen[string(buf)] {
			duplicates++
			continue
		}
		seen[string(buf)] = true
		out = append(out, s)
	}
	d.Series = out
	d.Warnings = slices.Clone(d.Warnings)
	for i := range d.Warnings {
		d.Warnings[i] = l.policy.Text(d.Warnings[i])
	}
	if duplicates > 0 {
		dropped := map[string]int{"duplicate": duplicates}
		for reason, n := range d.Dropped {
			dropped[reason] += n
		}
		d.Dropped = dropped
	}
	return d
}

// hidden returns an error whose text gives no label away that may not be known: Prometheus
// quotes series and queries in its own.
func (l *labelPolicy) hidden(err error) error {
	if l == nil || err == nil {
		return err
	}
	return hiddenError{text: l.text(err.Error()), err: err}
}

// text returns a text without what may not be known.
func (l *labelPolicy) text(s string) string {
	if l == nil {
		return s
	}
	return l.policy.Text(s)
}

// hiddenError has another text than the error it is.
type hiddenError struct {
	text string
	err  error
}

func (e hiddenError) Error() string { return e.text }
func (e hiddenError) Unwrap() error { return e.err }

// watch says whose counters the queries of threat detectors leave out.
func (l *labelPolicy) watch(a threats.Allow, queries []string) {
	if l == nil {
		return
	}
	l.allow, l.allowed = a, make(map[string]bool, len(queries))
	for _, q := range queries {
		l.allowed[q] = true
	}
}

// fingerprint is part of what state is built from: what was learned under other names is
// nothing to go on from.
func (l *labelPolicy) fingerprint() string {
	if l == nil {
		return ""
	}
	return "\nprivacy " + l.print
}

// expressions returns the queries of tasks.
func expressions(ts []pipeline.Task) []string {
	var out []string
	for _, t := range ts {
		for _, q := range t.Queries {
			out = append(out, q)
		}
	}
	return out
}

// allowOf returns the allow-list of a configuration.
func allowOf(cfg *config.ThreatAllow) threats.Allow {
	return threats.Allow{CIDRs: append([]netip.Prefix(nil), cfg.CIDRs...), Users: cfg.Users, Namespaces: cfg.Namespaces}
}
