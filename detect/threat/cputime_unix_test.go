//go:build unix

package threat

import (
	"syscall"
	"time"
)

// cpuTime returns the processor time the process has used: others may use the machine too.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
