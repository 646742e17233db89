package dashboards

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSchema compiles the dashboards against the types of Grafana's own schema
// package, which npm installs into .tools at first.
func TestSchema(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the TypeScript compiler")
	}
	for _, tool := range []string{"bash", "node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s here: the dashboards are not compiled against Grafana's schema", tool)
		}
	}
	check := func(files ...string) (string, error) {
		out, err := exec.Command("../tools/dashboards/check.sh", append([]string{"../.tools/dashboards"}, files...)...).CombinedOutput()
		return string(out), err
	}
	names, err := filepath.Glob("*.json")
	if err != nil || len(names) != len(All()) {
		t.Fatalf("%d files of %d dashboards, %v", len(names), len(All()), err)
	}
	out, err := check(names...)
	if err != nil {
		if strings.Contains(out, "npm error") && os.Getenv("UPID_REQUIRE_SERVERS") != "1" {
			t.Skipf("npm cannot install @grafana/schema, so the dashboards are not compiled against it:\n%s", out)
		}
		t.Fatalf("%v\n%s", err, out)
	}

	// What Grafana would not know is refused, each time for its own reason.
	for _, c := range []struct{ old, broken, want string }{
		{`"drawStyle": "line"`, `"drawStyle": "lines"`, `"lines"`},
		{`"timeFrom": "1h"`, `"timeForm": "1h"`, "timeForm"},
		{`"graphTooltip": 1`, `"graphTooltip": 5`, "'5'"},
	} {
		for _, d := range All() {
			if d.UID != "upid-signal" {
				continue
			}
			file := filepath.Join(t.TempDir(), "broken.json")
			text := strings.Replace(string(d.JSON), c.old, c.broken, 1)
			if text == string(d.JSON) {
				t.Fatalf("%s is not in the dashboard", c.old)
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := check(file); err == nil || !strings.Contains(out, c.want) {
				t.Errorf("%s compiles or fails for another reason (%v):\n%.300s", c.broken, err, out)
			}
		}
	}
}
