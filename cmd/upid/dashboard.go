package main

import (
	"context"
	"fmt"
	"time"
)

// dashboardCmd is the live view; what else a dashboard can be is beside it.
type dashboardCmd struct {
	Show   dashboardShowCmd   `cmd:"" default:"withargs" help:"Show a running sidecar in this terminal. (the default)"`
	Export dashboardExportCmd `cmd:"" help:"Write the Grafana dashboards and their provisioning."`
	Push   dashboardPushCmd   `cmd:"" help:"Upload the dashboards to a Grafana."`
}

// Help is shown by --help.
func (dashboardCmd) Help() string {
	return `Without a further word it is the live view; its flags: upid dashboard show --help

Examples:

    upid dashboard --refresh-interval 10
    upid dashboard export grafana
    upid dashboard push --grafana.url http://localhost:3000
`
}

type dashboardShowCmd struct {
	sidecarFlags    `embed:""`
	RefreshInterval bareSeconds `default:"10" placeholder:"TIME" help:"How often to ask again; a bare number is seconds. (default ${default})"`
}

// Help is shown by --help.
func (dashboardShowCmd) Help() string {
	return `Examples:

    upid dashboard
    upid dashboard --refresh-interval 10 --address http://monitor:9877
`
}

// Validate is called by kong.
func (c *dashboardShowCmd) Validate() error {
	if time.Duration(c.RefreshInterval) < time.Second {
		return fmt.Errorf("--refresh-interval is %v, want at least 1s", time.Duration(c.RefreshInterval))
	}
	return c.sidecarFlags.Validate()
}

// Run shows how the sidecar is doing.
func (c *dashboardShowCmd) Run(ctx context.Context, e *env) error {
	var st runtimeStatus
	cl := c.client(e)
	if _, _, err := cl.get(ctx, "status/runtime", nil, &st); err != nil {
		return err
	}
	_, err := fmt.Fprintf(e.stdout, "upid %s at %s, up %v, prometheus %s\n", st.Version, cl.base,
		time.Duration((st.Now-st.StartTime)*float64(time.Second)).Round(time.Second), st.Upstream.State)
	return err
}
