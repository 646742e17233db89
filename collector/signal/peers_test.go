package signal

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

func TestKindOf(t *testing.T) {
	f := func(name string, same bool, a, b labels.Labels) {
		t.Helper()
		if got := kindOf(a) != "" && kindOf(a) == kindOf(b); got != same {
			t.Errorf("%s: %t, want %t (%q and %q)", name, got, same, kindOf(a), kindOf(b))
		}
	}
	l := labels.FromStrings
	f("pods", true, l("namespace", "a", "pod", "web-0", "node", "n1"), l("namespace", "a", "pod", "web-1", "node", "n2"))
	f("another container", false, l("namespace", "a", "pod", "web-0", "container", "app"), l("namespace", "a", "pod", "web-1", "container", "proxy"))
	f("another workload", false, l("namespace", "a", "pod", "web-0"), l("namespace", "a", "pod", "api-0"))
	f("another revision", true, l("deployment", "web", "pod", "web-7d9f8b6c5d-x2v9k", "version", "1"), l("deployment", "web", "pod", "web-6b5c4d7f88-zz9k2", "version", "2"))
	f("a version of what has no workload", false, l("instance", "a", "version", "1"), l("instance", "b", "version", "2"))
	f("targets", true, l("job", "node", "instance", "a"), l("job", "node", "instance", "b"))
	f("no replicas", false, l("job", "a"), l("job", "a"))
	f("another name", false, l("__name__", "x", "pod", "web-0"), l("__name__", "y", "pod", "web-1"))
}

// replica is one pod of a workload whose pods all follow the same unsteady demand.
func replicaOf(name string, from, to int64, more func(t int64) float64) pod {
	k := uint64(len(name))
	for _, c := range name {
		k = k*31 + uint64(c)
	}
	return pod{labels.FromStrings("namespace", "shop", "pod", name), func(t int64) float64 {
		if t < from || t >= to {
			return math.NaN()
		}
		common := rand.New(rand.NewPCG(uint64(t/(30*minute)), 3)).NormFloat64()
		own := rand.New(rand.NewPCG(uint64(t), k)).NormFloat64()
		v := 100 + 30*math.Sin(2*math.Pi*float64(t%day)/float64(day)) + 15*common + 2*own
		if more != nil {
			v += more(t)
		}
		return v
	}}
}

// churning is a workload of which all pods are replaced after ten days, two that come and go,
// and one that is a third above the others for two hours.
func churning(odd int64) world {
	w := world{step: 5 * minute}
	for k := range 4 {
		w.pods = append(w.pods, replicaOf("web-7d9f8b6c5d-xxxx"+strconv.Itoa(k+4), epoch, epoch+10*day+int64(k)*10*minute, nil))
		more := func(t int64) float64 {
			if k == 2 && t >= odd && t < odd+2*hour {
				return 35
			}
			return 0
		}
		w.pods = append(w.pods, replicaOf("web-6b5c4d7f88-zzzz"+strconv.Itoa(k+4), epoch+10*day+int64(k)*10*minute, math.MaxInt64, more))
	}
	w.pods = append(w.pods, replicaOf("web-6b5c4d7f88-cccc4", epoch+11*day, epoch+11*day+6*hour, nil), replicaOf("web-6b5c4d7f88-cccc5", epoch+12*day+8*hour, math.MaxInt64, nil))
	return w
}

// A replica that is unlike the others is found though all move more than that by
// themselves and have been replaced meanwhile, and nothing else is.
func TestOutlierAmongReplicas(t *testing.T) {
	odd := epoch + 14*day + 3*hour + 15*minute
	w := churning(odd)
	o := options()
	o.Forecast = nil
	u := newUnit(t, o)
	fit(t, u, w, epoch+9*day)
	found := map[string]series.Finding{}
	for end := epoch + 9*day + 30*minute; end <= odd+6*hour; end += 30 * minute {
		for _, r := range step(t, u, w, end) {
			for _, f := range r.Findings {
				if f.Type == series.TypeOutlier {
					found[r.Labels.Get("pod")+strconv.FormatInt(f.Start, 10)] = f
				}
				if f.Start >= odd && f.Start < odd+2*hour && r.Labels.Get("pod") == "web-6b5c4d7f88-zzzz6" {
					continue
				}
				t.Logf("%s %s at %v, peak %.2f", r.Labels.Get("pod"), f.Type, float64(f.Start-epoch)/float64(day), f.Peak)
			}
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d outliers, want one: %+v", len(found), found)
	}
	for _, f := range found {
		if f.Start < odd || f.Start > odd+30*minute || f.Open() || f.End > odd+4*hour || f.Worst.Why.View != series.ViewPeers || f.Worst.Why.Peers < 3 {
			t.Errorf("%+v", f)
		}
	}
}

// A fit over a stretch agrees with the steps that lived it, and a restored unit with
// one that ran through.
func TestPeersAreReplayed(t *testing.T) {
	w := churning(epoch + 12*day + 3*hour)
	o := options()
	o.Forecast = nil
	fitted := func(end int64) *Unit {
		u := newUnit(t, o)
		commit, err := u.Fit(context.Background(), 0, w.input(epoch, end))
		if err != nil {
			t.Fatal(err)
		}
		commit()
		return u
	}
	lived := fitted(epoch + 9*day)
	for at := epoch + 9*day + 35*minute; at <= epoch+13*day; at += 35 * minute {
		step(t, lived, w, at)
		if at%(6*hour) < 35*minute {
			lived = restored2(t, o, lived)
		}
	}
	whole := fitted(lived.Position())
	if len(whole.kinds) != 1 || len(lived.kinds) != 1 {
		t.Fatalf("%d and %d kinds, want one", len(whole.kinds), len(lived.kinds))
	}
	for k, p := range whole.kinds {
		if !bytes.Equal(p.AppendState(nil), lived.kinds[k].AppendState(nil)) {
			t.Error("the comparison replayed is not the one that was lived")
		}
	}
	if len(whole.order) != len(lived.order) {
		t.Fatalf("%d and %d series", len(whole.order), len(lived.order))
	}
	for i, s := range whole.order {
		l := lived.order[i]
		l.past, s.past = nil, nil // what was said stays said
		if !bytes.Equal(s.append(nil), l.append(nil)) {
			t.Errorf("%s: replayed and lived differ", s.labels)
		}
	}
	cut := snapshot(t, lived)
	for n := range 2000 {
		if newUnit(t, o).Restore(bytes.NewReader(cut[:n])) == nil {
			t.Fatalf("%d of %d bytes were taken", n, len(cut))
		}
	}
}

// Replicas of a workload that is gone are forgotten with it.
func TestKindsAreForgotten(t *testing.T) {
	w := world{step: 5 * minute, pods: []pod{replicaOf("web-0", epoch, epoch+2*day, nil), replicaOf("web-1", epoch, epoch+2*day, nil), replicaOf("api-0", epoch, math.MaxInt64, nil)}}
	o := options()
	o.Forecast = nil
	u := newUnit(t, o)
	fit(t, u, w, epoch+day)
	if len(u.kinds) != 2 {
		t.Fatalf("%d kinds", len(u.kinds))
	}
	step(t, u, w, epoch+4*day)
	if len(u.kinds) != 1 {
		t.Errorf("%d kinds, want one left", len(u.kinds))
	}
}
