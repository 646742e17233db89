//go:build unix && !linux

package testserver

import "syscall"

// procAttr gives the child its own process group.
func procAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
