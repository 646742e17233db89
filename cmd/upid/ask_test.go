package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/store"
	"github.com/upid/upid/collector/views"
)

func TestPredictions(t *testing.T) {
	f := newFakeSidecar(t)
	run := func(name, args string) {
		t.Helper()
		o := upid(t, "", "predictions --address "+f.URL+" "+args)
		o.want(t, exitOK)
		golden(t, "predictions."+name, o.stdout)
		if !strings.Contains(args, "-o") {
			narrow(t, o.stdout)
		}
		for _, bad := range []string{"\x1b", "\u009b", "\u202e"} {
			if strings.Contains(o.stdout, bad) {
				t.Errorf("%s: %q reaches the terminal", name, bad)
			}
		}
	}
	run("table", "")
	run("scores.table", "--model-type anomaly_detection")
	run("csv", "--signal checkout_cpu -o csv")
	run("json", "--signal request_latency --horizon 24h -o json")
	run("yaml", "--model-type cost_optimization --horizon 1h -o yaml")

	// At least that level, counted by lines of CSV under the header.
	count := func(args string, want int) {
		t.Helper()
		o := upid(t, "", "ml-enhancement predictions -o csv --address "+f.URL+" "+args)
		if got := strings.Count(o.stdout, "\n") - 1; got != want || o.code != exitOK {
			t.Errorf("%s: %d predictions, exit %d, want %d\n%s", args, got, o.code, want, o.stderr)
		}
	}
	count("", 24)
	count("--confidence low", 24)
	count("--confidence high", 15) // of 8 series two are low and one medium
	count("--confidence very_high --horizon 1h", 2)
	count("--model-type resource_prediction", 21)
	count("--model-type security_threat", 0)
	count("--limit 5", 5)
	count("--limit 0", 24)
}

func TestAnomalies(t *testing.T) {
	f := newFakeSidecar(t)
	run := func(name, args string) {
		t.Helper()
		o := upid(t, "", "anomalies --since 9999w --address "+f.URL+" "+args)
		o.want(t, exitOK)
		golden(t, "anomalies."+name, o.stdout)
		if !strings.Contains(args, "-o") {
			narrow(t, o.stdout)
		}
	}
	run("table", "")
	run("csv", "-o csv")
	run("json", "--type drop -o json")
	run("yaml", "--severity critical -o yaml")

	exit := func(args string, code, lines int) {
		t.Helper()
		o := upid(t, "", "ml-enhancement anomalies -o csv --address "+f.URL+" "+args)
		if got := strings.Count(o.stdout, "\n") - 1; got != lines || o.code != code {
			t.Errorf("%s: %d anomalies, exit %d, want %d and %d\n%s", args, got, o.code, lines, code, o.stderr)
		}
	}
	exit("", exitOK, 2) // the third ended years ago
	exit("--fail-on-finding", exitFinding, 2)
	exit("--fail-on-finding --severity info", exitOK, 0)
	exit("--since 9999w", exitOK, 3)
	exit("--since 9999w --open", exitOK, 2)
	exit("--family performance_degradation", exitOK, 1)
	exit("--signal node_memory --fail-on-finding", exitOK, 0)
	exit("--limit 1", exitOK, 1)
}

// What nobody has said is told apart from what there is not.
func TestAskForNothing(t *testing.T) {
	f := newFakeSidecar(t)
	ask := func(args string) outcome { return upid(t, "", args+" --address "+f.URL) }

	o := ask("predictions --signal queue_depth")
	o.want(t, exitOK, "signal queue_depth is learning")
	if o.stdout != "no predictions\n" {
		t.Errorf("stdout %q", o.stdout)
	}
	o = ask("predictions --signal queue_depth -o json")
	o.want(t, exitOK, "learning", "no series is forecast yet; a forecast needs about a day of history, an interval for it five")
	if o.stdout != "[]\n" {
		t.Errorf("stdout %q", o.stdout)
	}
	ask("anomalies --type flatline").want(t, exitOK, "signal request_latency is failing: score", "HTTP 503")
	ask("predictions --signal nope").want(t, exitUsage, `--signal is "nope"`, "checkout_cpu, node_memory, queue_depth, request_latency, spend")
	ask("anomalies --signal nope").want(t, exitUsage, "want one of checkout_cpu")
	ask("predictions --horizon 5m --signal node_memory").want(t, exitOK, "series are forecast, but none matches the flags given")
	ask("predictions --model-type security_threat").want(t, exitOK, "no entity has a risk; upid threats says what is watched")
	ask("predictions --limit 3").want(t, exitOK, "3 of 24 shown; --limit 0 shows all")
}

