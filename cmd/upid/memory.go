package main

import (
	"io/fs"
	"log/slog"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// memoryShare is how much of what the control group allows the Go runtime may use:
// the rest is for stacks, file buffers and what a limit is noticed late by.
const memoryShare = 0.9

// limitMemory has the runtime keep below the limit of the control group, such as a
// container's, unless GOMEMLIMIT says otherwise: near it, it collects garbage more
// often, where the kernel would end the process.
func limitMemory(log *slog.Logger) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	limit, ok := cgroupLimit(os.DirFS("/"))
	if !ok {
		return
	}
	share := int64(memoryShare * float64(limit))
	debug.SetMemoryLimit(share)
	log.Info("memory limit taken from the control group; GOMEMLIMIT sets another", "group_bytes", limit, "limit_bytes", share)
}

// noLimit is what a first-version control group says when there is none: the
// largest multiple of a page.
const noLimit = 1 << 62

// cgroupLimit returns the memory that the control groups of this process allow: the
// least of its own and of those around it. ok is false if there is no limit.
func cgroupLimit(root fs.FS) (limit int64, ok bool) {
	b, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(b)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3) // number, controllers, path
		if len(fields) != 3 {
			continue
		}
		base, name := "sys/fs/cgroup", "memory.max"
		switch {
		case fields[1] == "": // version 2
		case strings.Contains(","+fields[1]+",", ",memory,"):
			base, name = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for group := path.Clean("/" + fields[2]); ; group = path.Dir(group) {
			b, err := fs.ReadFile(root, path.Join(base, group, name))
			if n, perr := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && perr == nil && n > 0 && n < noLimit && (!ok || n < limit) {
				limit, ok = n, true
			}
			if group == "/" {
				break
			}
		}
	}
	return limit, ok
}
