package main

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/forecast/features"
)

// examples changes into a directory with the example files and nothing else.
func examples(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"data.json", "features.json", "container.json"} {
		b, err := os.ReadFile(filepath.Join(root, "docs", "examples", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

// TestExampleCommands runs the three command lines as the product promises them.
func TestExampleCommands(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	examples(t)
	o := upid(t, "", "ml-enhancement train resource_prediction --training-data data.json --epochs 100")
	o.want(t, exitOK, "train cpu by trees: epoch 1/100, held-out tail error", "saved as resource_prediction v1")
	if n := strings.Count(o.stderr, "held-out tail error"); n < 2 || n > 11 {
		t.Errorf("%d lines of progress, want some ten for all targets:\n%s", n, o.stderr)
	}
	for _, text := range []string{"SKILL", "COVERAGE", "v1 *", "cpu", "memory", "network", "cost"} {
		if !strings.Contains(o.stdout, text) {
			t.Errorf("train lacks %q:\n%s", text, o.stdout)
		}
	}
	o = upid(t, "", "ml-enhancement performance resource_prediction")
	o.want(t, exitOK)
	for _, text := range []string{"MASE", "SMAPE", "1,560 rows of data.json", "2013-07", "said", "was"} {
		if !strings.Contains(o.stdout, text) {
			t.Errorf("performance lacks %q:\n%s", text, o.stdout)
		}
	}
	o = upid(t, "", "ml-enhancement predict --model-type resource_prediction --features features.json")
	o.want(t, exitOK)
	scaling := upid(t, "", "predict --model-type resource_prediction --features container.json")
	scaling.want(t, exitOK)
	t.Chdir(here)
	golden(t, "predict", o.stdout)
	golden(t, "predict_container", scaling.stdout)
}

// TestPredict: one Prediction a target, with everything the contract names.
func TestPredict(t *testing.T) {
	examples(t)
	upid(t, "", "train resource_prediction --training-data data.json --epochs 40").want(t, exitOK, "saved as")
	ask := func(rows string) []models.Prediction {
		t.Helper()
		o := upidArgs(t, strings.NewReader(rows), "predict", "--model-type", "resource_prediction", "--features", "-", "-o", "json")
		o.want(t, exitOK)
		var ps []models.Prediction
		if err := json.Unmarshal([]byte(o.stdout), &ps); err != nil {
			t.Fatalf("%v: %s", err, o.stdout)
		}
		return ps
	}
	b, err := os.ReadFile("features.json")
	if err != nil {
		t.Fatal(err)
	}
	whole := ask(string(b))
	var targets []string
	for _, p := range whole {
		targets = append(targets, p.Target)
		if p.ID == "" || p.ModelType != "resource_prediction" || p.ModelVersion != "v1" || p.Horizon != "7d" || p.Unit == "" || p.Model == "" || p.ConfidenceLevel == "" ||
			p.Value == nil || p.Lower == nil || p.Upper == nil || p.Confidence == nil || len(p.Contributions) == 0 || len(p.FeaturesUsed) != 12 {
			t.Errorf("%+v is not whole", p)
			continue
		}
		if !(*p.Lower <= *p.Value && *p.Value <= *p.Upper) || *p.Confidence < 0 || *p.Confidence > 1 {
			t.Errorf("%s: %v in [%v, %v], confidence %v", p.Target, *p.Value, *p.Lower, *p.Upper, *p.Confidence)
		}
	}
	if !slices.Equal(targets, []string{"cpu", "memory", "network", "cost"}) {
		t.Errorf("targets %v", targets)
	}

	// Any order of names is the same question; a missing one is not 0: it widens.
	var given map[string]float64
	if err := json.Unmarshal(b, &given); err != nil {
		t.Fatal(err)
	}
	var parts []string
	for name, v := range given {
		parts = append(parts, fmt.Sprintf("%q: %v", name, v))
	}
	slices.Sort(parts)
	slices.Reverse(parts)
	reversed := ask("{" + strings.Join(parts, ", ") + "}")
	for i := range whole {
		if reversed[i].ID != whole[i].ID || *reversed[i].Value != *whole[i].Value {
			t.Errorf("%s depends on the order of names", whole[i].Target)
		}
	}
	without := ask(`{"cpu_usage_7d_avg": 0.021946, "cpu_usage_30d_avg": null, "colour": 3}`)[0]
	if !slices.Contains(without.Missing, "cpu_usage_24h_avg") || !slices.Contains(without.Missing, "cpu_usage_30d_avg") || !slices.Equal(without.Unknown, []string{"colour"}) {
		t.Errorf("missing %v, unknown %v", without.Missing, without.Unknown)
	}
	if !(*without.Upper / *without.Lower > *whole[0].Upper / *whole[0].Lower) || !(*without.Confidence < *whole[0].Confidence) {
		t.Errorf("without features [%v, %v] at %v, with them [%v, %v] at %v", *without.Lower, *without.Upper, *without.Confidence, *whole[0].Lower, *whole[0].Upper, *whole[0].Confidence)
	}
	many := ask(`[{"cpu_usage_7d_avg": 0.02, "colour": 3}, {"cpu_usage_7d_avg": 0.03, "colour": 4}]`)
	if len(many) != 8 || !slices.Equal(many[0].Unknown, []string{"colour"}) {
		t.Errorf("%d predictions, the first of unknown %v", len(many), many[0].Unknown)
	}
	for _, p := range many[1:] {
		if len(p.Unknown) != 0 || p.Unknown == nil {
			t.Errorf("unknown features are repeated: %v", p.Unknown)
		}
	}
	if batch := ask("[" + string(b) + "," + string(b) + "]"); len(batch) != 8 || batch[7].Row != 1 || batch[4].ID != whole[0].ID {
		t.Errorf("%d predictions for two rows", len(batch))
	}
	if r := whole[0].Scaling; r == nil || r.State != "blocked" || len(r.Blockers) != 2 || whole[1].Scaling != nil {
		t.Errorf("advice without a container: %+v", r)
	}
	container, err := os.ReadFile("container.json")
	if err != nil {
		t.Fatal(err)
	}
	plain := `{"timestamp": 1380000000, "features": ` + string(b) + "}"
	scaled := ask("[" + string(container) + "," + plain + "]")
	if r := scaled[0].Scaling; r == nil || r.State != "open" || len(r.Patch) != 1 || r.Impact.SavingsMonthly == nil || scaled[0].ID != whole[0].ID || scaled[4].Scaling.State != "blocked" {
		t.Errorf("advice %+v", r)
	}
	o := upidArgs(t, strings.NewReader("["+string(container)+","+plain+","+plain+"]"), "predict", "--model-type", "resource_prediction", "--features", "-")
	o.want(t, exitOK)
	for _, text := range []string{"Set CPU request 500m", "no advice on scaling in 2 rows:", "cpu_request_cores"} {
		if !strings.Contains(o.stdout, text) {
			t.Errorf("the table lacks %q:\n%s", text, o.stdout)
		}
	}
	if o = upid(t, "", "predict --model-type resource_prediction --features container.json -o csv"); !strings.Contains(o.stdout, ",open,\"Set CPU request 500m") {
		t.Errorf("csv: %s", o.stdout)
	}
	upid(t, "", "predict --model-type resource_prediction --policy brave --features container.json").want(t, exitUsage, "brave")
	upidArgs(t, nil, "predict", "--model-type", "resource_prediction", "--features", string(b)).want(t, exitOK)
	for _, format := range []string{"csv", "yaml"} {
		o := upid(t, "", "predict --model-type resource_prediction --features features.json -o "+format)
		o.want(t, exitOK)
		if !strings.Contains(o.stdout, "cost_per_hour_24h_avg") {
			t.Errorf("%s: %s", format, o.stdout)
		}
	}
	for features, says := range map[string]string{
		`{"cpu_usage_24h_avg":1e999}`:   "finite",
		`{"cpu_usage_24h_avg":"NaN"}`:   "want a number",
		`{"colour":3}`:                  "none of the features",
		`{"cpu_usage_24h_avg":null}`:    "every feature",
		`nosuchfile.json`:               "no such file",
		`{"cpu_usage_24h_avg":1`:        "unexpected EOF",
		`{"a":{"cpu_usage_24h_avg":1}}`: "not a number",
	} {
		upidArgs(t, nil, "predict", "--model-type", "resource_prediction", "--features", features).want(t, exitFailure, says)
	}
	upid(t, "", "predict --model-type security_threat --features features.json").want(t, exitFailure, "no such model version", "upid train security_threat")
	upid(t, "", "predict --model-type resource_prediction --version v9 --features features.json").want(t, exitFailure, "no such model version")
	upid(t, "", "predict --model-type none --features features.json").want(t, exitUsage, "--model-type")
}

// TestPredictIsFast: whole processes of the program as it is shipped, by the processor time
// they take, which a busy machine does not change: on an idle one with two cores less than
// 100 ms of it are less than 100 ms.
func TestPredictIsFast(t *testing.T) {
	if testing.Short() {
		t.Skip("whole processes")
	}
	binary := upidBinary(t)
	examples(t)
	upid(t, "", "train resource_prediction --training-data data.json").want(t, exitOK, "saved as")
	var times []time.Duration
	for range 20 {
		cmd := exec.Command(binary, strings.Fields("predict --model-type resource_prediction --features features.json -o json")...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		times = append(times, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	}
	slices.Sort(times)
	t.Logf("processor time of a process: median %v, most %v", times[len(times)/2], times[len(times)-1])
	if median := times[len(times)/2]; median > 100*time.Millisecond {
		t.Errorf("%v of processor time, want at most 100 ms", median)
	}
}

// writeCSV writes n rows of two features and what target says of them.
func writeCSV(t *testing.T, name string, n int, target func(a, b float64) string) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	var s strings.Builder
	s.WriteString("a,b,target\n")
	for range n {
		a, b := r.NormFloat64(), r.NormFloat64()
		fmt.Fprintf(&s, "%v,%v,%s\n", a, b, target(a, b))
	}
	if err := os.WriteFile(name, []byte(s.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestTrainRefuses says why and what to do next, and saves nothing.
func TestTrainRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	r := rand.New(rand.NewPCG(3, 4))
	writeCSV(t, "few.csv", 50, func(a, _ float64) string { return fmt.Sprint(a * a) })
	writeCSV(t, "constant.csv", 400, func(_, _ float64) string { return "7" })
	writeCSV(t, "leak.csv", 400, func(a, _ float64) string { return fmt.Sprint(2*a + 1) })
	writeCSV(t, "noise.csv", 400, func(_, _ float64) string { return fmt.Sprint(r.NormFloat64()) })
	writeCSV(t, "none.csv", 400, func(_, _ float64) string { return "" })
	for file, says := range map[string][]string{
		"few.csv":      {"too few rows", "Give more rows", "--target-horizon"},
		"constant.csv": {"the target is constant", "leave it out"},
		"leak.csv":     {"gives the target away", "a is a straight line", "remove it"},
		"none.csv":     {"too few rows"},
		"noise.csv":    {"is not saved", "--force"},
		"missing.csv":  {"no such file"},
	} {
		upid(t, "", "train cost_optimization --training-data "+file).want(t, exitFailure, says...)
	}
	upid(t, "", "models list").want(t, exitOK)
	if _, err := os.Stat("data/models"); !os.IsNotExist(err) {
		t.Errorf("something was saved: %v", err)
	}
	o := upid(t, "", "train cost_optimization --training-data noise.csv --force")
	o.want(t, exitOK, "by --force")
	o = upid(t, "", "models show cost_optimization -o json")
	o.want(t, exitOK)
	if !strings.Contains(o.stdout, `"forced": true`) {
		t.Errorf("the record does not say so: %s", o.stdout)
	}
	upid(t, "", "performance resource_prediction").want(t, exitFailure, "no such model version", "upid train")
	upid(t, "", "train none").want(t, exitUsage, "MODEL_TYPE")
	upid(t, "", "train cost_optimization --epochs 0").want(t, exitUsage, "--epochs")
	upid(t, "", "train security_threat").want(t, exitUsage, "--training-data")
	upid(t, "", "train cost_optimization --prometheus.url http://127.0.0.1:1").want(t, exitUnreachable, "Check that the server runs")
}

// TestTrainTypes trains each other type from a file and asks it.
func TestTrainTypes(t *testing.T) {
	t.Chdir(t.TempDir())
	r := rand.New(rand.NewPCG(5, 6))
	writeCSV(t, "money.csv", 800, func(a, b float64) string { return fmt.Sprint(math.Sin(2*a) + b*b + 0.1*r.NormFloat64()) })
	writeCSV(t, "attacks.csv", 1500, func(a, b float64) string {
		if a+b+0.3*r.NormFloat64() > 1 {
			return "1"
		}
		return "0"
	})
	writeCSV(t, "odd.csv", 800, func(_, _ float64) string { return "" })
	for typ, c := range map[string]struct{ file, figure, target string }{
		features.CostOptimization: {"money.csv", `"skill"`, "target"},
		features.SecurityThreat:   {"attacks.csv", `"roc_auc"`, "target"},
		features.AnomalyDetection: {"odd.csv", `"anomalous_share"`, "oddness"},
	} {
		upid(t, "", "train "+typ+" --training-data "+c.file+" --epochs 60").want(t, exitOK, "saved as "+typ+" v1")
		o := upid(t, "", "performance "+typ+" -o json")
		o.want(t, exitOK)
		if !strings.Contains(o.stdout, c.figure) {
			t.Errorf("%s lacks %s:\n%s", typ, c.figure, o.stdout)
		}
		o = upidArgs(t, nil, "predict", "--model-type", typ, "--features", `{"b": 3, "a": 3}`, "-o", "json")
		o.want(t, exitOK)
		var ps []models.Prediction
		if err := json.Unmarshal([]byte(o.stdout), &ps); err != nil || len(ps) != 1 || ps[0].Target != c.target || ps[0].Value == nil {
			t.Fatalf("%s: %v, %s", typ, err, o.stdout)
		}
		if v := *ps[0].Value; typ == features.SecurityThreat && v < 0.8 || typ == features.AnomalyDetection && v < 1 {
			t.Errorf("%s: %v", typ, v)
		}
		for _, format := range []string{"table", "csv", "yaml"} {
			upid(t, "", "performance "+typ+" -o "+format).want(t, exitOK)
			upid(t, "", "models list "+typ+" -o "+format).want(t, exitOK)
			upid(t, "", "models show "+typ+" -o "+format).want(t, exitOK)
		}
	}
	upid(t, "", "models list").want(t, exitOK)
}