// TestThreatsNothingWatched: whether the key is missing or the metrics are.
func TestThreatsNothingWatched(t *testing.T) {
	f := func(configured, want, not string) {
		t.Helper()
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			data := "[]"
			if strings.HasSuffix(r.URL.Path, "/status/runtime") {
				data = `{"threats_configured":` + configured + `}`
			}
			fmt.Fprintf(w, `{"status":"success","data":%s,"total":0,"next":0}`, data)
		}))
		defer s.Close()
		o := upid(t, "", "threats --address "+s.URL)
		o.want(t, exitOK, "nothing is watched", want)
		if strings.Contains(o.stderr, not) {
			t.Errorf("stderr says %q:\n%s", not, o.stderr)
		}
	}
	f("false", "the configuration has no key threats", "metrics were found")
	f("true", "no preset's metrics were found so far", "no key threats")
}

// TestAskBeforeThereIsData: a young Prometheus is no failure, and one line says so.
func TestAskBeforeThereIsData(t *testing.T) {
	var list []string
	for _, name := range []string{"a", "b", "c"} {
		list = append(list, `{"name":"`+name+`","state":"waiting","passes":{"fit":{"error":"no data: the query has no series"}}}`)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data := "[]"
		if strings.HasSuffix(r.URL.Path, "/signals") {
			data = "[" + strings.Join(list, ",") + "]"
		}
		fmt.Fprintf(w, `{"status":"success","data":%s,"total":0,"next":0}`, data)
	}))
	defer s.Close()
	o := upid(t, "", "predictions --address "+s.URL)
	o.want(t, exitOK, "3 signals wait for data: their queries have no series yet: a, b, c", "about a day of history")
	if strings.Contains(o.stderr, "fail") || strings.Count(o.stderr, "\n") != 2 {
		t.Errorf("stderr:\n%s", o.stderr)
	}
	upid(t, "", "predictions --signal b --address "+s.URL).want(t, exitOK, "signal b waits for data: its query has no series yet")
	for _, name := range []string{"d", "e", "f", "g", "h", "i"} { // one left out would be no shorter
		list = append(list, strings.Replace(list[0], `"a"`, `"`+name+`"`, 1))
	}
	upid(t, "", "predictions --address "+s.URL).want(t, exitOK, "9 signals wait for data: their queries have no series yet: a, b, c, d, e, f, g, h, i\n")
	list = append(list, strings.Replace(list[0], `"a"`, `"j"`, 1))
	upid(t, "", "predictions --address "+s.URL).want(t, exitOK, "10 signals wait for data: their queries have no series yet: a, b, c, d, e, f, g, h and 2 more\n")
}

func TestAskUsage(t *testing.T) {
	f := func(args string, says ...string) {
		t.Helper()
		o := upid(t, "", args)
		o.want(t, exitUsage, says...)
		if o.stdout != "" {
			t.Errorf("%s: stdout %q", args, o.stdout)
		}
	}
	f("predictions --model-type oracle", "--model-type", "resource_prediction, anomaly_detection, security_threat, cost_optimization")
	f("predictions --confidence some", "low, medium, high, very_high")
	f("predictions --limit=-1", "--limit")
	f("predictions --horizon soon", "--horizon")
	f("predictions --horizon=-1h", "--horizon")
	f("predictions -o xml", "--output")
	f("predictions --address localhost:9877", "--address")
	f("predictions --address http://user:geheim@localhost:9877", "--address")
	f("anomalies --family plague", "resource_spike, performance_degradation, cost_anomaly, security_breach, behavior_anomaly, system_failure")
	f("anomalies --type odd", "spike, drop, level_shift")
	f("anomalies --severity bad", "info, warning, critical")
	f("anomalies --since=-1h", "--since")
	f("anomalies --limit=-1", "--limit")
	f("dashboard --refresh-interval 0", "--refresh-interval")
	f("dashboard --address x", "--address")
	// Every mistake at once.
	f("anomalies --family a --type b --severity c", "--family", "--type", "--severity")
	if o := upid(t, "", "predictions --address http://user:geheim@localhost:9877"); strings.Contains(o.stderr, "geheim") {
		t.Error("a password is shown")
	}
}

// TestAskNobody: exit 4, and what to do next.
func TestAskNobody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := "http://" + l.Addr().String()
	l.Close()
	for _, cmd := range []string{"predictions", "anomalies", "dashboard", "predictions -o csv"} {
		o := upid(t, "", cmd+" --address "+addr)
		o.want(t, exitUnreachable, "no sidecar answers at "+addr, "upid start", "--address")
		if strings.Contains(o.stdout, "no ") {
			t.Errorf("%s: stdout %q", cmd, o.stdout)
		}
	}
}

