package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/upid/upid/cmd/upid/output"
)

// Stamped by the linker: -X main.version=….
var version, revision, branch string

// buildInfo says which program this is.
type buildInfo struct {
	Version   string `json:"version"`
	Revision  string `json:"revision"`
	Branch    string `json:"branch"`
	GoVersion string `json:"go_version"`
	OS        string `json:"os"`
	Arch      string `json:"arch"`
}

// build returns what the linker stamped, else what the Go tool recorded, else
// "unknown".
func build() buildInfo {
	b := buildInfo{
		Version: version, Revision: revision, Branch: branch,
		GoVersion: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		if b.Version == "" && info.Main.Version != "(devel)" {
			b.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			if b.Revision == "" && s.Key == "vcs.revision" {
				b.Revision = s.Value
			}
		}
	}
	for _, s := range []*string{&b.Version, &b.Revision, &b.Branch} {
		if *s == "" {
			*s = "unknown"
		}
	}
	return b
}

type versionCmd struct {
	Output string `short:"o" default:"table" enum:"table,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`
}

// Help is shown by --help.
func (versionCmd) Help() string {
	return "Example:\n\n    upid version -o json\n"
}

// Run prints the build.
func (c *versionCmd) Run(e *env) error {
	b := build()
	fields := [][2]string{
		{"version", b.Version},
		{"revision", b.Revision},
		{"branch", b.Branch},
		{"go_version", b.GoVersion},
		{"os", b.OS},
		{"arch", b.Arch},
	}
	switch format := output.Format(c.Output); format {
	case output.JSON:
		enc := json.NewEncoder(e.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(b)
	case output.YAML:
		for _, f := range fields {
			if _, err := fmt.Fprintf(e.stdout, "%s: %q\n", f[0], f[1]); err != nil {
				return err
			}
		}
		return nil
	case output.CSV:
		schema := output.NewSchema(format, "version", "revision", "branch", "go_version", "os", "arch")
		w := output.NewWriter(e.stdout, schema)
		row := schema.Rows(nil)
		for _, f := range fields {
			row.Text(f[1])
		}
		if err := w.Write(row.Bytes()); err != nil {
			return err
		}
		return w.Close()
	default:
		_, err := fmt.Fprintf(e.stdout, "upid %s (revision %s, branch %s, %s, %s/%s)\n",
			b.Version, b.Revision, b.Branch, b.GoVersion, b.OS, b.Arch)
		return err
	}
}
