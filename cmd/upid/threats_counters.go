package main

import (
	"context"
	"fmt"
	"os"

	"github.com/upid/upid/collector/source"
)

// readCounters reads the raw counters of all files.
func readCounters(ctx context.Context, e *env, paths []string) ([]source.FileSeries, error) {
	var all []source.FileSeries
	from := map[string]string{}
	for _, path := range paths {
		file, err := readCounterFile(ctx, e, path)
		if err != nil {
			return nil, err
		}
		for _, w := range file.Warnings {
			e.warnf("%s: %s", path, w)
		}
		for _, s := range file.Series {
			key := s.Labels.String()
			if other, ok := from[key]; ok {
				return nil, fmt.Errorf("series %s is in %s and in %s", key, other, path)
			}
			from[key] = path
		}
		all = append(all, file.Series...)
	}
	return all, nil
}

// readCounterFile reads raw counters from path, or stdin.
func readCounterFile(ctx context.Context, e *env, path string) (source.File, error) {
	return interruptible(ctx, func() (source.File, error) {
		if path == "-" {
			return source.ReadCounters("<stdin>", e.stdin)
		}
		f, err := os.Open(path)
		if err != nil {
			return source.File{}, err
		}
		defer f.Close()
		return source.ReadCounters(path, f)
	})
}
