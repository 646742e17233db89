// Command pictures draws the pictures of docs/detection.md from what a built upid
// says about the real series that come with it.
package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"time"
)

// picture is one to draw: a file, a stretch of it and what it shows.
type picture struct {
	name, file, title, unit string
	from, to                time.Time
	args                    []string
}

func at(month time.Month, day, hour int) time.Time {
	return time.Date(2014, month, day, hour, 0, 0, 0, time.UTC)
}

var pictures = []picture{
	{"latency", "ec2_request_latency.csv", "Latency of an EC2 instance, two weeks", "ms", at(3, 7, 4), at(3, 21, 4), nil},
	{"spike", "ec2_request_latency.csv", "The spike of 18 March, nine hours", "ms", at(3, 18, 18), at(3, 19, 3), nil},
	{"requests", "elb_request_count.csv", "Requests in 5 minutes at a load balancer, six days", "requests", at(4, 17, 0), at(4, 23, 0), nil},
	{"direction", "elb_request_count.csv", "The same with --direction down: nothing above is an anomaly", "requests", at(4, 17, 0), at(4, 23, 0), []string{"--direction", "down"}},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	binary := flag.String("binary", "./upid", "program that scores the series")
	data := flag.String("data", "cmd/upid/testdata/nab", "directory of the series")
	out := flag.String("out", "docs/pictures", "directory to write to")
	flag.Parse()
	for _, p := range pictures {
		if err := draw(ctx, p, *binary, *data, *out); err != nil {
			fmt.Fprintf(os.Stderr, "pictures: %s: %v\n", p.name, err)
			stop()
			os.Exit(1)
		}
	}
}

func draw(ctx context.Context, p picture, binary, data, out string) error {
	args := append([]string{"detect", "--input", filepath.Join(data, p.file), "-o", "csv"}, p.args...)
	cmd := exec.CommandContext(ctx, binary, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", cmd, err), errors.New(stderr.String()))
	}
	rows, err := readRows(&stdout, p.from.Unix(), p.to.Unix())
	if err != nil {
		return err
	}
	var b bytes.Buffer
	render(&b, p, rows)
	return os.WriteFile(filepath.Join(out, p.name+".svg"), b.Bytes(), 0o644)
}

// row is a point as upid sees it; NaN is none.
type row struct {
	t                                    int64
	value, expected, lower, upper, score float64
	anomaly                              bool
	kind                                 string
}

func readRows(r io.Reader, from, to int64) ([]row, error) {
	all, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, f := range all[1:] {
		t, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return nil, err
		}
		if t < from || t > to {
			continue
		}
		var x [5]float64
		for i, text := range []string{f[2], f[3], f[4], f[5], f[6]} {
			x[i] = math.NaN()
			if text != "" {
				if x[i], err = strconv.ParseFloat(text, 64); err != nil {
					return nil, err
				}
			}
		}
		rows = append(rows, row{t, x[0], x[1], x[2], x[3], x[4], f[7] == "1", f[8]})
	}
	if len(rows) < 2 {
		return nil, errors.New("nothing in that time")
	}
	return rows, nil
}
