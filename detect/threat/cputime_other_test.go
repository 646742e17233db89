//go:build !unix

package threat

import "time"

var processStart = time.Now()

// cpuTime returns the time that has passed.
func cpuTime() time.Duration { return time.Since(processStart) }
