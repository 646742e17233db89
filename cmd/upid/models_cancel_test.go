package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/collector/store"
	"github.com/upid/upid/collector/web"
	"github.com/upid/upid/forecast/features"
)

// TestModelsCancel: the training that runs is found and cancelled; a sidecar that is closed,
// and one that trains nothing, say so.
func TestModelsCancel(t *testing.T) {
	var mu sync.Mutex // of run
	run, code, cancelled := "resource_prediction-7", http.StatusOK, ""
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/models/states", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
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
	// Found by its data directory it needs no door: a file asks it.
	t.Chdir(t.TempDir())
	lock, err := store.Acquire("data")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	if err := lock.Announce([]string{strings.TrimPrefix(s.URL, "http://")}); err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 1)
	go func() {
		for {
			b, err := os.ReadFile("data/pipeline/cancel")
			if err == nil {
				mu.Lock()
				run = ""
				mu.Unlock()
				asked <- string(b)
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if o := upid(t, "", "models cancel resource_prediction"); o.code != exitOK || !strings.Contains(o.stdout, "cancelled") || <-asked != "resource_prediction-7\n" {
		t.Errorf("%+v", o)
	}
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
