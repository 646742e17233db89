package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// incident is wide CSV of 21 days, every 10 minutes: a daily wave with noise,
// three times as high from 12:00 to 14:00 of day 18, and without rows from
// 03:00 to 06:00 of day 20.
func incident() string {
	rng := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	b.WriteString("timestamp,latency\n")
	for i := range 21 * 144 {
		v := 200 + wave(i/6) + 3*rng.NormFloat64()
		day, hour := i/144, i%144/6
		if day == 18 && hour >= 12 && hour < 14 {
			v *= 3
		}
		if day == 20 && hour >= 3 && hour < 6 {
			continue
		}
		fmt.Fprintf(&b, "%d,%.3f\n", monday+600*i, v)
	}
	return b.String()
}

const (
	spikeStart = monday + 18*86400 + 12*3600
	gapStart   = monday + 20*86400 + 3*3600
)

func TestDetect_csv(t *testing.T) {
	in := incident()
	o := upid(t, in, "detect --input - -o csv")
	o.want(t, exitOK)
	rows, err := csv.NewReader(strings.NewReader(o.stdout)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(rows[0], ","), "series,timestamp,value,expected,lower,upper,score,is_anomaly,type"; got != want {
		t.Errorf("header %s, want %s", got, want)
	}
	rows = rows[1:]
	if len(rows) != 21*144 {
		t.Fatalf("%d rows, want one for each grid point of 21 days, present or missing", len(rows))
	}
	values := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(in), "\n")[1:] {
		at, v, _ := strings.Cut(line, ",")
		values[at] = v
	}
	types := map[string]bool{}
	warm := false
	for i, row := range rows {
		at := monday + 600*i
		if row[0] != "latency" || row[1] != fmt.Sprint(at) {
			t.Fatalf("row %d is %v, want time %d", i, row, at)
		}
		if want := strings.TrimRight(values[row[1]], "0"); strings.TrimRight(row[2], "0") != want {
			t.Errorf("value at %s is %q, want %q", row[1], row[2], want)
		}
		if row[6] != "" {
			warm = true
		} else if !warm && row[7] != "0" {
			t.Errorf("an anomaly during warm-up: %v", row)
		}
		switch row[7] {
		case "0":
			if row[8] != "" {
				t.Errorf("no anomaly, but a type: %v", row)
			}
		case "1":
			if row[8] == "" {
				t.Errorf("an anomaly without a type: %v", row)
			}
			types[row[8]] = true
			if at < spikeStart {
				t.Errorf("a false alarm at %d: %v", i, row)
			}
		default:
			t.Errorf("is_anomaly is %q", row[7])
		}
	}
	if rows[0][6] != "" || !warm {
		t.Errorf("the first score is %q, warm is %v; want warm-up, then scores", rows[0][6], warm)
	}
	if !types[series.TypeSpike] || !types[series.TypeMissing] {
		t.Errorf("types %v, want spike and missing", types)
	}
	for i, row := range rows[(spikeStart-monday)/600+2 : (spikeStart-monday)/600+12] {
		if row[7] != "1" {
			t.Errorf("row %d of the incident is no anomaly: %v", i+2, row)
		}
	}
}

