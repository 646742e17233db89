package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/upid/upid/forecast"
	"github.com/upid/upid/forecast/features"
	"github.com/upid/upid/rules/recommend"
	"github.com/upid/upid/rules/recommend/sizing"
)

const (
	sized    = `"cpu_request_cores": 2, "cpu_limit_cores": 0, "memory_request_bytes": 4294967296, "memory_limit_bytes": 4294967296`
	sizedEnd = 1_700_000_100
)

// history is that of a container as JSON: a day's wave around cores and bytes, every five minutes.
func history(days int, cores, bytes float64) string {
	var cpu, memory []string
	for i := range days * 288 {
		wave := 1 + 0.3*math.Sin(2*math.Pi*float64(i)/288)
		cpu, memory = append(cpu, fmt.Sprintf("%.3f", cores*wave)), append(memory, fmt.Sprintf("%.0f", bytes*wave))
	}
	return fmt.Sprintf(`"step": 300, "end": %d, "cpu_cores": [%s], "memory_bytes": [%s]`, sizedEnd, strings.Join(cpu, ","), strings.Join(memory, ","))
}

func asked(t *testing.T, rows string) *Rows {
	t.Helper()
	r, err := ReadRows(strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func advised(t *testing.T, q Query) []recommend.Recommendation {
	t.Helper()
	if q.Policy == "" {
		q.Policy = DefaultPolicy
	}
	out, err := q.advise(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range out {
		if err := r.Check(); err != nil {
			t.Error(err)
		}
	}
	return out
}

// TestAdviseIsTheEngine: the advice is what the sizer that upid recommendations uses decides, of
// all containers of the question together.
func TestAdviseIsTheEngine(t *testing.T) {
	rows := asked(t, `[{"a": 1, "container": {"namespace": "shop", "kind": "Deployment", "workload": "cart", "name": "app", `+sized+`, `+history(28, 0.2, 5e8)+`}},
		{"a": 2},
		{"a": 3, "container": {`+sized+`, `+history(28, 1.5, 3e9)+`}}]`)
	got := advised(t, Query{Rows: rows})

	policy, err := sizing.PolicyNamed(DefaultPolicy)
	if err != nil {
		t.Fatal(err)
	}
	model, err := forecast.New(sizing.Model, nil)
	if err != nil {
		t.Fatal(err)
	}
	var usages []sizing.Usage
	for _, i := range []int{0, 2} {
		usages = append(usages, rows.Containers[i].usage(sizedEnd+300))
	}
	sizers, err := sizing.Learn(t.Context(), policy, usages, sizedEnd+300, sizing.NewScratch(model))
	if err != nil {
		t.Fatal(err)
	}
	for k, i := range []int{0, 2} {
		size := sizers[k].Size()
		cpu, memory := got[i].Recommended[recommend.CPURequest], got[i].Recommended[recommend.MemoryLimit]
		if !(cpu >= size.CPU && cpu < size.CPU+0.0011) || !(memory >= size.Memory && memory < size.Memory+1<<20+1) {
			t.Errorf("row %d: %v cores and %v bytes, the sizer decided %+v", i, cpu, memory, size)
		}
		if got[i].Evidence[0].Points != 28*288 || got[i].ExpiresAt != sizedEnd+300+7*86400 {
			t.Errorf("row %d: %d points, expires at %v", i, got[i].Evidence[0].Points, got[i].ExpiresAt)
		}
	}
	if got[0].State != recommend.StateOpen || len(got[0].Patch) != 1 || !(got[0].Recommended[recommend.CPURequest] < 1) {
		t.Errorf("%+v", got[0])
	}
	if got[1].State != recommend.StateBlocked || len(got[1].Recommended) != 0 {
		t.Errorf("a row without a container: %+v", got[1])
	}
	safe := advised(t, Query{Rows: rows, Policy: "safe"})
	if !(safe[0].Recommended[recommend.CPURequest] > got[0].Recommended[recommend.CPURequest]) {
		t.Errorf("safe gives %v cores, balanced %v", safe[0].Recommended[recommend.CPURequest], got[0].Recommended[recommend.CPURequest])
	}
}

// TestAdviseSaysWhatIsMissing: without what a size takes there is none, and it is named.
func TestAdviseSaysWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		name, container string
		codes           []string
	}{
		{"no history", `{` + sized + `}`, []string{recommend.BlockNoUsage}},
		{"short", `{` + sized + `, ` + history(3, 0.2, 5e8) + `}`, []string{recommend.BlockShortHistory}},
		{"nothing set is known", `{` + history(8, 0.2, 5e8) + `}`, []string{recommend.BlockNoKubeState}},
		{"one is not known", `{"cpu_limit_cores": 1, "cpu_request_cores": 1, "memory_limit_bytes": 1, ` + history(8, 0.2, 5e8) + `}`, []string{recommend.BlockNoKubeState}},
		{"nothing", `{}`, []string{recommend.BlockNoUsage, recommend.BlockNoKubeState}},
		{"gaps only", `{` + sized + `, "step": 300, "end": 1700000100, "cpu_cores": [null, null]}`, []string{recommend.BlockNoUsage}},
	} {
		r := advised(t, Query{Rows: asked(t, `{"a": 1, "container": `+c.container+`}`)})[0]
		var codes []string
		for _, b := range r.Blockers {
			codes = append(codes, b.Code)
			if strings.Contains(b.Text, "Prometheus") || strings.Contains(b.Text, "kube-state-metrics") {
				t.Errorf("%s: %q is not for who asks", c.name, b.Text)
			}
		}
		if r.State != recommend.StateBlocked || fmt.Sprint(codes) != fmt.Sprint(c.codes) || len(r.Recommended) != 0 || len(r.Patch) != 0 {
			t.Errorf("%s: %s, blocked by %v, want %v; %v", c.name, r.State, codes, c.codes, r.Recommended)
		}
	}
	// What one of two is not known of stays.
	r := advised(t, Query{Rows: asked(t, `{"a": 1, "timestamp": 1700000100, "container": {`+sized+`, "step": 300, "cpu_cores": [`+strings.TrimSuffix(strings.Repeat("0.1,", 8*288), ",")+`]}}`)})[0]
	if _, ok := r.Recommended[recommend.MemoryLimit]; ok || r.State != recommend.StateOpen || !strings.Contains(strings.Join(r.Reasons, ";"), "Memory stays") {
		t.Errorf("%+v", r)
	}
}

// TestAdviseKnown: a sidecar says of a container that is named what it says in its recommendations.
func TestAdviseKnown(t *testing.T) {
	said := recommend.New(recommend.RightSize, recommend.Target{Namespace: "shop", Kind: "Deployment", Name: "cart", Container: "app"}, "")
	said.Action, said.Reasons = "Set it", []string{"so"}
	asks := 0
	known := func(id string) (json.RawMessage, bool) {
		asks++
		b, err := json.Marshal(said)
		if err != nil {
			t.Fatal(err)
		}
		return b, id == said.ID
	}
	got := advised(t, Query{Known: known, Rows: asked(t, `[{"a": 1, "container": {"namespace": "shop", "kind": "Deployment", "workload": "cart", "name": "app"}}, {"a": 1, "container": {"namespace": "shop"}}, {"a": 2}]`)})
	if got[0].Action != said.Action || got[0].ID != said.ID {
		t.Errorf("%+v", got[0])
	}
	if got[1].State != recommend.StateBlocked || got[2].State != recommend.StateBlocked || asks != 1 {
		t.Errorf("%v and %v of unknown containers, asked for %d times: a row that names none need not be looked for", got[1].State, got[2].State, asks)
	}
}

func TestContainersRefused(t *testing.T) {
	for _, c := range []struct{ container, want string }{
		{`{"cpu_request_cores": -1}`, "cpu_request_cores is -1"},
		{`{"cpu_request_cores": 1e999}`, "container"},
		{`{"cpu_cores": [1, -2], "step": 300}`, "point 2 is -2"},
		{`{"cpu_cores": [1]}`, "step of 0"},
		{`{"memory_bytes": [1], "step": 3600}`, "step of 3600"},
		{`{"memory_bytes": [1], "step": 1.5}`, "step of 1.5"},
		{`{"cpu_price": 1}`, "currency"},
		{`{"hpa_target_ratio": 70}`, "hpa_target_ratio is 70"},
		{`{"cpu_cores": [-1], "memory_bytes": [-1], "step": 300}`, "cpu_cores: point 1"}, // always the first
		{`{"requests": 1}`, `container: unknown field "requests"`},
		{`{"name": "` + strings.Repeat("x", 201) + `"}`, "201 characters"},
		{`{"step": "5m"}`, "step is a string, want a number"},
		{`{"cpu_cores": 0.2}`, "cpu_cores is a number, want an array of numbers"},
		{`[]`, "container: it is an array, want an object"},
	} {
		if _, err := ReadRows(strings.NewReader(`{"a": 1, "container": ` + c.container + `}`)); !errors.Is(err, ErrRows) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "row 1") {
			t.Errorf("%.60s: %v, want %s", c.container, err, c.want)
		}
	}
	for _, q := range []Query{
		{Policy: "brave", Rows: asked(t, `{"a": 1}`)},
		{Policy: DefaultPolicy, Rows: asked(t, `{"a": 1, "container": {"cpu_cores": [1], "step": 60}}`)},
	} {
		if _, err := q.advise(t.Context()); !errors.Is(err, ErrRows) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if _, _, err := NewRegistry(t.TempDir(), nil).Ask(t.Context(), Query{ModelType: features.CostOptimization, Rows: asked(t, `{"a": 1, "container": {}}`)}); !errors.Is(err, ErrRows) {
		t.Errorf("a container of another type: %v", err)
	}
	// A canary's rows keep theirs.
	if got := asked(t, `[{"a": 1}, {"a": 2, "container": {"name": "x"}}]`).only([]int{1}); got.Containers[0] == nil || got.Containers[0].Name != "x" {
		t.Errorf("%+v", got.Containers)
	}
}

// BenchmarkAdvise is one container with 28 days every five minutes.
func BenchmarkAdvise(b *testing.B) {
	rows, err := ReadRows(strings.NewReader(`{"a": 1, "container": {` + sized + `, ` + history(28, 0.2, 5e8) + `}}`))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := (Query{Rows: rows, Policy: DefaultPolicy}).advise(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
