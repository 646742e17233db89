package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestCommitted holds the committed dashboards to what is generated; UPDATE=1
// rewrites them.
func TestCommitted(t *testing.T) {
	ds := dashboards()
	for name, d := range ds {
		path := filepath.Join("..", name)
		if os.Getenv("UPDATE") != "" {
			if err := write(path, d); err != nil {
				t.Fatal(err)
			}
		}
		want, err := render(d)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != string(want) {
			t.Errorf("%s is not what is generated (%v): run go generate ./dashboards", name, err)
		}
	}
	if committed, _ := filepath.Glob("../*.json"); len(committed) != len(ds) {
		t.Errorf("%d dashboards are generated, there are %q", len(ds), committed)
	}
}
