package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// traceDir holds two traces of the given days, one compressed by nothing, with a row that
// comes twice and out of order, a gap and a column that is nobody's.
func traceDir(t *testing.T, days int) string {
	t.Helper()
	dir := t.TempDir()
	for k, name := range []string{"web", "db"} {
		var b strings.Builder
		b.WriteString("ts,cpu_mcores,other,mem_mib\n")
		for i := range days * 288 {
			day := 2 + math.Sin(2*math.Pi*float64(i)/288)
			noise := float64(i*7919%101) / 101
			fmt.Fprintf(&b, "%d,%.0f,x,%.1f\n", 1_700_000_100+i*300, 1000*(day+noise)*float64(k+1), 500*(day+0.2*noise))
		}
		b.WriteString("1700000100,1,x,1\n1700000700,,x,\n")
		if err := os.WriteFile(filepath.Join(dir, name+".csv"), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReplay_csv(t *testing.T) {
	dir := traceDir(t, 43)
	o := upid(t, "", "replay --data "+dir+" -o csv")
	o.want(t, exitOK, "2 rows have the time of another")
	rows, err := csv.NewReader(strings.NewReader(o.stdout)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(rows[0], ","); got != "workload,timestamp,strategy,cpu_cores,memory_bytes" {
		t.Errorf("columns %s", got)
	}
	count := map[string]int{}
	for _, r := range rows[1:] {
		count[r[0]+" "+r[2]]++
		at, err := strconv.ParseInt(r[1], 10, 64)
		cpu, err2 := strconv.ParseFloat(r[3], 64)
		memory, err3 := strconv.ParseFloat(r[4], 64)
		if err != nil || err2 != nil || err3 != nil || at < 1_700_000_100+28*86400 || cpu <= 0 || memory < 1<<20 {
			t.Fatalf("row %v: %v, %v, %v", r, err, err2, err3)
		}
	}
	// 43 days are the warm-up and two weeks: 14 daily decisions, two weekly ones.
	if len(count) != 12 || count["db vpa"] != 2 || count["web krr-simple"] != 2 || count["web upid-balanced"] < 14 {
		t.Errorf("decisions by workload and strategy: %v", count)
	}
	again := upid(t, "", "replay --data "+dir+" -o csv")
	if again.stdout != o.stdout {
		t.Error("not the same twice")
	}
	o = upid(t, "", "replay --data "+dir+" -o csv --every 7d --policy safe")
	if n := strings.Count(o.stdout, "upid-safe"); n != 4 || strings.Contains(o.stdout, "upid-cost") {
		t.Errorf("%d weekly decisions of two workloads in two weeks\n%s", n, o.stdout)
	}
	o = upid(t, "", "replay --data "+dir+" -o csv --every 1d --strategy crane")
	if n := strings.Count(o.stdout, "crane"); n != 28 || strings.Contains(o.stdout, "upid") {
		t.Errorf("%d daily decisions\n%s", n, o.stdout)
	}
}

func TestReplay_tables(t *testing.T) {
	dir := traceDir(t, 43)
	o := upid(t, "", "replay --data "+dir)
	o.want(t, exitOK, "the last counts")
	for _, want := range []string{"2 of 2 workloads, 4 workload-weeks", "as they are run", "all weekly", "upid-balanced", "krr-simple", "RISK DECLARED"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("no %q in\n%s", want, o.stdout)
		}
	}
	o = upid(t, "", "replay --data "+dir+" -o json --strategy vpa --strategy upid-cost")
	var tables []replayTable
	if err := json.Unmarshal([]byte(o.stdout), &tables); err != nil {
		t.Fatalf("%v\n%s", err, o.stdout)
	}
	if len(tables) != 2 || len(tables[0].Scores) != 2 || tables[0].Scores[0].Strategy != "upid-cost" || tables[0].Scores[1].Workloads != 2 || tables[0].Scores[1].Cores == nil || *tables[0].Scores[1].Cores <= 0 {
		t.Errorf("%+v", tables)
	}
	// One week after the warm-up has no other to compare it with.
	o = upid(t, "", "replay --data "+dir+" --warmup 36d -o json --strategy vpa")
	o.want(t, exitOK, "the last counts")
	if !strings.Contains(o.stdout, `"kept_ratio": null`) {
		t.Errorf("no null in\n%s", o.stdout)
	}
}

// Where all decide weekly in service too, that is one table.
func TestReplay_cadences(t *testing.T) {
	f := func(c replayCmd, want ...cadence) {
		t.Helper()
		if got := c.cadences(); !slices.Equal(got, want) {
			t.Errorf("%+v: %+v, want %+v", c, got, want)
		}
	}
	f(replayCmd{Strategy: []string{"vpa", "upid-cost"}}, inService, allWeekly)
	f(replayCmd{Strategy: []string{"upid-cost"}, Every: "7d"}, allWeekly, inService)
	f(replayCmd{Strategy: []string{"vpa"}}, allWeekly)
	f(replayCmd{Strategy: []string{"vpa"}, Every: "7d"}, allWeekly)
	f(replayCmd{Strategy: []string{"vpa"}, Every: "1d"}, allDaily, allWeekly)
}

// A trace may have its times under the name that other files have, and without a zone.
func TestReadTrace_timestamp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(path, []byte("timestamp,cpu_mcores,mem_mib\n2014-04-20,500,1\n2014-04-20T00:05:00,1000,2\n1397952600,1500,3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tr, twice, err := readTrace(path)
	if err != nil || twice != 0 || !slices.Equal(tr.Times, []int64{1397952000, 1397952300, 1397952600}) || tr.CPU[1] != 1 {
		t.Errorf("%+v, %d twice, %v", tr, twice, err)
	}
}

func TestReplay_wrong(t *testing.T) {
	file := func(text string) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "a.csv"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	f := func(dir string, code int, want string, flags ...string) {
		t.Helper()
		upid(t, "", "replay --data "+dir+" "+strings.Join(flags, " ")).want(t, code, want)
	}
	f(t.TempDir(), exitFailure, "no WORKLOAD.csv")
	f("/nowhere", exitFailure, "nowhere")
	f(file(""), exitFailure, "is empty")
	f(file("time,cpu_mcores,mem_mib\n1,2,3\n"), exitFailure, "no column ts")
	f(file("ts,cpu_mcores\n1,2\n"), exitFailure, "no column mem_mib")
	f(file("ts,cpu_mcores,mem_mib\n1,2,3\nx,2,3\n"), exitFailure, `a.csv:3: ts "x"`)
	f(file("ts,cpu_mcores,mem_mib\n1,-2,3\n"), exitFailure, `a.csv:2: cpu_mcores: "-2"`)
	f(file("ts,cpu_mcores,mem_mib\n1,2,3\n"), exitFailure, "take a shorter --warmup")
	f(t.TempDir(), exitUsage, "at least 7d", "--warmup 3d")
	f(t.TempDir(), exitUsage, "whole days", "--warmup 180h")
	f(t.TempDir(), exitUsage, `"x" is unknown`, "--strategy x")
	f(t.TempDir(), exitUsage, "--every", "--every 2d")
	upid(t, "", "replay").want(t, exitUsage, "--data")
}
