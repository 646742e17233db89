// Package dashboards holds the Grafana dashboards of upid and what provisions
// them. The JSON is made by the command generate; change it there.
package dashboards

//go:generate go run ./generate

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed *.json provisioning
var files embed.FS

// Dashboard is one dashboard as it is shipped.
type Dashboard struct {
	UID, Title string
	JSON       []byte
}

// All returns the dashboards in the order of their files' names.
func All() []Dashboard {
	names, err := fs.Glob(files, "*.json")
	if err != nil {
		panic(err) // the pattern is good
	}
	out := make([]Dashboard, 0, len(names))
	for _, name := range names {
		d := Dashboard{JSON: read(name)}
		if err := json.Unmarshal(d.JSON, &d); err != nil {
			panic(err) // a test reads every file
		}
		out = append(out, d)
	}
	return out
}

// File is one file of an export. Path is slash-separated.
type File struct {
	Path    string
	Content []byte
}

// Where the provisioning files look in a container of the compose file.
const (
	composePrometheus = "http://prometheus:9090"
	composeDashboards = "/var/lib/grafana/dashboards/upid"
)

// Export returns the dashboards, and under provisioning what makes a Grafana read
// them: dir is where it finds the JSON files, prometheusURL the server that
// scrapes upid.
func Export(dir, prometheusURL string) []File {
	values := map[string]string{quote(composePrometheus): quote(prometheusURL), quote(composeDashboards): quote(dir)}
	var out []File
	err := fs.WalkDir(files, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b := read(path)
		if strings.HasSuffix(path, ".yaml") {
			for old, value := range values {
				b = bytes.ReplaceAll(b, []byte(old), []byte(value))
			}
		}
		out = append(out, File{Path: path, Content: b})
		return nil
	})
	if err != nil {
		panic(err) // embedded files can be read
	}
	return out
}

// quote returns s as a YAML string in which Grafana, which puts environment
// variables into provisioning files, finds none.
func quote(s string) string {
	b, err := json.Marshal(s) // JSON strings are YAML strings
	if err != nil {
		panic(err) // a string has a form in JSON
	}
	return strings.ReplaceAll(string(b), "$", "$$")
}

func read(path string) []byte {
	b, err := files.ReadFile(path)
	if err != nil {
		panic(fmt.Errorf("dashboards: %w", err)) // embedded files can be read
	}
	return b
}
