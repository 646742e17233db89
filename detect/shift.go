package detect

// A shift watches a series that comes and goes, such as the CPU of a job that is there
// while the job runs: when it begins, and for how long it is there.
type shift struct {
	start  int64  // time of the first value of the newest shift; 0 before the first
	starts rhythm // from one start to the next
	length rhythm // from the first value to the last
}

// A series that is gone for more than that many steps has ended its shift.
const shiftEnds = 3

// comes reports whether the series, gone for so many ms, has ended its shift.
func (f *shift) comes(since, step float64) bool { return since > shiftEnds*step }

// stays scores how long the newest shift lasts at time t.
func (f *shift) stays(t int64, since, step float64) float64 {
	if f.start == 0 || f.comes(since, step) {
		return 0
	}
	return f.length.score(t, f.start, step)
}

// learn takes a value at time t, so many ms after the one before.
func (f *shift) learn(t int64, since, step float64) {
	switch {
	case f.start == 0:
		f.start = t
	case f.comes(since, step):
		f.length.learn(f.start, float64(t-f.start)-since, step)
		f.starts.learn(f.start, float64(t-f.start), step)
		f.start = t
	}
}
