//go:build unix

package main

import (
	"context"
	"log/slog"
	"os"
	ossignal "os/signal"
	"runtime"
	"syscall"
)

// dumpGoroutines logs what every goroutine does when SIGUSR1 comes, until ctx is
// done: for a process that does not do what it should, where nobody may look in.
func dumpGoroutines(ctx context.Context, log *slog.Logger) {
	c := make(chan os.Signal, 1)
	ossignal.Notify(c, syscall.SIGUSR1)
	go func() {
		defer ossignal.Stop(c)
		for {
			select {
			case <-ctx.Done():
				return
			case <-c:
				log.Info("goroutines", "count", runtime.NumGoroutine(), "stacks", stacks())
			}
		}
	}()
}

// stacks returns the stacks of all goroutines, cut at 64 MiB.
func stacks() string {
	for size := 1 << 20; ; size *= 2 {
		b := make([]byte, size)
		if n := runtime.Stack(b, true); n < size || size >= 64<<20 {
			return string(b[:n])
		}
	}
}
