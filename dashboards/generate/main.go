// Command generate writes the Grafana dashboards: it is run by go generate in
// the directory above, and its output is committed.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	for name, d := range dashboards() {
		if err := write(filepath.Join(".", name), d); err != nil {
			fmt.Fprintln(os.Stderr, "generate:", err)
			os.Exit(1)
		}
	}
}

// dashboards returns every dashboard by the name of its file.
func dashboards() map[string]object {
	return map[string]object{
		"upid-business.json":        business(),
		"upid-models.json":          models(),
		"upid-overview.json":        overview(),
		"upid-signal.json":          signal(),
		"upid-threats.json":         threats(),
		"upid-capacity.json":        capacity(),
		"upid-recommendations.json": recommendations(),
	}
}

func write(path string, d object) error {
	b, err := render(d)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}

// render returns a dashboard as it is committed: keys sorted, PromQL readable.
func render(d object) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
