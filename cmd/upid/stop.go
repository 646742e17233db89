package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector/store"
)

type stopCmd struct {
	StoragePath string        `name:"storage.path" default:"" placeholder:"DIR" help:"Data directory of the instance to stop. (default that of config.yaml, else data)"`
	Config      string        `short:"c" placeholder:"FILE" help:"Configuration file of the instance to stop. (default config.yaml if there is one)"`
	Address     string        `placeholder:"URL" help:"Stop a remote instance by POST /-/quit; it must run with --web.enable-lifecycle."`
	Timeout     time.Duration `default:"60s" placeholder:"TIME" help:"How long to wait until it has stopped. (default ${default})"`
}

// Help is shown by --help.
func (stopCmd) Help() string {
	return `Without --address the instance is found by the lock file in its data directory.

Examples:

    upid stop
    upid stop --storage.path /var/lib/upid
    upid stop --address http://localhost:9877
`
}

// Validate is called by kong.
func (c *stopCmd) Validate() error {
	if c.Address == "" {
		return nil
	}
	if err := config.CheckServerURL(c.Address); err != nil {
		return fmt.Errorf("--address: %w", err)
	}
	return nil
}

// Run stops an instance and waits until it is gone.
func (c *stopCmd) Run(ctx context.Context, e *env) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("still running after %v", c.Timeout))
	defer cancel()
	if c.Address != "" {
		return c.remote(ctx, e)
	}
	dir := c.StoragePath
	if dir == "" {
		at, err := findPlace(e, c.Config)
		if err != nil {
			return err
		}
		dir = at.dir
	}
	owner, err := store.Find(dir)
	if err != nil {
		return err
	}
	if err := syscall.Kill(owner.PID, syscall.SIGTERM); err != nil {
		return fmt.Errorf("signal process %d: %w", owner.PID, err)
	}
	gone := func() bool {
		now, err := store.Find(dir)
		return errors.Is(err, store.ErrNotRunning) || err == nil && now.PID != owner.PID
	}
	if err := wait(ctx, gone); err != nil {
		return fmt.Errorf("process %d: %w", owner.PID, err)
	}
	fmt.Fprintf(e.stderr, "stopped process %d\n", owner.PID)
	return nil
}

func (c *stopCmd) remote(ctx context.Context, e *env) error {
	base := strings.TrimRight(c.Address, "/")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	call := func(method, path string) (int, error) {
		req, err := http.NewRequestWithContext(ctx, method, base+path, nil)
		if err != nil {
			return 0, usageErrorf("--address: %w", err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	code, err := call(http.MethodPost, "/-/quit")
	switch {
	case err != nil:
		return fmt.Errorf("not running: %w", err)
	case code == http.StatusForbidden || code == http.StatusNotFound:
		return fmt.Errorf("%s refused to stop (HTTP %d): it must run with --web.enable-lifecycle, and be called from its own machine", base, code)
	case code/100 != 2:
		return fmt.Errorf("%s/-/quit: HTTP %d", base, code)
	}
	if err := wait(ctx, func() bool { _, err := call(http.MethodGet, "/-/healthy"); return err != nil }); err != nil {
		return fmt.Errorf("%s: %w", base, err)
	}
	fmt.Fprintf(e.stderr, "stopped %s\n", base)
	return nil
}

// wait polls until done reports true or ctx is done.
func wait(ctx context.Context, done func() bool) error {
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.C:
		}
	}
	return nil
}
