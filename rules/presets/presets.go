// Package presets holds the signals that upid ships for well-known exporters, in
// the form of the configuration file.
package presets

import (
	"embed"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Names returns the names of the presets, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // the embedded root is always there
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// Get returns the file of a preset.
func Get(name string) (file []byte, ok bool) {
	b, err := files.ReadFile(name + ".yaml")
	return b, err == nil
}
