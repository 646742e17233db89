package models

import (
	"fmt"
	"math"

	"github.com/upid/upid/collector/audit"
	"github.com/upid/upid/collector/store"
	"github.com/upid/upid/forecast/judge"
)

// SignalLive is how good the published forecasts of a signal were; null is unknown.
type SignalLive struct {
	Signal    string   `json:"signal"`
	Stage     string   `json:"stage"` // active, or shadow: those of a demoted model
	Horizon   string   `json:"horizon"`
	Forecasts int      `json:"forecasts"` // judged
	MASE      *float64 `json:"mase"`
	Skill     *float64 `json:"skill"` // against the seasonal naive forecast of the same moment
	Coverage  *float64 `json:"coverage"`
	Demoted   string   `json:"demoted"` // why the configured model is not in use
}

// lost is how much worse than naive a version must be to lose by the rule of forecasts
// alone, which takes times as if each told something new; predictions a week ahead hang
// together. With less, judge.Compare decides, which knows, and takes weeks.
//
//	skill −0.05 over 12 times    chance: the cluster of the tests has it
//	skill −0.2  over 20 times    10 days of rows, and a fifth more error
const lost = -0.2

// verdictOf says whether a target of the active version is worse or better than naive.
func verdictOf(l *Live) judge.Verdict {
	clear := l.trial.Verdict()
	far := l.trial.Times+1 >= judge.LeastPaired && math.Abs(l.trial.Skill()) >= -lost
	switch {
	case clear == judge.Worse && (far || l.Verdict == Worse):
		return judge.Worse
	case clear == judge.Better && (far || l.Verdict == Better):
		return judge.Better
	}
	return judge.Open
}

// fallBack lets the naive prediction answer for the targets of the active version that
// proved worse than it, see verdictOf, and takes back those that have become better, each with
// its line in the trail. Only versions whose rows were made from the server are judged by what
// it has.
func (l *lifecycle) fallBack(typ string, j *Judged) {
	for k := range j.Live {
		t := &j.Live[k]
		if t.Stage != Active || !l.extracted(typ, t.Version) {
			continue
		}
		object := typ + "/" + t.Version
		switch verdict := verdictOf(t); {
		case t.Demoted == "" && verdict == judge.Worse:
			why := fmt.Sprintf("worse than the naive prediction on what came: skill %.2f over %d predictions for %d different times", t.trial.Skill(), t.trial.Judged, t.Times)
			d := store.Demotion{Version: t.Version, Target: t.Target, At: l.s.o.Now().UnixMilli(), Why: why}
			if l.change(audit.Demote, typ, object, "target "+t.Target+": "+why, func(s store.Stages) store.Stages { return s.Demote(d) }) {
				t.Demoted = why
				l.log.Warn("what was learned of a target is demoted, the naive prediction answers", "model_type", typ, "version", t.Version, "target", t.Target, "why", why)
			}
		case t.Demoted != "" && verdict == judge.Better:
			if l.change(audit.Promote, typ, object, "target "+t.Target+": better than the naive prediction again", func(s store.Stages) store.Stages { return s.Reinstate(t.Version, t.Target) }) {
				t.Demoted = ""
				l.log.Info("what was learned of a target is used again", "model_type", typ, "version", t.Version, "target", t.Target)
			}
		}
	}
}

// extracted reports whether the rows of a version were made from the server.
func (l *lifecycle) extracted(typ, name string) bool {
	r, ok := l.record(typ, name)
	return ok && r.Every != ""
}

// change changes the stages of a type, with its line in the trail.
func (l *lifecycle) change(action, typ, object, detail string, change func(store.Stages) store.Stages) bool {
	err := l.journal().Do(action, object, detail, func() error {
		_, _, err := l.s.o.Registry.store.Change(typ, func(s store.Stages) (store.Stages, error) { return change(s), nil })
		return err
	})
	if err != nil {
		l.log.Error("a target is not changed", "model_type", typ, "object", object, "err", err)
	}
	return err == nil
}
