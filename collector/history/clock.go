package history

import (
	"log/slog"
	"sync"
	"time"
)

// clock says how far time has gone on, as far as data vouch for it. The clock of
// the machine alone does not: one that is a year ahead would make the whole
// history too old to keep, and every gap in it final.
type clock struct {
	log  *slog.Logger
	wall func() time.Time
	mono func() time.Duration // since some moment, whatever the wall clock does

	mu     sync.Mutex    // guards what follows
	newest int64         // grid time of the newest value that is believed
	raised time.Duration // mono when that was raised; 0 = it was in a file
	doubt  time.Duration // mono since which values are beyond belief; 0 = none are
	seen   time.Time     // wall when check was last called
	at     time.Duration // mono then
}

// believed is how much faster than time a newest value may rise: after a restart,
// or a sleep of the machine, data go on later than they ended. What rises faster
// is believed if it still is there after as long.
const believed = 24 * time.Hour

func newClock(log *slog.Logger, wall func() time.Time) *clock {
	start := time.Now()
	return &clock{log: log, wall: wall, mono: func() time.Duration { return time.Since(start) + 1 }}
}

// saw takes in the grid time of the newest value of an answer.
func (c *clock) saw(t int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t <= c.newest {
		return
	}
	now := c.mono()
	passed := believed
	if c.raised > 0 {
		passed += now - c.raised
	}
	if c.newest != 0 && time.Duration(t-c.newest)*time.Millisecond > passed {
		if c.doubt == 0 {
			c.doubt = now
		}
		if now-c.doubt < believed {
			return
		}
	}
	c.newest, c.raised, c.doubt = t, now, 0
}

// found takes in the end of a file.
func (c *clock) found(t int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.raised == 0 {
		c.newest = max(c.newest, t)
	}
}

// now returns the newest time that is believed.
func (c *clock) now() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.newest
}

// check says so when the clock of the machine jumped by more than a day since the
// last call.
func (c *clock) check() {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall, at := c.wall().Round(0), c.mono()
	if !c.seen.IsZero() {
		jump := wall.Sub(c.seen) - (at - c.at)
		if jump > believed || jump < -believed {
			c.log.Warn("the clock of this machine jumped, or it slept; history is kept for another day: check the clock",
				"jump", jump.Round(time.Second), "now", wall.UTC().Format(time.RFC3339))
		}
	}
	c.seen, c.at = wall, at
}
