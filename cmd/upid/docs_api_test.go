package main

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/collector/views"
)

var example = regexp.MustCompile("(?ms)^<!-- ([a-z./_]+\\.json) -->\n```json\n(.*?)^```\n")

// TestDocumentedObjects: the examples in docs/api.md are the golden files.
// UPDATE=1 copies them.
func TestDocumentedObjects(t *testing.T) {
	path := filepath.Join(root, "docs", "api.md")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	text := example.ReplaceAllStringFunc(string(b), func(block string) string {
		found++
		name := example.FindStringSubmatch(block)[1]
		want, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		return "<!-- " + name + " -->\n```json\n" + compact(t, want) + "```\n"
	})
	if found < 7 {
		t.Errorf("%d examples, want one of each object", found)
	}
	if text == string(b) {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Error("docs/api.md does not show the objects as they are (UPDATE=1 rewrites it)")
		return
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// compact writes short arrays and objects in one line, for reading.
func compact(t *testing.T, b []byte) string {
	t.Helper()
	short := regexp.MustCompile(`[\[{][^\[\]{}]*[\]}]`)
	blanks := regexp.MustCompile(`\s*\n\s*`)
	text := short.ReplaceAllStringFunc(string(b), func(s string) string {
		one := blanks.ReplaceAllString(s, " ")
		one = one[:1] + strings.TrimSpace(one[1:len(one)-1]) + one[len(one)-1:]
		if len(one) > 100 || strings.Count(s, "\n") > 8 {
			return s
		}
		return one
	})
	if !json.Valid([]byte(text)) {
		t.Fatalf("no JSON:\n%s", text)
	}
	return text
}

// TestDocumentedRoutes: every route and every parameter is in docs/api.md.
func TestDocumentedRoutes(t *testing.T) {
	text := documents(t)[filepath.Join(root, "docs", "api.md")]
	routes := (&sidecar{views: views.New(views.Options{}), learned: models.NewService(models.ServiceOptions{})}).apiRoutes()
	params := 0
	for _, r := range routes {
		if !strings.Contains(text, "| `"+r.Path+"` |") {
			t.Errorf("docs/api.md lacks %s", r.Path)
		}
		if len(r.Query) == 0 {
			continue
		}
		// It names what it knows when it is asked for what it does not.
		rec := httptest.NewRecorder()
		req := httptest.NewRequest(r.Methods[0], "/?zzz=1", nil)
		req.SetPathValue("type", "cost_optimization")
		r.Serve(rec, req)
		_, names, ok := strings.Cut(rec.Body.String(), "want one of ")
		if !ok {
			continue
		}
		names, _, _ = strings.Cut(names, `"`)
		for name := range strings.SplitSeq(names, ", ") {
			params++
			if !strings.Contains(text, "`"+name+"`") {
				t.Errorf("docs/api.md lacks the parameter %s of %s", name, r.Path)
			}
		}
	}
	if params < 15 {
		t.Errorf("only %d parameters were found", params)
	}
}
