package testserver

import "syscall"

// procAttr gives the child its own process group, and has the kernel kill it
// when the test binary dies without cleaning up (a test timeout, a kill).
func procAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
