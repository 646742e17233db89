//go:build !unix

package main

import (
	"context"
	"log/slog"
)

// dumpGoroutines does nothing: there is no SIGUSR1 here.
func dumpGoroutines(context.Context, *slog.Logger) {}
