package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/collector/web"
	"github.com/upid/upid/forecast/features"
)

// TestModelsCancel: the training that runs is found and cancelled; a sidecar that is closed,
// and one that trains nothing, say so.
func TestModelsCancel(t *testing.T) {
	run, code, cancelled := "resource_prediction-7", http.StatusOK, ""
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/models/states", func(w http.ResponseWriter, r *http.Request) {
		web.Answer(w, []models.TypeState{{ModelType: r.URL.Query().Get("model_type"), States: []models.ModelState{}, Automatic: true, RunID: run}}, web.Page{})
	})
	mux.HandleFunc("POST /api/v1/training/{id}/cancel", func(w http.ResponseWriter, r *http.Request) {
		cancelled = r.PathValue("id")
		w.WriteHeader(code)
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	cancel := "models cancel resource_prediction --address " + s.URL
	if o := upid(t, "", cancel); o.code != exitOK || cancelled != run || !strings.Contains(o.stdout, "cancelled") {
		t.Errorf("%+v, %q cancelled", o, cancelled)
	}
	code = http.StatusForbidden
	upid(t, "", cancel).want(t, exitFailure, "--web.enable-lifecycle")
	code = http.StatusConflict
	upid(t, "", cancel).want(t, exitFailure, "has ended meanwhile")
	run = ""
	upid(t, "", cancel).want(t, exitFailure, "no training of resource_prediction runs at "+s.URL)
	s.Close()
	upid(t, "", cancel).want(t, exitUnreachable, "no sidecar answers")
	upid(t, "", "models cancel nothing").want(t, exitUsage, "MODEL_TYPE")
}

// TestModelsState: every type has a state, in a directory without versions too.
func TestModelsState(t *testing.T) {
	t.Chdir(t.TempDir())
	o := upid(t, "", "models state -o csv")
	o.want(t, exitOK)
	if lines := strings.Split(strings.TrimSpace(o.stdout), "\n"); len(lines) != 1+len(features.Types) || lines[1] != `resource_prediction,,,untrained,no version is in use; train one with upid train resource_prediction` {
		t.Errorf("%s", o.stdout)
	}
	o = upid(t, "", "models state resource_prediction -o json")
	o.want(t, exitOK)
	if !strings.Contains(o.stdout, `"pipeline": null`) || !strings.Contains(o.stdout, `"state": "untrained"`) {
		t.Errorf("%s", o.stdout)
	}
	// No terminal: what to do is not cut off.
	if o := upid(t, "", "models state"); !strings.Contains(o.stdout, "no version is in use; train one with upid train resource_prediction\n") {
		t.Errorf("%s", o.stdout)
	}
	if entries, err := os.ReadDir("."); err != nil || len(entries) > 0 {
		t.Errorf("asking made %v, %v", entries, err)
	}
}
