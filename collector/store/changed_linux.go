package store

import "syscall"

// changed returns when a file's inode last changed, in nanoseconds.
func changed(st *syscall.Stat_t) int64 { return st.Ctim.Nano() }
