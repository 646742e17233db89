package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/upid/upid/dashboards"
)

// composeFile is what our compose file may hold, so that a misspelt key is found.
type composeFile struct {
	Name     string
	Services map[string]struct {
		Image, Pid, Restart string
		Build               struct{ Context, Dockerfile string }
		Command             []string
		Environment         map[string]string
		Ports, Volumes      []string
		DependsOn           []string `yaml:"depends_on"`
		ReadOnly            bool     `yaml:"read_only"`
		CapDrop             []string `yaml:"cap_drop"`
		SecurityOpt         []string `yaml:"security_opt"`
	}
	Volumes map[string]struct{}
}

const composeDir = root + "/deploy/compose"

func readCompose(t *testing.T) composeFile {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(composeDir, "docker-compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var c composeFile
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCompose checks what can be checked without Docker.
func TestCompose(t *testing.T) {
	c := readCompose(t)
	published := map[string]bool{}
	for name, s := range c.Services {
		if s.Build.Context == "" && !regexp.MustCompile(`^[a-z-]+/[a-z-]+:v?\d+\.\d+\.\d+$`).MatchString(s.Image) {
			t.Errorf("%s: the image %q has no exact version", name, s.Image)
		}
		for _, p := range s.Ports {
			m := regexp.MustCompile(`^127\.0\.0\.1:(\d+):\d+$`).FindStringSubmatch(p)
			if m == nil || published[m[1]] {
				t.Errorf("%s: the port %q is not this machine's only, or taken", name, p)
				continue
			}
			published[m[1]] = true
		}
		for _, d := range s.DependsOn {
			if _, ok := c.Services[d]; !ok {
				t.Errorf("%s depends on %s, which is no service", name, d)
			}
		}
		for _, v := range s.Volumes {
			from, to, _ := strings.Cut(v, ":")
			if !strings.HasPrefix(to, "/") {
				t.Errorf("%s: volume %q", name, v)
			}
			if !strings.ContainsAny(from, "./") {
				if _, ok := c.Volumes[from]; !ok {
					t.Errorf("%s: no volume %s", name, from)
				}
				continue
			}
			if !strings.Contains(to, ":ro") {
				t.Errorf("%s may write to %s", name, from)
			}
			if !filepath.IsAbs(from) {
				from = filepath.Join(composeDir, from)
			}
			if _, err := os.Stat(from); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	u := c.Services["upid"]
	if !u.ReadOnly || len(u.CapDrop) != 1 || u.CapDrop[0] != "ALL" || len(u.SecurityOpt) != 1 {
		t.Errorf("upid may do more than it must: %+v", u)
	}
	docker, err := os.ReadFile(filepath.Join(composeDir, u.Build.Context, u.Build.Dockerfile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"CGO_ENABLED=0", "\nFROM scratch\n", "\nUSER 65534:65534\n", "\nEXPOSE 9877\n"} {
		if !strings.Contains(string(docker), want) {
			t.Errorf("the Dockerfile lacks %q", want)
		}
	}
	// What upid is built from reaches the build.
	ignore, err := os.ReadFile(filepath.Join(composeDir, u.Build.Context, u.Build.Dockerfile+".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "list", "-deps", "-f", `{{if not .Standard}}{{.ImportPath}}{{end}}`, ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if own, ok := strings.CutPrefix(strings.TrimSpace(line), "github.com/upid/upid/"); ok {
			if top, _, _ := strings.Cut(own, "/"); !strings.Contains(string(ignore), "\n!"+top+"\n") {
				t.Errorf("%s is not sent to the build", own)
			}
		}
	}
	// Grafana finds every dashboard where its provisioning says.
	mounts := composeMounts(t, "grafana")
	provider, err := os.ReadFile(mounts["/etc/grafana/provisioning/dashboards/upid.yaml"])
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dashboards.All() {
		dir := "/var/lib/grafana/dashboards/upid"
		if b, err := os.ReadFile(mounts[dir+"/"+d.UID+".json"]); err != nil || string(b) != string(d.JSON) || !strings.Contains(string(provider), `path: "`+dir+`"`) {
			t.Errorf("Grafana does not find %s (%v)", d.UID, err)
		}
	}
	if home := c.Services["grafana"].Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]; mounts[home] == "" {
		t.Errorf("the home dashboard %s is not there", home)
	}
}

// composeMounts returns the files of a service by their path in its container.
func composeMounts(t *testing.T, service string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, v := range readCompose(t).Services[service].Volumes {
		if parts := strings.Split(v, ":"); strings.HasPrefix(parts[0], ".") {
			out[parts[1]] = filepath.Join(composeDir, parts[0])
		}
	}
	return out
}

// TestComposeConfigurations lets each program check its own.
func TestComposeConfigurations(t *testing.T) {
	upid(t, "", "check --config "+composeMounts(t, "upid")["/etc/upid/upid.yaml"]).want(t, exitOK)

	tool := func(env, name, sibling string) string {
		if path := os.Getenv(env); path != "" {
			return filepath.Join(filepath.Dir(path), sibling)
		}
		path, err := exec.LookPath(sibling)
		if err != nil {
			t.Skipf("no %s here: its configuration is not checked", name)
		}
		return path
	}
	f := func(service, below, tool string, args ...string) {
		t.Helper()
		dir := t.TempDir() // as in the container, since files name each other
		for path, file := range composeMounts(t, service) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, strings.TrimPrefix(path, below)), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(tool, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
		}
	}
	f("prometheus", "/etc/prometheus/", tool("UPID_TEST_PROMTOOL", "Prometheus", "promtool"), "check", "config", "prometheus.yml")
	f("alertmanager", "/etc/alertmanager/", tool("UPID_TEST_ALERTMANAGER", "Alertmanager", "amtool"), "check-config", "alertmanager.yml")
}
