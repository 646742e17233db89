package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/store"
	"github.com/upid/upid/collector/views"
)

// defaultAddress is where a sidecar is that was told nothing else.
const defaultAddress = "http://localhost" + config.DefaultListen

// sidecarFlags say which running sidecar is asked.
type sidecarFlags struct {
	Address     string `placeholder:"URL" help:"Sidecar to ask. (default the one that holds the data directory, else that of config.yaml, else http://localhost:9877)"`
	StoragePath string `name:"storage.path" placeholder:"DIR" help:"Data directory by which it is found on this machine. (default that of config.yaml, else data)"`
}

// Validate is called by kong.
func (f *sidecarFlags) Validate() error {
	if f.Address == "" {
		return nil
	}
	if err := config.CheckServerURL(f.Address); err != nil {
		return fmt.Errorf("--address: %w", err)
	}
	return nil
}

// client returns a client of the sidecar: of --address, else of the process that
// holds the data directory, else of the address in the configuration, where then
// perhaps somebody else's sidecar answers.
func (f *sidecarFlags) client(e *env) *client {
	c := &client{base: strings.TrimRight(f.Address, "/"), http: &http.Client{
		Timeout:       askTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if c.base != "" {
		return c
	}
	at := place{dir: config.DefaultStorage, listen: config.DefaultListen}
	if p, err := findPlace(e, ""); err == nil {
		at = p
	} else {
		e.warnf("%v", err)
	}
	if f.StoragePath != "" {
		at.dir = f.StoragePath
	}
	c.base = cmp.Or(reachable([]string{at.listen}), defaultAddress)
	owner, err := store.Find(at.dir)
	if err != nil {
		c.doubt = fmt.Sprintf("the sidecar of data directory %s was not found (%v); what follows is from %s", at.dir, err, c.base)
		return c
	}
	if base := reachable(owner.Addresses); base != "" { // else who answers need not be who has the directory
		c.base, c.dir = base, at.dir
	}
	return c
}

// place is where the sidecar of a configuration keeps its data and listens.
type place struct{ dir, listen, keyFile string }

// findPlace reads it from a configuration file, as upid start looks for one. Of a
// file that is refused it takes what can be read, and says so: nobody must mend a
// file to stop or to ask what runs. A file that cannot be read is an error.
func findPlace(e *env, path string) (place, error) {
	cfg, name, err := loadConfig(path, "")
	if err == nil {
		return place{dir: cfg.Storage.Path, listen: cfg.Web.ListenAddress, keyFile: cfg.Storage.EncryptionKeyFile}, nil
	}
	content, rerr := os.ReadFile(name)
	if rerr != nil {
		return place{}, err
	}
	var at place
	at.dir, at.listen = config.Places(content)
	e.warnf("%s is refused (see upid check); the sidecar is looked for in the data directory %s", name, at.dir)
	return at, nil
}

// reachable returns the URL of the first of the addresses listened on, "" if
// there is none. One that means every interface is reached on this machine.
func reachable(addrs []string) string {
	for _, a := range addrs {
		host, port, err := net.SplitHostPort(a)
		if err != nil {
			continue
		}
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			host = "localhost"
		}
		return "http://" + net.JoinHostPort(host, port)
	}
	return ""
}

const (
	askTimeout = 10 * time.Second
	maxAnswer  = 64 << 20 // bytes; a page of 1,000 predictions has 1 MB
)

// client asks the API of a running sidecar.
type client struct {
	base  string
	doubt string // why it may not be the one that is meant; "" is no doubt
	dir   string // its data directory, by which it was found; "": it was not
	http  *http.Client
}

// sayDoubt says beside an answer that it may be another sidecar's.
func (c *client) sayDoubt(e *env) {
	if c.doubt != "" {
		e.warnf("%s; --address says which one is meant", c.doubt)
	}
}

// notReachableError says that no sidecar answered.
type notReachableError struct {
	base string
	err  error
}

func (e *notReachableError) Error() string {
	return fmt.Sprintf("no sidecar answers at %s: %v\nStart one with \"upid start\", or name its address with --address.", e.base, e.err)
}

func (e *notReachableError) Unwrap() error { return e.err }

// get decodes the data of an answer into to and returns the offset of the next
// page, 0 if there is none, and how many there are in all. The error is an
// *exitError with exitUnreachable if nobody answers.
func (c *client) get(ctx context.Context, path string, q url.Values, to any) (next, total int, err error) {
	u := c.base + "/api/v1/" + path
	if len(q) > 0 {
		u += "?" + q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return 0, 0, usageErrorf("--address: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, 0, c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return 0, 0, c.unreachable(ctx, err)
	case len(body) > maxAnswer:
		return 0, 0, fmt.Errorf("%s: the answer is larger than %d MiB", c.base, maxAnswer>>20)
	}
	var answer struct {
		Status, Error string
		Data          json.RawMessage
		Total, Next   int
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Status == "" {
		return 0, 0, fmt.Errorf("%s answers, but not as upid does (HTTP %d): is it the address of a sidecar?", c.base, resp.StatusCode)
	}
	if answer.Status != "success" {
		return 0, 0, fmt.Errorf("%s: %s", c.base, output.Printable(answer.Error))
	}
	if err := json.Unmarshal(answer.Data, to); err != nil {
		return 0, 0, fmt.Errorf("%s answers, but not as upid %s does: %w", c.base, build().Version, err)
	}
	return answer.Next, answer.Total, nil
}

// unreachable makes the error of a request without an answer.
func (c *client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if ue, ok := errors.AsType[*url.Error](err); ok { // its text repeats the whole URL
		err = ue.Err
	}
	return &exitError{code: exitUnreachable, err: &notReachableError{c.base, err}}
}

// all asks page by page for up to limit objects, 0 being all of them.
func all[T any](ctx context.Context, c *client, path string, q url.Values, limit int) (out []T, total int, err error) {
	out = []T{}
	for offset := 0; ; {
		n := views.MaxLimit
		if limit > 0 {
			n = min(n, limit-len(out))
		}
		q.Set("limit", strconv.Itoa(n))
		q.Set("offset", strconv.Itoa(offset))
		var page []T
		next, in, err := c.get(ctx, path, q, &page)
		if err != nil {
			return nil, 0, err
		}
		out, total = append(out, page...), in
		if next <= offset || limit > 0 && len(out) >= limit {
			return out, total, nil
		}
		offset = next
	}
}
