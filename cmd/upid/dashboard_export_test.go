package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/upid/upid/dashboards"
)

// written returns the files below dir.
func written(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(rel)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDashboardExport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "grafana")
	o := upid(t, "", "dashboard export "+dir)
	o.want(t, exitOK)
	files := written(t, dir)
	if n := len(dashboards.All()) + 2; len(files) != n || strings.Count(o.stdout, "\n") != n {
		t.Errorf("%d files and stdout\n%s", len(files), o.stdout)
	}
	for _, d := range dashboards.All() {
		if files[d.UID+".json"] != string(d.JSON) {
			t.Errorf("%s.json is not the dashboard", d.UID)
		}
	}
	if y := files["provisioning/dashboards/upid.yaml"]; !strings.Contains(y, `path: "`+dir+`"`) {
		t.Errorf("the provider does not look in %s:\n%s", dir, y)
	}
	if y := files["provisioning/datasources/upid.yaml"]; !strings.Contains(y, `url: "http://localhost:9090"`) {
		t.Errorf("data source:\n%s", y)
	}

	// What is as it was written may be written again; what was changed may not,
	// and then nothing is.
	upid(t, "", "dashboard export "+dir).want(t, exitOK)
	changed := filepath.Join(dir, "upid-signal.json")
	if err := os.WriteFile(changed, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := written(t, dir)
	upid(t, "", "dashboard export "+dir+" --prometheus.url http://elsewhere:9090").want(t, exitFailure, "nothing was written", changed, "datasources", "--force")
	if after := written(t, dir); len(after) != len(before) || after["upid-signal.json"] != "{}" || after["provisioning/datasources/upid.yaml"] != before["provisioning/datasources/upid.yaml"] {
		t.Error("something was written")
	}
	upid(t, "", "dashboard export "+dir+" --force --path /in/container --prometheus.url https://elsewhere/prom").want(t, exitOK)
	after := written(t, dir)
	if after["upid-signal.json"] != files["upid-signal.json"] || len(after) != len(dashboards.All())+2 ||
		!strings.Contains(after["provisioning/dashboards/upid.yaml"], `path: "/in/container"`) ||
		!strings.Contains(after["provisioning/datasources/upid.yaml"], `url: "https://elsewhere/prom"`) {
		t.Errorf("after --force: %v", after)
	}
}

func TestDashboardExport_refused(t *testing.T) {
	upid(t, "", "dashboard export").want(t, exitUsage, "DIR is missing")
	upid(t, "", "dashboard export x --prometheus.url ftp://x").want(t, exitUsage, "--prometheus.url: want an http or https URL")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	upid(t, "", "dashboard export "+file).want(t, exitFailure, "export dashboards:")
}
