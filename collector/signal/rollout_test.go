package signal

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// with adds the answer of a query for events to an input.
func with(in pipeline.Input, events world) pipeline.Input {
	in.Series[RolloutInput] = events.input(in.Start, in.End).Series[Input]
	return in
}

// since is 1 from a time on.
func since(from int64) func(int64) float64 {
	return func(t int64) float64 {
		if t < from {
			return math.NaN()
		}
		return 1
	}
}

func replicaSetOf(name string, from int64) pod {
	return pod{labels.FromStrings("namespace", "shop", "replicaset", name, "service", "kube-state-metrics", "instance", "ksm:8080"), since(from)}
}

func TestDeploys(t *testing.T) {
	const at = 100 * 5 * minute
	w := world{step: 5 * minute, pods: []pod{
		replicaSetOf("web-7d9f8b6c5d", epoch), // there from the beginning
		replicaSetOf("web-6b5c4d7f88", epoch+at),
		{labels.FromStrings("namespace", "shop", "deployment", "api"), func(t int64) float64 {
			if t >= epoch+2*at {
				return 8
			}
			return 7
		}},
	}}
	var whole, parts deploys
	whole.take(w.input(epoch, epoch+day).Series[Input].Series)
	for at := epoch; at <= epoch+day; at += 5 * minute {
		parts.take(w.input(at, at).Series[Input].Series)
	}
	for name, k := range map[string]deploys{"at once": whole, "step by step": parts} {
		if len(k.recent) != 2 {
			t.Fatalf("%s: %+v, want two rollouts", name, k.recent)
		}
		a, b := k.recent[0], k.recent[1]
		if a.at != epoch+at || a.revision != "web-6b5c4d7f88" || a.group != "\xffshop\xffweb" || b.at != epoch+2*at || b.revision != "8" || b.group != "\xffshop\xffapi" {
			t.Errorf("%s: %+v and %+v", name, a, b)
		}
	}
	again, err := readDeploys(whole.append(nil))
	if err != nil || !bytes.Equal(again.append(nil), whole.append(nil)) {
		t.Errorf("read back: %v", err)
	}
	for n, b := 0, whole.append(nil); n < len(b); n++ {
		if _, err := readDeploys(b[:n]); err == nil {
			t.Fatalf("%d of %d bytes were taken", n, len(b))
		}
	}
}

// An event that names no workload is about every series that agrees with its labels.
func TestDeployAbout(t *testing.T) {
	d := deploy{labels: labels.FromStrings("env", "prod")}
	if !d.about("x", labels.FromStrings("env", "prod", "pod", "a")) || !d.about("x", labels.FromStrings("pod", "a")) || d.about("x", labels.FromStrings("env", "test")) {
		t.Error("an event of env prod")
	}
	d = deploy{group: "g"}
	if !d.about("g", labels.EmptyLabels()) || d.about("h", labels.EmptyLabels()) {
		t.Error("an event of a workload")
	}
}

// rollout runs a unit over a rollout at noon: latency rises by so much for ever, and
// 3 h later it says what the results and alerts are.
func rolledOut(t *testing.T, rise float64, told bool) (series.Result, *Unit) {
	t.Helper()
	f := epoch + 20*day
	at := f + 12*hour
	w := world{step: 5 * minute, pods: []pod{{labels.FromStrings("namespace", "shop", "pod", "web-0"), func(t int64) float64 {
		v := daily(t)
		if t >= at+5*minute {
			v += rise
		}
		return v
	}}}}
	events := world{step: 5 * minute, pods: []pod{replicaSetOf("web-7d9f8b6c5d", epoch)}}
	if told {
		events.pods = append(events.pods, replicaSetOf("web-6b5c4d7f88", at))
	}
	o := options()
	o.Forecast, o.Type = nil, "performance"
	o.Rollouts = &Rollouts{Grace: 10 * time.Minute}
	u := newUnit(t, o)
	commit, err := u.Fit(context.Background(), f, with(w.input(epoch, f), events))
	if err != nil {
		t.Fatal(err)
	}
	commit()
	var r series.Result
	for end := f + 5*minute; end <= at+10*minute; end += 5 * minute {
		rs, err := u.Step(context.Background(), end, with(w.input(end, end), events))
		if err != nil {
			t.Fatal(err)
		}
		r = rs[0]
		if told && end >= at && end <= at+10*minute && (r.Rollout == nil || !r.Rollout.Active || r.Rollout.Revision != "web-6b5c4d7f88") {
			t.Fatalf("at %d: rollout %+v, want it active", end-at, r.Rollout)
		}
		if !told && r.Rollout != nil {
			t.Fatalf("a rollout nobody told of: %+v", r.Rollout)
		}
		restoredUnit := newUnit(t, o) // and go on with a copy
		if err := restoredUnit.Restore(bytes.NewReader(snapshot(t, u))); err != nil {
			t.Fatal(err)
		}
		u = restoredUnit
	}
	return r, u
}

func TestRolloutGrace(t *testing.T) {
	open := func(r series.Result) bool { return len(r.Findings) > 0 && r.Findings[0].Open() }
	if r, _ := rolledOut(t, 34, false); !open(r) {
		t.Fatalf("34 more without a rollout: %+v", r.Score)
	}
	r, _ := rolledOut(t, 34, true)
	if open(r) {
		t.Errorf("34 more within the grace: %+v", r.Findings[0])
	}
	// An outage gets through, and is called a regression.
	r, u := rolledOut(t, 200, true)
	if !open(r) {
		t.Fatalf("200 more within the grace: %+v", r.Score)
	}
	if b, a := r.Rollout.Before, r.Rollout.After; math.Abs(b-100) > 15 || !(a > b+60) {
		t.Errorf("before %v, after %v", b, a)
	}
	info := rules.SignalInfo{Name: "latency", Type: "performance", Unit: "ms"}
	said := rules.Annotations(info, r, r.Findings[0], rules.Context{})
	if !strings.Contains(said["description"], "Regression: it follows the rollout of revision web-6b5c4d7f88 at 2026-03-22T12:00:00Z, on average ") || !strings.Contains(said["first_action"], "roll it back") {
		t.Errorf("%s / %s", said["description"], said["first_action"])
	}
	if u.o.Rollouts.Grace != 10*time.Minute {
		t.Error("the options changed")
	}
}
