package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/upid/upid/dashboards"
)

// fakeGrafana keeps dashboards as Grafana does: it gives ids, counts versions and
// refuses to overwrite unless it is told to.
type fakeGrafana struct {
	*httptest.Server
	mu         sync.Mutex
	dashboards map[string]map[string]any
	saves      []string // "uid folder overwrite"
	token      string   // that it wants; "" takes all
	prefix     string   // of its paths
}

func newFakeGrafana(t *testing.T) *fakeGrafana {
	g := &fakeGrafana{dashboards: map[string]map[string]any{}, prefix: "/grafana"}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/dashboards/uid/{uid}", func(w http.ResponseWriter, r *http.Request) {
		d, ok := g.dashboards[r.PathValue("uid")]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"message":"Dashboard not found"}`)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"dashboard": d, "meta": map[string]any{"version": d["version"]}})
	})
	mux.HandleFunc("POST /api/dashboards/db", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Dashboard map[string]any `json:"dashboard"`
			FolderUID string         `json:"folderUid"`
			Overwrite bool           `json:"overwrite"`
			Message   string         `json:"message"`
		}
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil || in.Dashboard["title"] == "" || in.Message == "" || in.Dashboard["id"] != nil {
			http.Error(w, `{"message":"bad request"}`, http.StatusBadRequest)
			return
		}
		uid := in.Dashboard["uid"].(string)
		version := 1.0
		if old, ok := g.dashboards[uid]; ok {
			if !in.Overwrite {
				w.WriteHeader(http.StatusPreconditionFailed)
				fmt.Fprint(w, `{"message":"The dashboard has been changed by someone else","status":"version-mismatch"}`)
				return
			}
			version = old["version"].(float64) + 1
		}
		in.Dashboard["id"], in.Dashboard["version"] = float64(len(g.dashboards)+7), version
		g.dashboards[uid] = in.Dashboard
		g.saves = append(g.saves, fmt.Sprint(uid, " ", in.FolderUID, " ", in.Overwrite))
		fmt.Fprintf(w, `{"id":7,"uid":%q,"status":"success","version":1}`, uid)
	})
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.token != "" && r.Header.Get("Authorization") != "Bearer "+g.token {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"message":"Unauthorized"}`)
			return
		}
		http.StripPrefix(g.prefix, mux).ServeHTTP(w, r)
	}))
	t.Cleanup(g.Close)
	return g
}

func TestDashboardPush(t *testing.T) {
	g := newFakeGrafana(t)
	g.token = "glsa_secret"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(" glsa_secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	push := "dashboard push --grafana.url " + g.URL + "/grafana/ --grafana.token-file " + file
	o := upid(t, "", push+" --grafana.folder-uid ops")
	o.want(t, exitOK)
	want, saves := "", []string(nil)
	for _, d := range dashboards.All() {
		want += "created    " + g.URL + "/grafana/d/" + d.UID + "\n"
		saves = append(saves, d.UID+" ops false")
	}
	if o.stdout != want || len(saves) < 3 {
		t.Errorf("stdout\n%swant\n%s", o.stdout, want)
	}
	if !slices.Equal(g.saves, saves) {
		t.Errorf("saved %q, want %q", g.saves, saves)
	}
	for _, d := range dashboards.All() {
		var want map[string]any
		if err := json.Unmarshal(d.JSON, &want); err != nil || !same(want, g.dashboards[d.UID]) {
			t.Errorf("%s arrived otherwise (%v)", d.UID, err)
		}
	}

	// The token may come by environment; what is there is left alone.
	t.Setenv("GRAFANA_TOKEN", "glsa_secret")
	o = upid(t, "", "dashboard push --grafana.url "+g.URL+"/grafana")
	o.want(t, exitOK)
	if strings.Count(o.stdout, "unchanged") != len(saves) || len(g.saves) != len(saves) {
		t.Errorf("saved again: %v\n%s", g.saves, o.stdout)
	}
	g.dashboards["upid-signal"]["title"] = "mine"
	upid(t, "", push).want(t, exitFailure, `push "upid / Signal": it is there and different`, "--force")
	if g.dashboards["upid-signal"]["title"] != "mine" {
		t.Error("a changed dashboard was overwritten")
	}
	o = upid(t, "", push+" --force")
	o.want(t, exitOK)
	if !strings.Contains(o.stdout, "updated    ") || g.dashboards["upid-signal"]["title"] != "upid / Signal" || g.dashboards["upid-signal"]["version"] != 2.0 {
		t.Errorf("after --force: %v\n%s", g.dashboards["upid-signal"]["version"], o.stdout)
	}
}

func TestDashboardPush_refused(t *testing.T) {
	g := newFakeGrafana(t)
	g.token = "glsa_secret"
	at := "dashboard push --grafana.url "
	upid(t, "", "dashboard push").want(t, exitUsage, "--grafana.url")
	upid(t, "", at+"localhost:3000").want(t, exitUsage, "--grafana.url: want an http or https URL")
	upid(t, "", at+"http://admin:admin@localhost").want(t, exitUsage, "has a user or password in it")
	upid(t, "", at+g.URL+"/grafana --timeout 0s").want(t, exitUsage, "--timeout")
	upid(t, "", at+g.URL+"/grafana --grafana.token-file /does/not/exist").want(t, exitUsage, "--grafana.token-file")
	upid(t, "", at+g.URL+"/grafana").want(t, exitFailure, `HTTP 401 "Unauthorized"; give a token`)
	t.Setenv("GRAFANA_TOKEN", "wrong")
	o := upid(t, "", at+g.URL+"/grafana")
	o.want(t, exitFailure, "is the token right?")
	t.Setenv("GRAFANA_TOKEN", "glsa_secret\nX-Injected: 1")
	o = upid(t, "", at+g.URL+"/grafana")
	o.want(t, exitUsage, "characters that no token has")
	if strings.Contains(o.stderr, "secret") {
		t.Errorf("stderr shows the token: %s", o.stderr)
	}
	t.Setenv("GRAFANA_TOKEN", "glsa_secret")
	upid(t, "", at+g.URL).want(t, exitFailure, "HTTP 404") // without its path
	if len(g.saves) != 0 {
		t.Errorf("saved %v", g.saves)
	}
	g.Close()
	upid(t, "", at+g.URL+"/grafana").want(t, exitUnreachable, "no Grafana answers at "+g.URL)

	// Other servers, and what they say, do no harm.
	for body, want := range map[string]string{
		"302 /login":                        "is it the address of Grafana",
		"403 {\"message\":\"\u001b[2Jno\"}": `"\x1b[2Jno"; the token's service account needs the role Editor`,
		"200 <html>":                        "not as Grafana does",
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			var code int
			var text string
			_, _ = fmt.Sscan(body, &code, &text)
			w.Header().Set("Location", "/login")
			w.WriteHeader(code)
			fmt.Fprint(w, strings.ReplaceAll(text, "\u001b", `\u001b`))
		}))
		upid(t, "", at+s.URL).want(t, exitFailure, want)
		s.Close()
	}
}

// TestPushToSomethingElse meets a server that says yes to everything.
func TestPushToSomethingElse(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }))
	t.Cleanup(s.Close)
	upid(t, "", "dashboard push --grafana.url "+s.URL).want(t, exitFailure, "not as Grafana does")
}
