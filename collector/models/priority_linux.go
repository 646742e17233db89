package models

import (
	"runtime"
	"syscall"
)

// niceness is that of trainings and judgements: they get what others leave of the
// processor.
const niceness = 10

// lowPriority gives the calling goroutine a thread of its own with a low priority, which
// ends with the goroutine.
func lowPriority() {
	runtime.LockOSThread()
	// 0 is the calling thread. Where it is not allowed, all goes on at the usual priority.
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, niceness)
}
