package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// bruteForce is ten days of log-ins by ssh on two hosts, written on change only: a
// failure now and then, and 40 within five minutes on web-1 at attackStart.
func bruteForce() string {
	var b strings.Builder
	b.WriteString("ts,metric,host,result,value\n")
	rng := rand.New(rand.NewPCG(1, 2))
	total := map[string]int{}
	for i := range 10 * 288 {
		for _, host := range []string{"web-1", "web-2"} {
			n := 0
			if rng.IntN(100) == 0 {
				n = 1
			}
			if monday+300*i == attackStart && host == "web-1" {
				n += 40
			}
			if total[host] += n; n > 0 {
				fmt.Fprintf(&b, "%d,ssh_auth_events_total,%s,failed,%d\n", monday+300*i, host, total[host])
			}
		}
	}
	return b.String()
}

const attackStart = monday + 9*86400 + 3*3600

func TestThreats_csv(t *testing.T) {
	o := upid(t, bruteForce(), "threats --input - -o csv")
	o.want(t, exitOK, "upid: preset ssh: host by host, slots of 5m\n")
	rows, err := csv.NewReader(strings.NewReader(o.stdout)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(rows[0], ","), "timestamp,entity,entity_type,threat,technique,severity,risk,observed,expected,evidence,id,confidence,first_action"; got != want {
		t.Errorf("header %s, want %s", got, want)
	}
	if len(rows) != 5 {
		t.Fatalf("%d rows, want four slots: the one of the attack and three in which the alert is held\n%s", len(rows)-1, o.stdout)
	}
	for i, r := range rows[1:] {
		if r[0] != strconv.Itoa(attackStart+300*i) || r[1] != "web-1" || r[2] != "host" || r[3] != "brute_force" || r[4] != "T1110.001" || r[5] != "warning" || r[7] != "40" || r[10] != rows[1][10] || r[12] == "" {
			t.Errorf("row %d: %q", i, r)
		}
		if risk, err := strconv.ParseFloat(r[6], 64); err != nil || risk < 60 || risk >= 70 {
			t.Errorf("risk %q", r[6])
		}
		if !strings.HasPrefix(r[9], "ssh-failures: 40, expected 0.") {
			t.Errorf("evidence %q", r[9])
		}
	}
}

// TestThreats_streaming cuts the input after the attack: what was said up to there stays.
func TestThreats_streaming(t *testing.T) {
	whole := upid(t, bruteForce(), "threats --input - -o csv").stdout
	var cut strings.Builder
	for line := range strings.Lines(bruteForce()) {
		at, _, _ := strings.Cut(line, ",")
		if n, err := strconv.Atoi(at); err != nil || n <= attackStart {
			cut.WriteString(line)
		}
	}
	part := upid(t, cut.String(), "threats --input - -o csv").stdout
	if lines := strings.SplitAfter(whole, "\n"); part != lines[0]+lines[1] {
		t.Errorf("cut after the attack:\n%s\nwhole:\n%s", part, whole)
	}
}

func TestThreats_formats(t *testing.T) {
	in := bruteForce()
	table := upid(t, in, "threats --input -")
	table.want(t, exitOK, "preset ssh")
	narrow(t, table.stdout)
	for _, want := range []string{"2023-11-22T03:00:00Z", "web-1", "brute_force", "ssh-failures: 40, expected", "\n1 alert by ssh\n"} {
		if !strings.Contains(table.stdout, want) {
			t.Errorf("the table lacks %q:\n%s", want, table.stdout)
		}
	}
	var objects []map[string]any
	if err := json.Unmarshal([]byte(upid(t, in, "threats --input - -o json").stdout), &objects); err != nil || len(objects) != 4 || objects[0]["entity"] != "web-1" || objects[0]["observed"] != 40.0 {
		t.Errorf("JSON: %v %v", objects, err)
	}
	upid(t, in, "threats --input - --fail-on-finding").want(t, exitFinding, "preset ssh")
	upid(t, "ts,metric,host,result,value\n60,ssh_auth_events_total,a,failed,1\n", "threats --input - --fail-on-finding").want(t, exitOK, "preset ssh")
}

// TestThreats_success finds the success after the failures, by the source's address.
func TestThreats_success(t *testing.T) {
	in := strings.ReplaceAll(strings.ReplaceAll(bruteForce(), "host", "source"), "web-1", "203.0.113.9")
	in += fmt.Sprintf("%d,ssh_auth_events_total,203.0.113.9,accepted,1\n", attackStart+600)
	o := upid(t, in, "threats --input - -o csv")
	o.want(t, exitOK, "preset ssh: source by source")
	if !strings.Contains(o.stdout, "ssh-success: 1, expected") || !strings.Contains(o.stdout, ",critical,") {
		t.Errorf("no success:\n%s", o.stdout)
	}
}

// TestThreats_file takes the entity from the name of a file with one counter.
func TestThreats_file(t *testing.T) {
	var b strings.Builder
	b.WriteString("ts,container_network_transmit_bytes_total\n")
	total := 0
	for i := range 16 * 288 {
		total += 1_000_000 + i%7*1000
		if i >= 15*288 && i < 15*288+6 {
			total += 3_000_000_000
		}
		fmt.Fprintf(&b, "%d,%d\n", monday+300*i, total)
	}
	path := filepath.Join(t.TempDir(), "shop-7.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	o := upid(t, "", "threats -o csv --input "+path)
	o.want(t, exitOK, "preset pod-egress: pod by entity")
	rows := strings.Split(o.stdout, "\n")
	if len(rows) < 3 || !strings.HasPrefix(rows[1], fmt.Sprintf("%d,shop-7,pod,data_exfiltration,T1041;T1048,", monday+15*86400)) {
		t.Errorf("%s", o.stdout)
	}
}

func TestThreats_refused(t *testing.T) {
	for args, want := range map[string]string{
		"threats --since=-1h":                   "--since is -1h0m0s, want 0 or more",
		"threats --threat theft":                `--threat is "theft", want one of compromised_account`,
		"threats purge":                         "purge needs --entity NAME",
		"threats purge --entity a --input -":    "purge forgets what is on record and reads no --input",
		"threats --input - --open":              "--input reads files",
		"threats steal":                         "must be one of",
		"threats --input - --preset magic":      `--preset is "magic", want auto or some of apiserver-audit`,
		"threats --input - --budget 0":          "--budget is 0, want more than 0",
		"threats --input - --counter-step 10ms": "--counter-step is 10ms, want at least 1s",
	} {
		upid(t, "ts,m\n1,1\n", args).want(t, exitUsage, want)
	}
	const counter = "ts,metric,value\n60,requests_total,1\n"
	upid(t, counter, "threats --input -").want(t, exitFailure, "no preset knows the metrics of the input (requests_total); --preset names one")
	upid(t, counter, "threats --input - --preset ssh").want(t, exitFailure, "preset ssh: none of its metrics (ssh_auth_events_total) is in the input")
	upid(t, "ts,metric,value\n60,ssh_auth_events_total,1\n", "threats --input - --preset ssh").want(t, exitFailure, "preset ssh: its metrics in the input have none of the labels it tells entities apart by: source, host, instance")
	upid(t, "ts,metric,value\n60,m,-1\n", "threats --input -").want(t, exitFailure, "a counter is never negative")
	upid(t, "", "threats --input /nowhere").want(t, exitFailure, "/nowhere")
}

// TestThreats_hostile sends labels that break formats, resets, gaps, numbers beyond belief
// and a flood of names: nothing crashes, and nothing quiet becomes critical.
func TestThreats_hostile(t *testing.T) {
	var b strings.Builder
	w := csv.NewWriter(&b)
	names := []string{"a\nb", `q"uote`, "{{ .Values }}", strings.Repeat("x", 1<<20), "ü,;|", "$(reboot)"}
	rows := [][]string{{"ts", "metric", "user", "host", "result", "value"}}
	for i := range 400 {
		for k, n := range names {
			if len(n) > 1000 && i%100 != 0 { // a megabyte a row
				continue
			}
			v := strconv.Itoa(i % (50 + k)) // falls back: a reset
			if i%97 == k {
				v = "1e300"
			}
			if i%31 == k {
				v = ""
			}
			rows = append(rows, []string{strconv.Itoa(monday + 300*i), "ssh_auth_events_total", n, n, "failed", v})
		}
	}
	for i := range 1500 {
		rows = append(rows, []string{strconv.Itoa(monday + 300*300), "ssh_auth_events_total", "flood" + strconv.Itoa(i), "flood" + strconv.Itoa(i), "failed", "1"})
	}
	if err := w.WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"csv", "json"} {
		o := upid(t, b.String(), "threats --input - -o "+format)
		o.want(t, exitOK, "values are missing, NaN or infinite", "preset ssh: host by host")
		if strings.Contains(o.stdout, "NaN") || strings.Contains(o.stdout, "Inf") {
			t.Errorf("%s: a number that is none", format)
		}
		switch format {
		case "csv":
			if _, err := csv.NewReader(strings.NewReader(o.stdout)).ReadAll(); err != nil {
				t.Error(err)
			}
			if !strings.Contains(o.stdout, "(new entities)") {
				t.Error("the flood of names is not found")
			}
		case "json":
			var v []map[string]any
			if err := json.Unmarshal([]byte(o.stdout), &v); err != nil {
				t.Error(err)
			}
		}
	}
}

// No alert in a file that is shorter than what is learned first is no good news.
func TestThreats_tooShort(t *testing.T) {
	var short strings.Builder
	for line := range strings.Lines(bruteForce()) {
		if ts, err := strconv.Atoi(strings.SplitN(line, ",", 2)[0]); err != nil || ts < monday+86400 {
			short.WriteString(line)
		}
	}
	o := upid(t, short.String(), "threats --input -")
	o.want(t, exitOK, "preset ssh: the input covers ", "and learning takes 2d: it says nothing about attacks")
	if o = upid(t, bruteForce(), "threats --input -"); strings.Contains(o.stderr, "learning takes") {
		t.Errorf("ten days are called short: %s", o.stderr)
	}
}
