//go:build !linux

package models

// lowPriority does nothing: only Linux has priorities of threads.
func lowPriority() {}
