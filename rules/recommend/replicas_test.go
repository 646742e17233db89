package recommend

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/upid/upid/collector/series"
)

// shop is a workload that takes 3.4 cores from 8 to 20 UTC and 0.5 at night; one replica has
// 1 core and is to use 0.7.
func shop() ReplicaInput {
	f := &series.Forecast{Band: series.Band{Start: 1_764_028_800_000, Step: 3_600_000, Level: 0.9}, Confidence: 0.8} // midnight
	for i := range 168 {
		v := 0.5
		if h := i % 24; h >= 8 && h < 20 {
			v = 3.4
		}
		f.Upper = append(f.Upper, v)
	}
	return ReplicaInput{
		Target: Target{Namespace: "shop", Kind: "Deployment", Name: "web"}, Slot: 1_764_028_800, Forecast: f, Request: 1, Aim: math.NaN(),
		Replicas: 8, HPAMin: math.NaN(), HPAMax: math.NaN(), CPUPrice: 0.03, Currency: "USD", PriceSource: "config",
	}
}

func counted(t *testing.T, in ReplicaInput) Recommendation {
	t.Helper()
	r := ReplicaCounts(in)
	if err := r.Check(); err != nil {
		t.Error(err)
	}
	return r
}

func TestReplicaCounts(t *testing.T) {
	r := counted(t, shop())
	want := []ReplicaHours{{0, 8, 2}, {8, 20, 5}, {20, 24, 2}} // 3.4/0.7 = 4.9; two so that one may fail
	if r.State != StateOpen || !reflect.DeepEqual(r.Schedule, want) || r.Recommended[ReplicaCount] != 5 {
		t.Errorf("%s, %v, %v", r.State, r.Schedule, r.Recommended)
	}
	// 8 replicas less 3.5 on average, at 1 core.
	if got := *r.Impact.SavingsMonthly; math.Abs(got-4.5*0.03*730) > 1e-9 {
		t.Errorf("saves %g", got)
	}
	if string(r.Patch[0].Body) != `{"spec":{"replicas":5}}` || string(r.ReversePatch[0].Body) != `{"spec":{"replicas":8}}` {
		t.Errorf("%s, back %s", r.Patch[0].Body, r.ReversePatch[0].Body)
	}
	in := shop()
	in.Replicas = 1
	if r := counted(t, in); r.Recommended[ReplicasMin] != 1 {
		t.Errorf("one replica needs no second: %v", r.Recommended)
	}
	for i := range in.Forecast.Upper {
		in.Forecast.Upper[i] = 0.3
	}
	if r := counted(t, in); r.State != StateKept || len(r.Patch) > 0 {
		t.Errorf("one is enough: %s", r.State)
	}
}

func TestReplicaCounts_hpa(t *testing.T) {
	in := shop()
	in.HPAName, in.HPAMin, in.HPAMax = "web", 6, 5
	r := counted(t, in)
	if r.State != StateOpen || r.Recommended[ReplicasMin] != 2 || r.Recommended[ReplicasMax] != 6 { // 1.2·3.4/0.7 = 5.8
		t.Errorf("%s, %v", r.State, r.Recommended)
	}
	for _, p := range []struct {
		patch    Patch
		low, top int32
	}{{r.Patch[0], 2, 6}, {r.ReversePatch[0], 6, 5}} {
		var hpa autoscalingv2.HorizontalPodAutoscaler
		if err := json.Unmarshal(p.patch.Body, &hpa); err != nil || *hpa.Spec.MinReplicas != p.low || hpa.Spec.MaxReplicas != p.top {
			t.Errorf("%s: %v", p.patch.Body, err)
		}
	}
	in.HPAMin, in.HPAMax = 2, 20
	if r := counted(t, in); r.State != StateKept {
		t.Errorf("room above: %s", r.State)
	}
}

func TestReplicaCounts_blocked(t *testing.T) {
	f := func(code string, spoil func(*ReplicaInput)) {
		t.Helper()
		in := shop()
		spoil(&in)
		if r := counted(t, in); r.State != StateBlocked || r.Blockers[0].Code != code || len(r.Patch) > 0 {
			t.Errorf("%s: %s, %v", code, r.State, r.Blockers)
		}
	}
	f(BlockNoRequest, func(in *ReplicaInput) { in.Request = math.NaN() })
	f(BlockShortHistory, func(in *ReplicaInput) { in.Forecast = nil })
	f(BlockShortHistory, func(in *ReplicaInput) { in.Forecast.Upper = in.Forecast.Upper[:24] })
	f(BlockShortHistory, func(in *ReplicaInput) {
		for i := range in.Forecast.Upper {
			in.Forecast.Upper[i] = math.NaN()
		}
	})
}