// TestAskAnother is about what answers but is no sidecar, or a hostile one.
func TestAskAnother(t *testing.T) {
	f := func(code int, body, says string) {
		t.Helper()
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			fmt.Fprint(w, body)
		}))
		defer s.Close()
		for _, cmd := range []string{"predictions", "anomalies"} {
			o := upid(t, "", cmd+" --address "+s.URL)
			o.want(t, exitFailure, says)
			if strings.ContainsAny(o.stderr, "\x1b\u009b") {
				t.Errorf("stderr obeys the server: %q", o.stderr)
			}
		}
	}
	f(404, "404 page not found", "not as upid does (HTTP 404): is it the address of a sidecar?")
	f(200, "<html>", "not as upid does")
	f(200, "{}", "not as upid does")
	f(302, "", "HTTP 302")
	f(200, `{"status":"success","data":{"a":1}}`, "not as upid")
	f(400, `{"status":"error","errorType":"bad_data","error":"no \u001b[2Jgood\u009b"}`, "no \ufffd[2Jgood")
	f(200, `{"status":"success","data":[{"id":`+strconv.Quote(strings.Repeat("x", maxAnswer))+`}]}`, "larger than 64 MiB")
	// A page that leads nowhere is the last.
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status":"success","data":[{"id":"a","signal":"s"}],"total":9,"next":0}`)
	}))
	defer s.Close()
	o := upid(t, "", "predictions -o csv --address "+s.URL)
	o.want(t, exitOK, "1 of 9 shown")
}

