package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/collector/views"
	"github.com/upid/upid/collector/web"
)

// allRoutes is the table of everything a sidecar serves.
func allRoutes(t *testing.T) []web.Route {
	t.Helper()
	s := &sidecar{views: views.New(views.Options{}), learned: models.NewService(models.ServiceOptions{})}
	srv, err := web.New(web.Options{Metrics: http.NotFoundHandler(), Routes: s.apiRoutes(), Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	return srv.Routes()
}

// TestOpenAPI: docs/openapi.json is what the routes make. UPDATE=1 writes it.
func TestOpenAPI(t *testing.T) {
	got, err := web.OpenAPI(allRoutes(t), apiVersion)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "docs", "openapi.json")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/openapi.json is not what the routes make (UPDATE=1 writes it)")
	}
}

// TestOpenAPIServed holds a running sidecar to its own description: every path answers
// with a method that is described, unknown parameters are refused with the names that
// are described, and objects have the fields that are required.
func TestOpenAPIServed(t *testing.T) {
	prom := constantPrometheus(t)
	addr, stop := startSidecar(t, "--prometheus.url", prom.URL)
	defer stop()
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Role        string `json:"x-role"`
			Parameters  []struct{ Name, In string }
			Responses   map[string]any
		}
		Components struct {
			Schemas map[string]struct {
				Required   []string
				Properties map[string]any
			}
		}
	}
	code, body := fetch(t, "GET", "http://"+addr+"/api/v1/openapi.json", "")
	if err := json.Unmarshal([]byte(body), &doc); err != nil || code != http.StatusOK {
		t.Fatalf("%d, %v", code, err)
	}
	for _, r := range allRoutes(t) {
		item := doc.Paths[strings.TrimSuffix(r.Path, "{$}")]
		for _, m := range r.Methods {
			if op := item[strings.ToLower(m)]; op.OperationID != r.Name || op.Role != string(r.Role) {
				t.Errorf("%s %s is described as %+v", m, r.Path, op)
			}
		}
	}
	for path, item := range doc.Paths {
		for method, op := range item {
			if op.Role != string(web.Viewer) || !strings.HasPrefix(path, "/api/") {
				continue
			}
			at := strings.NewReplacer("{name}", "none", "{id}", "none", "{type}", "cost_optimization").Replace(path)
			code, body := fetch(t, strings.ToUpper(method), "http://"+addr+at, "")
			if code == http.StatusMethodNotAllowed || code >= 500 {
				t.Errorf("%s %s: %d %s", method, at, code, body)
			}
			code, body = fetch(t, strings.ToUpper(method), "http://"+addr+at+"?zzz=1", "")
			_, names, lists := strings.Cut(body, "want one of ")
			if code != http.StatusBadRequest || !lists {
				continue
			}
			names, _, _ = strings.Cut(names, `"`)
			var described []string
			for _, p := range op.Parameters {
				if p.In == "query" {
					described = append(described, p.Name)
				}
			}
			real := strings.Split(names, ", ")
			slices.Sort(real)
			slices.Sort(described)
			if !slices.Equal(real, described) {
				t.Errorf("%s knows %v, described are %v", path, real, described)
			}
		}
	}
	for name, schema := range doc.Components.Schemas {
		for _, field := range schema.Required {
			if schema.Properties[field] == nil {
				t.Errorf("%s requires %s, which it has not", name, field)
			}
		}
	}
}

func fetch(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b.String()
}
