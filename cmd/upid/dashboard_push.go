package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/dashboards"
)

type dashboardPushCmd struct {
	GrafanaURL string        `name:"grafana.url" placeholder:"URL" help:"Grafana to upload to. (required)"`
	TokenFile  string        `name:"grafana.token-file" placeholder:"FILE" help:"File with the token of a service account that may write dashboards. (default the environment variable GRAFANA_TOKEN)"`
	FolderUID  string        `name:"grafana.folder-uid" placeholder:"UID" help:"Folder to put them into. (default the top)"`
	Force      bool          `help:"Overwrite dashboards that were changed."`
	Timeout    time.Duration `default:"30s" placeholder:"TIME" help:"How long one request may take. (default ${default})"`
}

// Help is shown by --help.
func (dashboardPushCmd) Help() string {
	return `Uploads the dashboards by Grafana's HTTP API. Their data source is chosen in the dashboard.

Examples:

    GRAFANA_TOKEN=glsa_... upid dashboard push --grafana.url http://localhost:3000
    upid dashboard push --grafana.url http://localhost:3000 --force
`
}

// Validate is called by kong.
func (c *dashboardPushCmd) Validate() error {
	if c.GrafanaURL == "" {
		return errors.New("--grafana.url is missing, such as http://localhost:3000")
	}
	if err := config.CheckServerURL(c.GrafanaURL); err != nil {
		return fmt.Errorf("--grafana.url: %w", err)
	}
	if c.Timeout <= 0 {
		return fmt.Errorf("--timeout is %v, want more than 0", c.Timeout)
	}
	return nil
}

// Run uploads every dashboard that is not there as it is.
func (c *dashboardPushCmd) Run(ctx context.Context, e *env) error {
	token := os.Getenv("GRAFANA_TOKEN")
	if c.TokenFile != "" {
		b, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return usageErrorf("--grafana.token-file: %w", err)
		}
		token = string(b)
	}
	token = strings.TrimSpace(token)
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return usageErrorf("the token for Grafana has characters that no token has")
	}
	g := &grafanaAPI{base: strings.TrimRight(c.GrafanaURL, "/"), token: token, http: &http.Client{
		Timeout: c.Timeout,
		// A redirect, such as one to a login page, would hide what is wrong.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, d := range dashboards.All() {
		did, err := g.push(ctx, d, c.FolderUID, c.Force)
		if err != nil {
			return fmt.Errorf("push %q: %w", d.Title, err)
		}
		fmt.Fprintf(e.stdout, "%-9s  %s/d/%s\n", did, g.base, d.UID)
	}
	return nil
}

// grafanaAPI is the part of Grafana's HTTP API that takes dashboards.
type grafanaAPI struct {
	base, token string
	http        *http.Client
}

// push uploads a dashboard and says what that did: created, updated or unchanged.
// One that is there and different is overwritten only by force.
func (g *grafanaAPI) push(ctx context.Context, d dashboards.Dashboard, folder string, force bool) (did string, err error) {
	var ours map[string]any
	if err := json.Unmarshal(d.JSON, &ours); err != nil {
		return "", err
	}
	var there struct{ Dashboard map[string]any }
	status, err := g.do(ctx, http.MethodGet, "/api/dashboards/uid/"+url.PathEscape(d.UID), nil, &there)
	did = "created"
	switch {
	case status == http.StatusNotFound:
	case err != nil:
		return "", err
	case there.Dashboard == nil:
		return "", fmt.Errorf("%s answers, but not as Grafana does: no dashboard is in it", g.base)
	case same(ours, there.Dashboard):
		return "unchanged", nil
	case !force:
		return "", errors.New("it is there and different; overwrite it with --force")
	default:
		did = "updated"
	}
	// Grafana counts versions; without one it takes the dashboard as the next.
	delete(ours, "version")
	_, err = g.do(ctx, http.MethodPost, "/api/dashboards/db", map[string]any{
		"dashboard": ours, "folderUid": folder, "overwrite": force, "message": "upid " + build().Version,
	}, nil)
	return did, err
}

// same compares dashboards, but for what Grafana counts by itself.
func same(a, b map[string]any) bool {
	for _, m := range []map[string]any{a, b} {
		delete(m, "id")
	}
	va, vb := a["version"], b["version"]
	defer func() { a["version"], b["version"] = va, vb }()
	delete(a, "version")
	delete(b, "version")
	return reflect.DeepEqual(a, b)
}

const maxGrafanaAnswer = 16 << 20 // bytes; our largest dashboard has 0.1 MB

// do sends one request and decodes the answer into to, unless that is nil. The
// status is 0 if there was no answer.
func (g *grafanaAPI) do(ctx context.Context, method, path string, body, to any) (status int, err error) {
	var b []byte
	if body != nil {
		if b, err = json.Marshal(body); err != nil {
			return 0, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, g.base+path, bytes.NewReader(b))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if g.token != "" {
		req.Header.Set("Authorization", "Bearer "+g.token)
	}
	resp, err := g.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err
		}
		return 0, &exitError{code: exitUnreachable, err: fmt.Errorf("no Grafana answers at %s: %w", g.base, err)}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxGrafanaAnswer))
	if err != nil {
		return resp.StatusCode, fmt.Errorf("%s: %w", g.base, err)
	}
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, grafanaError(g.base, resp.StatusCode, g.token != "", answer)
	}
	if to == nil {
		return resp.StatusCode, nil
	}
	if err := json.Unmarshal(answer, to); err != nil {
		return resp.StatusCode, fmt.Errorf("%s answers, but not as Grafana does: %w", g.base, err)
	}
	return resp.StatusCode, nil
}

// grafanaError says what an answer other than 200 means.
func grafanaError(base string, status int, token bool, answer []byte) error {
	var said struct{ Message string }
	_ = json.Unmarshal(answer, &said) // an answer without a message is told by its status
	text := fmt.Sprintf("%s answers HTTP %d", base, status)
	if said.Message != "" {
		text += fmt.Sprintf(" %.200q", said.Message)
	}
	switch {
	case status == http.StatusUnauthorized && !token:
		text += "; give a token: --grafana.token-file or the environment variable GRAFANA_TOKEN"
	case status == http.StatusUnauthorized:
		text += "; is the token right?"
	case status == http.StatusForbidden:
		text += "; the token's service account needs the role Editor"
	case status >= 300 && status < 400:
		text += "; is it the address of Grafana, with its path if it has one?"
	}
	return errors.New(text)
}
