package presets

import (
	"strings"
	"time"
)

// increaseLive is what the counters $x rose by in the slot that ends now, on a server that
// may have been away:
//
//   - a counter that was there a step ago: the difference, or all of it after a reset;
//   - one that was not, neither in the hour before nor a day ago: all of it, as it appeared with
//     its first events;
//   - but not if its target is up now and was not a step ago: then it is the scrape that
//     is new, after an outage or for the first time, and what was counted before it is
//     nobody's deed of this slot. Counters of other ways, such as remote write, have no up.
const increaseLive = `(($x - $x offset $step) >= 0` +
	` or ($x and $x offset $step)` +
	` or ((($x unless last_over_time($x[1h] offset $step)) unless $x offset 1d) unless on (job, instance) (up unless up offset $step)))`

// ExpandLive is Expand for a server that is asked while it collects: where Expand takes every
// counter that was not there a step ago for new, as is right for a file of counters,
// ExpandLive takes only those that are. Else every counter would be an attack after the
// server was away.
func ExpandLive(query string, entity []string, step time.Duration) (string, error) {
	return expand(query, entity, step, func(x string) string { return strings.ReplaceAll(increaseLive, "$x", x) })
}