// TestFindsTheLocalSidecar by the lock file, which says where it listens.
func TestFindsTheLocalSidecar(t *testing.T) {
	f := newFakeSidecar(t)
	dir := t.TempDir()
	t.Chdir(dir)
	lock, err := store.Acquire(filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	if err := lock.Announce([]string{strings.TrimPrefix(f.URL, "http://")}); err != nil {
		t.Fatal(err)
	}
	o := upid(t, "", "predictions")
	o.want(t, exitOK)
	if !strings.Contains(o.stdout, "checkout_cpu") {
		t.Errorf("stdout %s", o.stdout)
	}
	// Where the configuration says the data are.
	if err := os.Rename("data", "elsewhere"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("config.yaml", []byte("storage: {path: elsewhere}\nsignals: [{name: a, query: up}]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	upid(t, "", "predictions").want(t, exitOK)
	upid(t, "", "predictions --storage.path elsewhere").want(t, exitOK)
	// A configuration that is being edited is no reason not to answer.
	if err := os.Rename("elsewhere", "data"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("config.yaml", []byte("storage: [\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	upid(t, "", "predictions").want(t, exitOK, "config.yaml is refused")
}

// TestAsksAnotherSidecar: where the own one is gone, whoever has its address answers,
// and it is said.
func TestAsksAnotherSidecar(t *testing.T) {
	f := newFakeSidecar(t)
	t.Chdir(t.TempDir())
	listen := strings.TrimPrefix(f.URL, "http://")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile("config.yaml", []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("storage: {path: own}\nweb: {listen_address: '" + listen + "'}\nsignals: [{name: a, query: up}]\n")
	for _, cmd := range []string{"predictions", "anomalies", "predictions -o csv", "predictions --limit 1"} {
		o := upid(t, "", cmd)
		o.want(t, exitOK, "data directory own was not found", "not running", "from "+f.URL, "--address")
		if o.stdout == "" || strings.Contains(o.stdout, "not found") {
			t.Errorf("%s: stdout %q", cmd, o.stdout)
		}
	}
	upid(t, "", "predictions --address "+f.URL).want(t, exitOK)
	o := upid(t, "", "dashboard")
	o.want(t, exitOK)
	if !strings.Contains(o.stdout, f.URL) || !strings.Contains(o.stdout, "perhaps another sidecar than the one meant") {
		t.Errorf("stdout %s", o.stdout)
	}
	// The same while the file is being edited.
	write("storage: {path: own}\nweb: {listen_address: '" + listen + "'}\nsignals: [{name: a, query: up, stepp: 1m}]\n")
	upid(t, "", "predictions").want(t, exitOK, "config.yaml is refused", "data directory own")
	// Nobody there: nothing was answered by anybody.
	write("web: {listen_address: '127.0.0.1:1'}\nsignals: [{name: a, query: up}]\n")
	o = upid(t, "", "predictions")
	o.want(t, exitUnreachable, "no sidecar answers at http://127.0.0.1:1")
	if strings.Contains(o.stderr, "not found") {
		t.Errorf("stderr %s", o.stderr)
	}
}

func TestReachable(t *testing.T) {
	f := func(want string, addrs ...string) {
		t.Helper()
		if got := reachable(addrs); got != want {
			t.Errorf("reachable(%q) = %q, want %q", addrs, got, want)
		}
	}
	f("http://localhost:9877", "[::]:9877")
	f("http://localhost:9877", "0.0.0.0:9877", "10.0.0.1:1")
	f("http://localhost:9877", ":9877")
	f("http://10.0.0.1:9877", "10.0.0.1:9877")
	f("http://[::1]:9877", "nonsense", "[::1]:9877")
	f("")
}

// TestForemost: what matters most comes first, and of many series the others are
// counted.
func TestForemost(t *testing.T) {
	var ps, scores []views.Prediction
	for i := range 8 {
		v, s, level := float64(i), float64((i*3)%8), 0.9
		p := views.Prediction{ModelType: views.ResourcePrediction, Signal: "cpu", Horizon: "1d", Value: &v, Lower: &v, Upper: &v, Level: &level, Labels: map[string]string{"pod": fmt.Sprint("p", i)}}
		ps = append(ps, p)
		p.ModelType, p.Score = views.AnomalyDetection, &s
		if i == 7 {
			p.Score = nil // not known
		}
		scores = append(scores, p)
	}
	f := func(ps []views.Prediction, everything bool, wantLeft int, want string) {
		t.Helper()
		rows, left := foremost(ps, everything)
		got := ""
		for _, p := range rows {
			got += p.Labels["pod"] + " "
		}
		if got != want || left != wantLeft {
			t.Errorf("%s, %d left, want %s, %d", got, left, want, wantLeft)
		}
	}
	f(ps, false, 3, "p7 p6 p5 p4 p3 ")
	f(ps, true, 0, "p7 p6 p5 p4 p3 p2 p1 p0 ")
	f(ps[:6], false, 0, "p5 p4 p3 p2 p1 p0 ")
	f(scores, true, 0, "p5 p2 p4 p1 p6 p3 p0 p7 ")
	var b strings.Builder
	if err := predictionTable(&b, output.Style{}, 80, ps, false); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(b.String(), "… and 3 more series; --all or --signal cpu shows them\n") || !strings.Contains(b.String(), "constant so far") {
		t.Errorf("\n%s", b.String())
	}
}

// TestSpark: one point has no shape, and two of the past have none.
func TestSpark(t *testing.T) {
	a, b := 1.0, 2.0
	for _, c := range []struct {
		in           []*float64
		next, recent string
	}{
		{nil, "", ""},
		{[]*float64{&a}, "", ""},
		{[]*float64{nil, &a, nil}, "", ""},
		{[]*float64{&a, &b}, "▁█", ""},
		{[]*float64{&a, nil, &b, &a}, "▁ █▁", "▁ █▁"},
	} {
		if next, recent := spark(c.in, 8), recentSpark(c.in, 8); next != c.next || recent != c.recent {
			t.Errorf("%d points: %q and %q, want %q and %q", len(c.in), next, recent, c.next, c.recent)
		}
	}
}

// TestNoWidth: bounds that are one but for rounding are no interval.
func TestNoWidth(t *testing.T) {
	f := func(lower, upper float64, want bool) {
		t.Helper()
		if got := interval(&lower, &upper, "") == unchanged; got != want {
			t.Errorf("%v … %v: no width %v, want %v", lower, upper, got, want)
		}
	}
	f(0, 0, true)
	f(0.0911, 0.0911, true)
	f(0.0911, 0.09110000000000001, true)
	f(-5, -5, true)
	f(0.4639, 0.464, false)
	f(-1, 1, false)
}

// TestStacked: names that would have to be cut stand in lines of their own.
func TestStacked(t *testing.T) {
	v, upper, level := 12.5, 13.5, 0.9
	var ps []views.Prediction
	for _, node := range []string{"node-1", "node-2"} {
		for _, h := range []string{"1h", "1d"} {
			ps = append(ps, views.Prediction{
				ModelType: views.ResourcePrediction, Signal: "disk", Horizon: h, Value: &v, Lower: &v, Upper: &upper, Unit: "percent per disk", Level: &level,
				Confidence: &level, ConfidenceLevel: "very_high", Labels: map[string]string{"device": "/dev/" + node + "/nvme0n1", "instance": node + ":9100", "job": "node"},
			})
		}
	}
	var b strings.Builder
	if err := predictionTable(&b, output.Style{}, 80, ps, false); err != nil {
		t.Fatal(err)
	}
	want := `disk  job=node
  IN                  VALUE  90 % INTERVAL                 CONFIDENCE      UNTIL THEN
device=/dev/node-1/nvme0n1 instance=node-1:9100
  1h  12.5 percent per disk  12.5 … 13.5 percent per disk  0.90 very high
  1d  12.5 percent per disk  12.5 … 13.5 percent per disk  0.90 very high
device=/dev/node-2/nvme0n1 instance=node-2:9100
  1h  12.5 percent per disk  12.5 … 13.5 percent per disk  0.90 very high
  1d  12.5 percent per disk  12.5 … 13.5 percent per disk  0.90 very high
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
