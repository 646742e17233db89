package main

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/views"
	"github.com/upid/upid/rules/recommend"
)

// someAdvice returns four recommendations: one with a patch, one urgent, one that is
// doubtful and one that is held back.
func someAdvice(t *testing.T) []recommend.Recommendation {
	t.Helper()
	size := recommend.New(recommend.RightSize, recommend.Target{Namespace: "shop", Kind: "Deployment", Name: "cart", Container: "app"}, "")
	size.Action = "Lower the CPU request from 500m to 180m"
	size.Current[recommend.CPURequest], size.Recommended[recommend.CPURequest] = 0.5, 0.18
	size.Impact.SavingsMonthly, size.Impact.SavingsRealisable = recommend.Number(7.38), recommend.Number(5)
	size.Impact.Currency, size.Impact.PriceSource = "USD", "opencost"
	size.Risk.Effort = recommend.EffortInPlace
	size.Reasons = []string{"it's never used more than 160m in 28 days"}
	size.Steps = []string{"Apply the patch and watch throttling for a day."}
	size.SetConfidence(recommend.Part{Name: "history", Value: 0.9, Why: "28 days"})
	size.Patch = []recommend.Patch{{
		APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "cart", Type: "strategic",
		Body: json.RawMessage(`{"spec":{"template":{"spec":{"containers":[{"name":"app","resources":{"requests":{"cpu":"180m"}}}]}}}}`),
	}}
	size.ReversePatch = []recommend.Patch{{
		APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "cart", Type: "strategic",
		Body: json.RawMessage(`{"spec":{"template":{"spec":{"containers":[{"name":"app","resources":{"requests":{"cpu":"500m"}}}]}}}}`),
	}}

	_, cert := recommend.Expiry(recommend.Target{Kind: "Certificate", Name: "https://shop.example"}, "https://shop.example", 7200, 1_700_000_000_000)

	doubtful := size
	doubtful.ID, doubtful.Target.Name = "right_size-doubtful", "ads"
	doubtful.SetConfidence(recommend.Part{Name: "history", Value: 0.3, Why: "1 day"})

	held := recommend.New(recommend.RightSize, recommend.Target{Namespace: "shop", Kind: "Deployment", Name: "search", Container: "app"}, "")
	held.Block(recommend.BlockHPAOnCPU, "a HorizontalPodAutoscaler divides by this request; change both together")
	held.SetConfidence(recommend.Part{Name: "history", Value: 0.8, Why: "20 days"})
	return []recommend.Recommendation{size, *cert, doubtful, held}
}