func TestDetect_recordFormats(t *testing.T) {
	o := upid(t, incident(), "detect --input - -o json")
	o.want(t, exitOK)
	var rows []struct {
		Series    string   `json:"series"`
		Timestamp int64    `json:"timestamp"`
		Value     *float64 `json:"value"`
		Score     *float64 `json:"score"`
		IsAnomaly int      `json:"is_anomaly"`
		Type      *string  `json:"type"`
	}
	if err := json.Unmarshal([]byte(o.stdout), &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 21*144 {
		t.Fatalf("%d rows, want %d", len(rows), 21*144)
	}
	if rows[0].Score != nil || rows[0].Type != nil {
		t.Errorf("during warm-up: %+v", rows[0])
	}
	if gap := rows[(gapStart-monday)/600]; gap.Value != nil || gap.Timestamp != gapStart {
		t.Errorf("first missing point: %+v", gap)
	}
	o = upid(t, incident(), "detect --input - -o yaml")
	o.want(t, exitOK)
	if !strings.HasPrefix(o.stdout, "- series: \"latency\"\n  timestamp: 1699833600\n") {
		t.Errorf("yaml begins\n%.200s", o.stdout)
	}
}

func TestDetect_table(t *testing.T) {
	o := upid(t, incident(), "detect --input -")
	o.want(t, exitOK)
	narrow(t, o.stdout)
	for _, text := range []string{"latency\n", "2023-12-01T12:", "spike", "2023-12-03T0", "missing", " anomalies (budget 1/week a series)\n"} {
		if !strings.Contains(o.stdout, text) {
			t.Errorf("table lacks %q:\n%s", text, o.stdout)
		}
	}
	if !strings.Contains(o.stdout, "\n2,926 of 3,006 points scored, ") { // 21·144 less 18, and less the 80 of the beginning
		t.Errorf("summary:\n%s", o.stdout)
	}
	quiet := upid(t, daily(14), "detect --input - --budget 2/day")
	quiet.want(t, exitOK)
	if quiet.stdout != "512 of 672 points scored in 2 series, 0 anomalies (budget 2/day a series)\n" {
		t.Errorf("stdout %q", quiet.stdout)
	}
}

// The table has the type an anomaly opened with, as its alert has, and says what it became; rows of
// CSV have that of each point.
func TestDetect_reclassified(t *testing.T) {
	var b strings.Builder
	b.WriteString("timestamp,value\n")
	rng := rand.New(rand.NewPCG(1, 2))
	const fall = 10 * 144
	for i := range fall + 24 {
		v := 100 + rng.NormFloat64()
		if i >= fall {
			v -= 30
		}
		fmt.Fprintf(&b, "%d,%g\n", monday+600*i, v)
	}
	rows := upid(t, b.String(), "detect --input - -o csv").stdout
	if !strings.Contains(rows, ",1,drop\n") || !strings.Contains(rows, ",1,drift\n") {
		t.Fatal("no drop that becomes a drift")
	}
	o := upid(t, b.String(), "detect --input -")
	o.want(t, exitOK)
	narrow(t, o.stdout)
	if !strings.Contains(o.stdout, "  drop  ") || !strings.Contains(o.stdout, "\n  later: drift\n") {
		t.Errorf("stdout:\n%s", o.stdout)
	}
}

func TestDetect_failOnFinding(t *testing.T) {
	o := upid(t, incident(), "detect --input - --fail-on-finding -o csv")
	o.want(t, exitFinding)
	if !strings.Contains(o.stdout, ",1,spike\n") {
		t.Error("the rows are not printed")
	}
	upid(t, daily(14), "detect --input - --fail-on-finding").want(t, exitOK)
	// A floor above the incident leaves the gap only.
	o = upid(t, incident(), "detect --input - --min-deviation 10000 -o csv")
	o.want(t, exitOK)
	if strings.Contains(o.stdout, ",1,spike\n") || !strings.Contains(o.stdout, ",1,missing\n") {
		t.Error("--min-deviation does not hold")
	}
}

func TestDetect_step(t *testing.T) {
	o := upid(t, incident(), "detect --input - --step 1h -o csv")
	o.want(t, exitOK)
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	if len(lines) != 1+21*24 {
		t.Errorf("%d lines, want a header and 504 hours", len(lines))
	}
	if !strings.HasPrefix(lines[2], fmt.Sprintf("latency,%d,", monday+3600)) {
		t.Errorf("second row %s", lines[2])
	}
	upid(t, incident(), "detect --input - --step 1m").want(t, exitUsage, "--step 1m is finer than series \"latency\", whose step is 10m")
}

// Nothing is known of a series that has just begun: that is said, for "0 anomalies" sounds like good news.
func TestDetect_tooShort(t *testing.T) {
	o := upid(t, "timestamp,value\n0,1\n3600,2\n", "detect --input -")
	o.want(t, exitOK, "series value: no score, so no anomaly can be seen: 2 of 2 points have a value, scores begin after 80 at the earliest, 3d8h at a step of 1h")
	if !strings.HasPrefix(o.stdout, "0 of 2 points scored, 0 anomalies") {
		t.Errorf("stdout %q", o.stdout)
	}
	var b strings.Builder
	b.WriteString("timestamp,none,old\n")
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 150 {
		fmt.Fprintf(&b, "%d,NaN,%.3f\n", monday+60*i, rng.Float64())
	}
	o = upid(t, b.String(), "detect --input -")
	o.want(t, exitOK, "series none: no score, so no anomaly can be seen: 0 of 150 points have a value, scores begin after 120 at the earliest, 2h at a step of 1m")
	if strings.Contains(o.stderr, "old") || !strings.HasPrefix(o.stdout, "30 of 300 points scored in 2 series, 0 anomalies") {
		t.Errorf("stdout %q, stderr %q", o.stdout, o.stderr)
	}
}

func TestDetect_stepOutOfRange(t *testing.T) {
	o := upid(t, "timestamp,value\n0,1\n0.5,2\n1,3\n", "detect --input - -o csv")
	o.want(t, exitFailure, "not scored: ", "no series could be scored")
}

// follow keeps one finding for each life of the alert, with its worst score.
func TestDetected_follow(t *testing.T) {
	var d detected
	rule := rules.Default(600e9, series.SeverityWarning)
	var a rules.Alert
	at := int64(0)
	feed := func(value, observed float64) {
		at += 600_000
		s := series.Score{Observed: observed, Expected: 1, Lower: 0, Upper: 2, Value: value, Confidence: 0.9, Type: series.TypeSpike}
		a = rule.Next(a, s, at)
		d.follow(a)
	}
	for range 3 {
		feed(0.1, 1)
	}
	feed(1.15, 30) // waits for confirmation, and is the worst
	feed(1.05, 20)
	feed(1.02, 10)
	for range 10 {
		feed(0.1, 1)
	}
	if len(d.findings) != 1 || d.findings[0].Open() || d.findings[0].Worst.Observed != 30 || d.findings[0].Peak != 1.15 {
		t.Fatalf("findings %+v, want one, closed, worst at 30", d.findings)
	}
	feed(9, 90)
	feed(8, 80)
	if len(d.findings) != 2 || !d.findings[1].Open() || d.findings[1].Worst.Observed != 90 {
		t.Errorf("findings %+v, want a second one, open, worst at 90", d.findings)
	}
	if d.findings[0].Worst.Observed != 30 {
		t.Errorf("the first finding changed: %+v", d.findings[0])
	}
}
