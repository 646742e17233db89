// Command benchdetect measures a built upid on labelled series.
//
//	benchdetect -write DIR   writes simulated clusters as corpora and stops
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

func main() {
	dir := flag.String("write", "", "write the simulated clusters into this directory and stop")
	seed := flag.Uint64("seed", 1, "of the simulated clusters")
	flag.Parse()
	if *dir == "" {
		fmt.Fprintln(os.Stderr, "benchdetect: -write DIR is missing")
		os.Exit(2)
	}
	for _, step := range []time.Duration{time.Minute, 5 * time.Minute} {
		name := fmt.Sprintf("cluster%dm", int(step.Minutes()))
		if err := writeCluster(filepath.Join(*dir, name), clusterOptions(*seed, step)); err != nil {
			fmt.Fprintln(os.Stderr, "benchdetect:", err)
			os.Exit(2)
		}
	}
}
