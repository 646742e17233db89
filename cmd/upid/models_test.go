package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/upid/upid/collector/views"
	"github.com/upid/upid/forecast/features"
)

func TestModelsShowFeatures(t *testing.T) {
	o := upid(t, "", "ml-enhancement models show --features")
	o.want(t, exitOK)
	for _, typ := range views.ModelTypes {
		for _, f := range features.Of(typ).All() {
			if !strings.Contains(o.stdout, f.Name) {
				t.Errorf("%s lacks %s", typ, f.Name)
			}
		}
	}
	if !strings.Contains(o.stdout, "resource_prediction: 18 features") {
		t.Errorf("got\n%s", o.stdout)
	}
	o = upid(t, "", "models show resource_prediction --features -o json")
	o.want(t, exitOK)
	var got []shownFeature
	if err := json.Unmarshal([]byte(o.stdout), &got); err != nil {
		t.Fatal(err)
	}
	contract := 0
	for _, f := range got {
		if f.Kind != "contract" {
			continue
		}
		contract++
		if f.Unit == "" || f.Formula == "" || f.Missing == "" || f.PromQL == "" {
			t.Errorf("%+v is not whole", f)
		}
	}
	if contract != 18 {
		t.Errorf("%d features in the contract, want 18", contract)
	}
	upid(t, "", "models show --features -o csv").want(t, exitOK)
	upid(t, "", "models show --features -o yaml").want(t, exitOK)
	upid(t, "", "models show").want(t, exitUsage, "--features")
	upid(t, "", "models show none --features").want(t, exitUsage, `MODEL_TYPE is "none", want one of resource_prediction`)
}
