package main

import (
	"fmt"
	"runtime"
	"syscall"
	"time"

	"github.com/upid/upid/detect"
	"github.com/upid/upid/detect/cluster"
)

// costRows measures the processor time of the detector alone on simulated series, and counts
// what it keeps.
func costRows(t *table, commandCPU time.Duration, points int) error {
	all, err := cluster.Make(cluster.Options{Seed: 1, Step: time.Minute, Days: 12, Warm: 11})
	if err != nil {
		return err
	}
	fresh := func() (detect.Scorer, error) {
		return detect.New(detect.Default, detect.Options{Step: time.Minute, Budget: 1})
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	scorers := make([]detect.Scorer, len(all))
	n := 0
	begin, err := processorTime()
	if err != nil {
		return err
	}
	for i := range all {
		s := &all[i]
		if scorers[i], err = fresh(); err != nil {
			return err
		}
		for k, v := range s.Values {
			scorers[i].Step(s.Start+int64(k)*s.Step, v)
			n++
		}
	}
	end, err := processorTime()
	if err != nil {
		return err
	}
	took := end - begin
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.head("cost")
	t.row("a point, the detector alone, processor time", float64(took.Nanoseconds())/1e3/float64(n), 1.0, atMost, "µs", "0.7 z-score, 11 Netdata elsewhere")
	t.row("a series of minutes", (float64(after.HeapAlloc)-float64(before.HeapAlloc))/1024/float64(len(scorers)), 5, atMost, "KiB", "")
	t.row("a point, the whole command with its reading", float64(commandCPU.Nanoseconds())/1e3/float64(points), 5, atMost, "µs", "no goal of the project: start, reading and printing")
	runtime.KeepAlive(scorers)
	runtime.KeepAlive(all) // or the series would be taken for what the scorers freed
	return nil
}

// processorTime returns the user time of this process so far: what other processes take from a
// shared machine is not the detector's.
func processorTime() (time.Duration, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0, fmt.Errorf("reading the processor time of this process: %w", err)
	}
	return time.Duration(r.Utime.Nano()), nil
}
