package pipeline

import (
	"slices"
	"strings"
	"time"
)

// panicked takes note of a panic. The caller holds p.mu.
func (p *Pipeline) panicked(e *entry, now time.Time) {
	e.panics = append(slices.DeleteFunc(e.panics, func(t time.Time) bool { return now.Sub(t) > parkWithin }), now)
	if len(e.panics) < parkAfter {
		return
	}
	e.panics, e.parked = nil, now.Add(parkFor)
	p.log.Error("signal parked: it panicked again and again; please report it with the stack logged above", "signal", e.Name, "until", e.parked.UTC().Format(time.RFC3339))
}

// whole are the reasons why nothing at all can be asked, whatever the signal.
var whole = []string{"dns", "connect", "tls", "proxy"}

// sayReached logs in one line for all tasks that the source cannot be reached, and
// that it answers again.
func (p *Pipeline) sayReached(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch gone := err != nil && slices.Contains(whole, reason(err)); {
	case gone && !p.gone:
		p.gone = true
		p.log.Error("Prometheus cannot be reached, all signals wait for it", "err", err)
	case err == nil && p.gone:
		p.gone = false
		p.log.Info("Prometheus answers again")
	}
}

// logOutcome logs an error when it differs from the last one of the pass, and
// the recovery from one that was logged. Every one is counted.
func (p *Pipeline) logOutcome(e *entry, j job, took time.Duration, err error) {
	st := PassStatus{Slot: j.slot, Ended: time.Now(), Took: took, Err: "", Reason: "", Next: time.Time{}, told: false}
	if err != nil {
		st.Err, st.Reason = strings.TrimPrefix(err.Error(), string(j.pass)+": "), reason(err) // the pass is told beside it
	}
	e.results.Lock()
	last, msg := e.passes[j.pass].Err, st.Err
	was, told := e.passes[j.pass].Reason, e.passes[j.pass].told
	waits := st.Reason == noData && e.Unit.Position() == 0
	st.told = err != nil && !waits && !slices.Contains(whole, st.Reason)
	e.passes[j.pass] = st
	e.results.Unlock()
	attrs := []any{"signal", e.Name, "pass", string(j.pass), "slot", time.UnixMilli(j.slot).UTC().Format(time.RFC3339), "took", took.Round(time.Millisecond)}
	p.sayReached(err)
	switch {
	case slices.Contains(whole, st.Reason):
		p.log.Debug("pass failed", append(attrs, "err", err)...) // see sayReached
	case err == nil && slices.Contains(whole, was):
		p.log.Debug("pass recovered", attrs...)
	case waits:
		p.log.Debug("no data yet", append(attrs, "err", err)...) // see sayWaiting
	case err != nil && (msg != last || !told) && st.Reason == noData:
		p.log.Warn("no data", append(attrs, "err", err)...)
	case err != nil && (msg != last || !told):
		p.log.Error("pass failed", append(attrs, "err", err)...)
	case err == nil && told:
		p.log.Info("pass recovered", attrs...)
	default:
		p.log.Debug("pass finished", attrs...)
	}
}

// sayWaiting logs in one line which tasks have nothing to learn from, once each was
// looked at, and later those that are new among them: a task is named again only after it
// had data. The caller holds p.mu.
func (p *Pipeline) sayWaiting() {
	var names, fresh []string
	for name, e := range p.tasks {
		if e.Unit.Position() > 0 {
			continue
		}
		e.results.Lock()
		fit := e.passes[Fit]
		e.results.Unlock()
		if fit.Ended.IsZero() {
			return
		}
		switch said := slices.Contains(p.waiting, name); {
		case said: // whatever the newest pass says, as that Prometheus is gone
			names = append(names, name)
		case fit.Reason == noData:
			names, fresh = append(names, name), append(fresh, name)
		}
	}
	slices.Sort(fresh)
	if len(fresh) > 0 {
		p.log.Info("signals wait for data: their queries have no series yet", "signals", len(fresh), "names", strings.Join(fresh, ","))
	}
	p.waiting = names
}