// adviceServer answers as a sidecar that has these recommendations.
func adviceServer(t *testing.T, rs []recommend.Recommendation) *httptest.Server {
	t.Helper()
	v := views.New(views.Options{})
	sig := fakeSignal("recommendations", "cost", "")
	v.SetSignals(map[string]views.Signal{"recommendations": sig})
	var results []series.Result
	for _, r := range rs {
		if err := r.Check(); err != nil {
			t.Fatal(err)
		}
		object, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		saved := math.NaN()
		if r.Impact.SavingsMonthly != nil {
			saved = *r.Impact.SavingsMonthly
		}
		results = append(results, series.Result{
			Signal: "recommendations", Labels: labels.FromStrings("id", r.ID, "namespace", r.Target.Namespace), Slot: apiNoon, Time: apiNoon, Observed: math.NaN(), BudgetSpent: math.NaN(),
			Plan: &series.Plan{Advice: &series.Advice{
				ID: r.ID, Kind: string(r.Kind), OptimizationType: string(r.OptimizationType), State: string(r.State), Urgency: string(r.Urgency), Confidence: r.Confidence, Savings: saved, Object: object,
			}},
		})
	}
	if err := v.Write(context.Background(), "recommendations", apiNoon, results); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, r := range v.Routes() {
		mux.HandleFunc(r.Path, r.Serve)
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func TestRecommendations(t *testing.T) {
	s := adviceServer(t, someAdvice(t))
	run := func(name, args string) string {
		t.Helper()
		o := upid(t, "", "ml-enhancement recommendations --address "+s.URL+" "+args)
		o.want(t, exitOK)
		golden(t, "recommendations."+name, o.stdout)
		if !strings.Contains(args, "-o") {
			narrow(t, o.stdout)
		}
		return o.stdout
	}
	run("table", "")
	run("all.table", "--all --confidence-threshold 0")
	run("csv", "-o csv --all")
	run("json", "-o json --optimization-type resource_scaling")
	run("yaml", "-o yaml --kind certificate_expiry")
	patch := run("patch", "-o patch")
	reverse := run("reverse.patch", "-o patch --reverse")
	if !strings.Contains(patch, `"cpu":"180m"`) || !strings.Contains(reverse, `"cpu":"500m"`) {
		t.Errorf("patch %s\nreverse %s", patch, reverse)
	}

	count := func(args string, want int) {
		t.Helper()
		o := upid(t, "", "recommendations -o csv --address "+s.URL+" "+args)
		if got := strings.Count(o.stdout, "\n") - 1; got != want || o.code != exitOK {
			t.Errorf("%s: %d recommendations, exit %d, want %d\n%s", args, got, o.code, want, o.stderr)
		}
	}
	count("", 2)
	count("--confidence-threshold 0", 3)
	count("--confidence-threshold 0.95", 1)
	count("--optimization-type cost_reduction --confidence-threshold 0.8", 0)
	count("--optimization-type security_enhancement", 1)
	count("--namespace shop", 1)
	count("--all --confidence-threshold 0", 4)
	count("--limit 1", 1)

	upid(t, "", "recommendations --address "+s.URL+" --optimization-type cheap").want(t, exitUsage, "cheap")
	upid(t, "", "recommendations --address "+s.URL+" --confidence-threshold 2").want(t, exitUsage, "want 0 to 1")
	upid(t, "", "recommendations --address "+s.URL+" --reverse").want(t, exitUsage, "-o patch")
	upid(t, "", "recommendations --address "+s.URL+" --kind certificate_expiry -o patch").want(t, exitOK, "has a patch")
	upid(t, "", "recommendations --address http://127.0.0.1:1").want(t, exitUnreachable, "no sidecar answers")
}

// TestRecommendationsUrgent: what alerts is shown whatever its confidence, unless a
// threshold is asked for, and anomalies point at it.
func TestRecommendationsUrgent(t *testing.T) {
	_, cert := recommend.Expiry(recommend.Target{Kind: "Certificate", Name: "https://shop.example"}, "https://shop.example", 7200, 1_700_000_000_000)
	cert.SetConfidence(recommend.Part{Name: "history", Value: 0.68, Why: "3 days"})
	doubtful := someAdvice(t)[2]
	if cert.Urgency != recommend.UrgencyNow || doubtful.Urgency == recommend.UrgencyNow {
		t.Fatalf("urgency %s, %s", cert.Urgency, doubtful.Urgency)
	}
	s := adviceServer(t, []recommend.Recommendation{*cert, doubtful})
	f := func(args string, shown, below bool) {
		t.Helper()
		o := upid(t, "", args+" --address "+s.URL)
		if got := strings.Contains(o.stdout, "shop.example"); got != shown || o.code != exitOK {
			t.Errorf("%s: shown %v, want %v\n%s", args, got, shown, o.stdout)
		}
		if got := strings.Contains(o.stdout+o.stderr, "below the confidence asked for; --confidence-threshold 0 shows them"); got != below {
			t.Errorf("%s: says what is below %v, want %v\n%s%s", args, got, below, o.stdout, o.stderr)
		}
	}
	for _, form := range []string{"", " -o json", " -o yaml", " -o csv"} {
		table := form == "" // says it always, the others only where they show nothing
		f("recommendations"+form, true, table)
		f("recommendations --all"+form, true, table)
		f("recommendations --confidence-threshold 0.7"+form, false, true)
		f("recommendations --confidence-threshold 0.6"+form, true, table)
		f("recommendations --confidence-threshold 0"+form, true, false)
	}
	o := upid(t, "", "recommendations --confidence-threshold 1 -o patch --address "+s.URL)
	o.want(t, exitOK, "no recommendations", "2 below the confidence asked for")
	if o.stdout != "" || strings.Contains(o.stderr, "none of") {
		t.Errorf("stdout %q, stderr %q", o.stdout, o.stderr)
	}

	aside := "1 recommendation is urgent, which is no anomaly; upid recommendations says what to do"
	upid(t, "", "anomalies --open --fail-on-finding --address "+s.URL).want(t, exitOK, aside)
	for _, args := range []string{"anomalies --type spike", "anomalies --family resource_spike"} {
		if o := upid(t, "", args+" --address "+s.URL); strings.Contains(o.stderr, "urgent") || o.code != exitOK {
			t.Errorf("%s: exit %d, %s", args, o.code, o.stderr)
		}
	}
	s = adviceServer(t, []recommend.Recommendation{doubtful})
	if o := upid(t, "", "anomalies --address "+s.URL); strings.Contains(o.stderr, "urgent") || o.code != exitOK {
		t.Errorf("nothing is urgent: exit %d, %s", o.code, o.stderr)
	}
}

// TestKubectlQuoting: what a shell makes of a command is what was meant.
func TestKubectlQuoting(t *testing.T) {
	body := `{"metadata":{"annotations":{"a":"it's $HOME; \"x\""}}}`
	line, err := kubectl(recommend.Patch{Kind: "Deployment", Namespace: "a b", Name: "$(x)", Type: "merge", Subresource: "resize", Body: json.RawMessage(body)})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sh", "-c", "kubectl() { printf '%s\\n' \"$@\"; }; "+line).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{"--namespace", "a b", "patch", "deployment", "$(x)", "--type", "merge", "--subresource", "resize", "--patch", body, ""}, "\n")
	if string(out) != want {
		t.Errorf("the shell sees\n%s\nwant\n%s", out, want)
	}
}

// TestRecommendationsOff: a sidecar that is not asked for recommendations says how to.
func TestRecommendationsOff(t *testing.T) {
	f := newFakeSidecar(t)
	o := upid(t, "", "recommendations --address "+f.URL)
	o.want(t, exitOK, "recommendations are off", "recommendations: {}")
	if o.stdout != "no recommendations\n" {
		t.Errorf("stdout %q", o.stdout)
	}
}
