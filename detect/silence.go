package detect

// A flat counts how long a value has not changed, against the longest such run
// of a series that nearly always changes.
type flat struct {
	length  float64 // points in the current run of equal values
	longest float64 // the record, which fades by 1e-4 a run
	changes float64 // how often the value changed
}

const (
	// A flat line is four times the record, and at least ten points.
	flatRatio, flatLeast = 4, 10
	// Only of series of more than that many points, of which 8 in 10 changed.
	flatAfter, flatChanging = 500, 0.8
	// The record fades that much at each new run.
	flatFade = 0.9999
	// What an anomaly may do to the record of runs or gaps: a nightly gap of twenty
	// points is usual after four nights.
	recordRise = 1.5
)

// run counts the newest value and returns the length of the run it ended, 0 if
// it ended none.
func (f *flat) run(same bool, seen int64) float64 {
	if same && seen > 0 {
		f.length++
		return 0
	}
	ended := f.length
	f.length = 1
	if seen > 0 {
		f.changes++
	}
	return ended
}

// score returns the length of the run over the length of a flat line.
func (f *flat) score(seen int64) float64 {
	if seen <= flatAfter || f.changes <= flatChanging*float64(seen) {
		return 0
	}
	return f.length / max(flatRatio*f.longest, flatLeast)
}

// learn takes the length of a run that ended, 0 if none did. One that was called
// a flat line raises the record by no more than recordRise.
func (f *flat) learn(ended float64, anomalous bool) {
	if ended == 0 {
		return
	}
	if anomalous {
		ended = min(ended, recordRise*f.longest)
	}
	f.longest = max(f.longest*flatFade, ended)
}

// A gap compares the time without a value with the longest such time so far.
type gap struct {
	longest float64 // ms between two values, fading
	known   float64 // gaps that were seen
}

const (
	// A gap is twice as many missing points as the most that are known, less with every
	// gap that is known: 1 + 8/(8+n) times; and at least three (four, with margin).
	gapDoubt, gapMany, gapLeast = 1, 8, 3.1
	// Nothing is said of gaps before that many points.
	gapAfter = 100
	// The record of gaps fades to 1/e in that many ms: 30 days.
	gapFade = 30 * float64(dayMS)
)

// score returns since over the length of a gap worth mentioning; both in ms.
func (g *gap) score(since, step float64) float64 {
	return since / max((1+gapDoubt*gapMany/(gapMany+g.known))*(g.longest-step), gapLeast*step)
}

// learn takes the time between two values. One that was called missing raises
// the record by no more than recordRise.
func (g *gap) learn(since, step float64, anomalous bool) {
	if since > 1.5*step {
		g.known++
	}
	if anomalous {
		since = min(since, recordRise*g.longest)
	}
	g.longest = max(g.longest*max(0, 1-since/gapFade), since)
}
