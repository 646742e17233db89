package main

import (
	"bytes"
	"compress/gzip"
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

const naive6h = "forecast --input - --model seasonal_naive --horizon 6h "

// forecastRows runs forecast to CSV and returns the rows under the header.
func forecastRows(t *testing.T, stdin, args string) [][]string {
	t.Helper()
	o := upid(t, stdin, args+" -o csv")
	o.want(t, exitOK)
	rows, err := csv.NewReader(strings.NewReader(o.stdout)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(rows[0], ","), "series,timestamp,value,lower,upper,model,confidence"; got != want {
		t.Errorf("header %s, want %s", got, want)
	}
	return rows[1:]
}

func TestForecast_formats(t *testing.T) {
	in := daily(14)
	for _, format := range []string{"csv", "json", "yaml", "table"} {
		t.Run(format, func(t *testing.T) {
			o := upid(t, in, naive6h+"-o "+format)
			o.want(t, exitOK)
			golden(t, "forecast."+format, o.stdout)
			if format == "table" {
				narrow(t, o.stdout)
			}
		})
	}
}

// The wave repeats exactly, so the naive forecast is the wave.
func TestForecast_values(t *testing.T) {
	rows := forecastRows(t, daily(14), naive6h)
	if len(rows) != 12 {
		t.Fatalf("%d rows, want 6 for each of 2 series", len(rows))
	}
	for i, row := range rows {
		name, factor := "load", 1.0
		if i >= 6 {
			name, factor = "double", 2
		}
		h := i % 6
		value, err := strconv.ParseFloat(row[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		if want := strconv.Itoa(monday + 14*86400 + 3600*h); row[0] != name || row[1] != want || value != factor*wave(h) || row[5] != "seasonal_naive" {
			t.Errorf("row %d is %v, want %s %s %g", i, row, name, want, factor*wave(h))
		}
	}
}

// Where the first row stands and how many there are.
func TestForecast_timeAxis(t *testing.T) {
	hourly := func(start, n int) string {
		var b strings.Builder
		b.WriteString("timestamp,value\n")
		for i := range n {
			fmt.Fprintf(&b, "%d,%g\n", start+3600*i, wave(i))
		}
		return b.String()
	}
	f := func(name, in, args string, first, step, n int) {
		t.Helper()
		rows := forecastRows(t, in, "forecast --input - --model seasonal_naive "+args)
		if len(rows) != n {
			t.Errorf("%s: %d rows, want %d", name, len(rows), n)
		}
		for i, row := range rows {
			if want := strconv.Itoa(first + i*step); row[1] != want {
				t.Errorf("%s: row %d at %s, want %s", name, i, row[1], want)
			}
		}
	}
	days := 7 * 24
	end := monday + 3600*days // just after the last point
	f("plain", hourly(monday, days), "--horizon 3h", end, 3600, 3)
	f("default horizon", hourly(monday, days), "", end, 3600, 168)
	f("off the hour", hourly(monday+600, days), "--horizon 2h --step 1h", end+600, 3600, 2)
	f("empty last value", hourly(monday, days)+fmt.Sprintf("%d,\n", end), "--horizon 2h", end+3600, 3600, 2)
	// 22 h of the last day: the bucket that starts at 21 h holds 21, 22 h and lacks one, so it is dropped.
	f("incomplete bucket", hourly(monday, days-1), "--horizon 6h --step 3h", end-3*3600, 3*3600, 2)

	var fine strings.Builder
	fine.WriteString("timestamp,value\n")
	for i := range days * 12 {
		fmt.Fprintf(&fine, "%d,%g\n", monday+300*i, wave(i/12))
	}
	f("five minutes, default step", fine.String(), "--horizon 2h", end, 3600, 2)
	f("five minutes, own step", fine.String(), "--horizon 10m --step 5m", end, 300, 2)

	var coarse strings.Builder
	coarse.WriteString("timestamp,value\n")
	for i := range 40 {
		fmt.Fprintf(&coarse, "%d,%d\n", monday+86400*i, i%7)
	}
	f("daily, default step", coarse.String(), "--horizon 2d", monday+40*86400, 86400, 2)
}

func TestForecast_bucketsAreMeans(t *testing.T) {
	var b strings.Builder
	b.WriteString("timestamp,value\n")
	for i := range 48 * 60 {
		fmt.Fprintf(&b, "%d,%d\n", monday+60*i, i%60) // every hour 0, 1, …, 59
	}
	for _, row := range forecastRows(t, b.String(), naive6h) {
		if row[2] != "29.5" {
			t.Errorf("value %s, want the mean 29.5", row[2])
		}
	}
}

func TestForecast_stepFiner(t *testing.T) {
	o := upid(t, daily(7), "forecast --input - --step 5m -o csv")
	o.want(t, exitUsage, `--step 5m is finer than series "load", whose step is 1h`)
}

// All the ways in give the same numbers.
func TestForecast_inputs(t *testing.T) {
	var long, labelled, matrix strings.Builder
	long.WriteString("value,series,timestamp\n") // any order
	labelled.WriteString("series,timestamp,value,job\n")
	matrix.WriteString(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"load","job":"api"},"values":[`)
	for i := range 7 * 24 {
		at := monday + 3600*i
		fmt.Fprintf(&long, "%g,load,%d\n", wave(i), at)
		fmt.Fprintf(&labelled, "load,%d,%g,api\n", at, wave(i))
		if i > 0 {
			matrix.WriteByte(',')
		}
		fmt.Fprintf(&matrix, `[%d,"%g"]`, at, wave(i))
	}
	matrix.WriteString(`]}]}}`)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte(long.String())); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	f := func(in, name string) {
		t.Helper()
		rows := forecastRows(t, in, naive6h)
		if len(rows) != 6 {
			t.Fatalf("%d rows, want 6", len(rows))
		}
		for h, row := range rows {
			if row[0] != name || row[2] != strconv.FormatFloat(wave(h), 'g', -1, 64) {
				t.Errorf("row %d is %v", h, row)
			}
		}
	}
	f(long.String(), "load")
	f(zipped.String(), "load")
	f(labelled.String(), `load{job="api"}`)
	f(matrix.String(), `load{job="api"}`)

	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.csv"), filepath.Join(dir, "b.csv.gz")
	for path, content := range map[string][]byte{a: []byte(daily(7)), b: zipped.Bytes()} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := upid(t, "", "ml-enhancement forecast --input "+b+" --model seasonal_naive --horizon 1h -o csv")
	o.want(t, exitOK)
	o = upid(t, "", "forecast --input "+a+" --input "+b+" --model seasonal_naive --horizon 1h -o csv")
	o.want(t, exitFailure, `series "load" is in `+a+" and in "+b)
	renamed := strings.ReplaceAll(long.String(), ",load,", ",other,")
	o = upid(t, renamed, "forecast --input "+a+" --input - --model seasonal_naive --horizon 1h -o csv")
	o.want(t, exitOK)
	var order []string
	for _, line := range strings.Split(strings.TrimSpace(o.stdout), "\n")[1:] {
		order = append(order, strings.Split(line, ",")[0])
	}
	if got := strings.Join(order, " "); got != "load double other" {
		t.Errorf("series in the order %s", got)
	}
}

func TestForecast_badFiles(t *testing.T) {
	f := func(in string, want ...string) {
		t.Helper()
		o := upid(t, in, "forecast --input - -o csv")
		o.want(t, exitFailure, want...)
		if o.stdout != "" {
			t.Errorf("stdout: %s", o.stdout)
		}
	}
	f("timestamp,value\n1,2\n2,x\n", "<stdin>: line 3:", `"x" is not a number`)
	f("timestamp,value\n1,2\nnoon,3\n", "<stdin>: line 3:", "noon")
	f("time,value\n1,2\n", "<stdin>: line 1:")
	f("", "<stdin>: the file is empty")
	f(`{"status":"success","data":{"resultType":"vector","result":[]}}`, "want matrix")

	path := filepath.Join(t.TempDir(), "none.csv")
	o := upid(t, "", "forecast --input "+path)
	o.want(t, exitFailure, path, "no such file")
}

// Neither a wrong timestamp nor a slip in a flag may fill the memory.
func TestForecast_hugeGrid(t *testing.T) {
	in := "timestamp,value\n0,1\n"
	for i := range 10 {
		in += fmt.Sprintf("%d,1\n", monday+i)
	}
	for _, cmd := range []string{"forecast", "detect", "backtest"} {
		upid(t, in, cmd+" --input -").want(t, exitFailure, `series "value"`, "is a timestamp wrong?")
	}
	upid(t, daily(7), "forecast --input - --horizon 200y").want(t, exitUsage, "--horizon 73000d is 1752000 steps of 1h, want at most 1000000")
}

// A series that cannot be forecast is named; the others stand.
func TestForecast_shortSeries(t *testing.T) {
	in := "series,timestamp,value\n"
	for i := range 7 * 24 {
		in += fmt.Sprintf("long,%d,%g\n", monday+3600*i, wave(i))
	}
	in += fmt.Sprintf("empty,%d,\nempty,%d,\n", monday, monday+3600)
	o := upid(t, in, "forecast --input - --model seasonal_naive --horizon 1h -o csv")
	o.want(t, exitOK, `series empty: no forecast: `)
	if !strings.Contains(o.stdout, "\nlong,") || strings.Contains(o.stdout, "\nempty,") {
		t.Errorf("stdout:\n%s", o.stdout)
	}

	o = upid(t, fmt.Sprintf("timestamp,value\n%d,\n%d,\n", monday, monday+3600), "forecast --input - -o json")
	o.want(t, exitFailure, "no series could be forecast")
	var rows []any
	if err := json.Unmarshal([]byte(o.stdout), &rows); err != nil || len(rows) != 0 {
		t.Errorf("stdout %q, %v", o.stdout, err)
	}

	o = upid(t, "timestamp,value\n1,2\n2,3\n", "forecast --input -")
	o.want(t, exitFailure, "too little history, not one whole step of 1h (see --step)", "about a day of history")
}

// --lookback and --end cut a file as they cut what a query asks for.
func TestForecast_cutFile(t *testing.T) {
	whole, week := daily(21), daily(7)
	same := func(args, in, asIn string) {
		t.Helper()
		got, want := upid(t, in, naive6h+"-o csv "+args), upid(t, asIn, naive6h+"-o csv")
		got.want(t, exitOK)
		if got.stdout != want.stdout || got.stdout == "" {
			t.Errorf("%s:\n%s\nwant\n%s", args, got.stdout, want.stdout)
		}
	}
	same("--end 2023-11-19T23:00:00Z", whole, week) // 7 days from the 13th
	same(fmt.Sprintf("--end %d", monday+7*86400-1), whole, week)
	same("--end 2023-11-19T23:00:00", whole, week) // UTC without a zone
	same("--end 2023-11-20", whole, whole[:len(week)+strings.Index(whole[len(week):], "\n")+1])
	same("--end 2024-01-01T00:00:00Z", week, week)
	same("--lookback 21d", whole, whole)

	head, rows, _ := strings.Cut(week, "\n")
	lines := strings.SplitAfter(rows, "\n")
	same("--lookback 2d", week, head+"\n"+strings.Join(lines[5*24:], ""))
	same("--lookback 2d --end 2023-11-19T23:00:00Z", whole, head+"\n"+strings.Join(lines[5*24:], ""))

	o := upid(t, week, naive6h+"-o csv --end 2023-01-01T00:00:00Z --lookback 1d")
	o.want(t, exitFailure, "no points from 2022-12-31T00:00:00Z to 2023-01-01T00:00:00Z: the input has points from 2023-11-13T00:00:00Z to 2023-11-19T23:00:00Z")
	in := fmt.Sprintf("series,timestamp,value\nold,%d,1\nold,%d,2\n", monday-86400*9, monday-86400*8)
	for i := range 48 {
		in += fmt.Sprintf("new,%d,%g\n", monday+3600*i, wave(i))
	}
	o = upid(t, in, "forecast --input - --lookback 3d --horizon 6h -o csv")
	o.want(t, exitOK, "series old: left out: it has no points from 2023-11-11T23:00:00Z to 2023-11-14T23:00:00Z")
	if strings.Contains(o.stdout, "old") || !strings.Contains(o.stdout, "new,") {
		t.Errorf("stdout:\n%s", o.stdout)
	}
	d := upid(t, week, "detect --input - --lookback 1d -o csv")
	d.want(t, exitOK, "24 of 24 points have a value")
	if n := strings.Count(d.stdout, "\n"); n != 1+2*24 {
		t.Errorf("detect scored %d rows of the last day", n-1)
	}
}

func TestForecast_warningsFromTheFile(t *testing.T) {
	o := upid(t, daily(7)+fmt.Sprintf("%d,5,6\n", monday), naive6h+"-o csv")
	o.want(t, exitOK, "upid: warning: -: 2 rows repeat a timestamp of their series")
}

// A horizon that is no whole number of steps is rounded up, as documented, and not without a word.
func TestForecast_horizonRounded(t *testing.T) {
	for _, command := range []string{"forecast --model seasonal_naive", "backtest --model seasonal_naive --folds 24"} {
		o := upid(t, daily(14), command+" --input - --horizon 1m -o csv")
		o.want(t, exitOK, "series load and one more: --horizon 1m is rounded up to 1h, whole steps of 1h")
		o = upid(t, daily(14), command+" --input - --horizon 2h -o csv")
		o.want(t, exitOK)
	}
	o := upid(t, daily(14), "forecast --model seasonal_naive --input - --horizon 90m -o csv")
	o.want(t, exitOK, "--horizon 90m is rounded up to 2h")
	if lines := strings.Split(strings.TrimSpace(o.stdout), "\n"); len(lines) != 1+2*2 || !strings.HasPrefix(lines[2], fmt.Sprintf("load,%d,", monday+14*86400+3600)) {
		t.Errorf("not two hours of two series:\n%s", o.stdout)
	}
}

func TestForecast_timezone(t *testing.T) {
	o := upid(t, daily(14), naive6h+"--timezone Asia/Kolkata")
	o.want(t, exitOK)
	if !strings.Contains(o.stdout, "2023-11-27T05:30:00+05:30") {
		t.Errorf("stdout:\n%s", o.stdout)
	}
	narrow(t, o.stdout)
}

func TestForecast_manySeries(t *testing.T) {
	var b strings.Builder
	b.WriteString("timestamp")
	for s := range 12 {
		fmt.Fprintf(&b, ",a_rather_long_name_of_a_series_number_%d", s)
	}
	for i := range 7 * 24 {
		fmt.Fprintf(&b, "\n%d", monday+3600*i)
		for s := range 12 {
			fmt.Fprintf(&b, ",%g", 123456.5*float64(s)*wave(i))
		}
	}
	o := upid(t, b.String(), "forecast --input - --model seasonal_naive --horizon 36h")
	o.want(t, exitOK)
	golden(t, "forecast_many.table", o.stdout) // no terminal: the names are whole
}

func TestForecast_auto(t *testing.T) {
	o := upid(t, daily(21), "forecast --input -")
	o.want(t, exitOK)
	narrow(t, o.stdout)
	for _, text := range []string{"past 14d", "next 7d", "\n3d  ", "90 % INTERVAL", "confidence  ", "model       auto: "} {
		if !strings.Contains(o.stdout, text) {
			t.Errorf("table lacks %q:\n%s", text, o.stdout)
		}
	}
}

// A raw counter is refused, by its values or its name; what merely rises is not.
func TestForecast_counter(t *testing.T) {
	in := func(name string, value func(i int) float64) string {
		var b strings.Builder
		fmt.Fprintf(&b, "timestamp,%s\n", name)
		for i := range 14 * 24 {
			fmt.Fprintf(&b, "%d,%g\n", monday+3600*i, value(i))
		}
		return b.String()
	}
	total, since := 0.0, 0
	counter := func(reset int) func(int) float64 {
		total, since = 0, reset
		return func(i int) float64 {
			if i == since {
				total = 0
			}
			total += 1 + wave(i)
			return total
		}
	}
	refused := func(name, csv, says string) {
		t.Helper()
		for _, command := range []string{"forecast --horizon 1d", "backtest --horizon 1d", "detect"} {
			o := upid(t, csv, command+" --input - -o csv")
			if o.code != exitFailure || !strings.Contains(o.stderr, says) || !strings.Contains(o.stderr, "rate(") {
				t.Errorf("%s: %s ends with %d and says %s", name, command, o.code, o.stderr)
			}
		}
	}
	refused("a restart", in("requests", counter(200)), "it is a raw counter: it only rises")
	refused("the name", in("http_requests_total", counter(-1)), "a raw counter by its name")

	for name, csv := range map[string]string{
		"disk":        in("disk_used_bytes", func(i int) float64 { return 1e9 + 1e6*float64(i) + wave(i) }),
		"certificate": in("seconds_left", func(i int) float64 { return 1e7 - 3600*float64(i) }),
		"age":         in("backup_age_seconds", func(i int) float64 { return float64(3600 * (i%24 + 1)) }),
		"gauge":       in("memory_total", wave),
	} {
		if o := upid(t, csv, "forecast --input - --horizon 1d -o csv"); o.code != exitOK {
			t.Errorf("%s: refused: %s", name, o.stderr)
		}
	}
}

// The table says what the history shows.
func TestForecast_patterns(t *testing.T) {
	var b strings.Builder
	b.WriteString("timestamp,disk\n")
	for i := range 28 * 24 {
		fmt.Fprintf(&b, "%d,%g\n", monday+3600*i, 1000+3*float64(i)+10*wave(i))
	}
	o := upid(t, b.String(), "forecast --input - --horizon 1d")
	o.want(t, exitOK)
	for _, want := range []string{"\nseasons     1d ", "\ntrend       +", " % in 28d"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("no %q in\n%s", want, o.stdout)
		}
	}
}

// What a step or a horizon costs is said.
func TestForecast_oddStepAndFarHorizon(t *testing.T) {
	var b strings.Builder
	b.WriteString("timestamp,value\n")
	for i := range 14 * 24 * 12 {
		fmt.Fprintf(&b, "%d,%g\n", monday+300*i, wave(i/12)+float64(i*i%101)/10)
	}
	o := upid(t, b.String(), "forecast --input - --step 35m --horizon 6h -o csv")
	o.want(t, exitOK, "a day is not a whole number of steps of 35m: only a weekly season is learned")
	o = upid(t, b.String(), "forecast --input - --step 55m --horizon 6h -o csv")
	o.want(t, exitOK, "neither a day nor a week is a whole number of steps of 55m: no season is learned")
	near := upid(t, b.String(), "forecast --input - --horizon 1d -o csv")
	far := upid(t, b.String(), "forecast --input - --horizon 400d -o csv")
	far.want(t, exitOK, "the horizon is longer than 28 days and than a quarter of the history: confidence is lowered")
	confidence := func(o outcome) float64 {
		t.Helper()
		row := strings.Split(o.stdout, "\n")[1]
		v, err := strconv.ParseFloat(row[strings.LastIndexByte(row, ',')+1:], 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if n, f := confidence(near), confidence(far); n < 0.4 || f > 0.1 {
		t.Errorf("confidence %v for a day, %v for 400 days", n, f)
	}
}

// Each change has a line of its own, whole: cut in the middle, two would read as one.
func TestForecast_changedLines(t *testing.T) {
	var b strings.Builder
	b.WriteString("timestamp,value\n")
	for i := range 42 * 24 {
		level := []float64{10, 40, 20}[i/(14*24)]
		fmt.Fprintf(&b, "%d,%g\n", monday+3600*i, level+wave(i)/100)
	}
	o := upid(t, b.String(), "forecast --input - --horizon 1d")
	o.want(t, exitOK)
	_, changed, _ := strings.Cut(o.stdout, "changed     ")
	lines := strings.Split(strings.TrimSpace(changed), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d changes, want 2:\n%s", len(lines), o.stdout)
	}
	for i, l := range lines {
		if !strings.Contains(l, "Z ") || !strings.Contains(l, " to ") || strings.Contains(l, "…") {
			t.Errorf("change %d is %q", i, l)
		}
	}
}

// The order of the series in the input, and so which worker forecasts what after what, changes no number.
func TestForecast_orderOfSeries(t *testing.T) {
	kinds := []func(i int) float64{
		func(i int) float64 { return 100 * wave(i) },
		func(i int) float64 { return 50 - 80*wave(i+5) },                                   // negative too
		func(i int) float64 { return wave(i) + math.Max(0, float64(i-310)) },               // begins to rise
		func(i int) float64 { return float64(i*i%17) + 1000*math.Floor(float64(i%50)/49) }, // spikes
		func(int) float64 { return 7 },
		func(i int) float64 { return 1e9 + 1e6*wave(3*i) },
	}
	forecast := func(order []int) map[string]string {
		var b strings.Builder
		b.WriteString("timestamp")
		for _, k := range order {
			fmt.Fprintf(&b, ",kind_%d", k)
		}
		for i := range 14 * 24 {
			fmt.Fprintf(&b, "\n%d", monday+3600*i)
			for _, k := range order {
				fmt.Fprintf(&b, ",%g", kinds[k%len(kinds)](i)+float64(k))
			}
		}
		o := upid(t, b.String(), "forecast --input - --horizon 2d -o csv")
		o.want(t, exitOK, "and 3 more: it moves steadily", "and 3 more: the history is constant")
		rows := map[string]string{}
		for _, line := range strings.Split(strings.TrimSpace(o.stdout), "\n")[1:] {
			name, rest, _ := strings.Cut(line, ",")
			rows[name] += rest + "\n"
		}
		return rows
	}
	var order []int
	for k := range 4 * len(kinds) {
		order = append(order, k)
	}
	want := forecast(order)
	if len(want) != len(order) || strings.Count(want["kind_0"], "\n") != 48 {
		t.Fatalf("%d series, %d rows, want %d and 48", len(want), strings.Count(want["kind_0"], "\n"), len(order))
	}
	slices.Reverse(order)
	order[3], order[11], order[20] = order[20], order[3], order[11]
	for name, rows := range forecast(order) {
		if rows != want[name] {
			t.Errorf("%s is another in another order:\n%s\n%s", name, rows, want[name])
		}
	}
}

// Nothing lies above --max; a limit that the history exceeds is not applied, and no number is no limit.
func TestForecast_max(t *testing.T) {
	var b strings.Builder
	b.WriteString("timestamp,disk\n")
	for i := range 28 * 24 {
		fmt.Fprintf(&b, "%d,%g\n", monday+3600*i, 0.6+0.0005*float64(i)+0.002*float64(i%24))
	}
	highest := func(limit string, says ...string) float64 {
		t.Helper()
		o := upid(t, b.String(), "forecast --input - -o csv"+limit)
		o.want(t, exitOK, says...)
		most := math.Inf(-1)
		for _, line := range strings.Split(strings.TrimSpace(o.stdout), "\n")[1:] {
			for _, cell := range strings.Split(line, ",")[2:5] {
				v, err := strconv.ParseFloat(cell, 64)
				if err != nil {
					t.Fatal(err)
				}
				most = math.Max(most, v)
			}
		}
		return most
	}
	free := highest("")
	if free <= 1 {
		t.Fatalf("the free forecast reaches %g: nothing is there to cut", free)
	}
	if got := highest(" --max 1"); got != 1 {
		t.Errorf("with --max 1 it reaches %g, want 1", got)
	}
	if got := highest(" --max 0.7", "above the limit of 0.7"); got != free {
		t.Errorf("with a limit that was exceeded it reaches %g, want %g", got, free)
	}
	upid(t, b.String(), "forecast --input - --max NaN").want(t, exitUsage, "--max is NaN")
}
