package notify

import (
	"context"
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/prometheus/common/config"
)

const (
	// resolveEvery is how often the names of Alertmanagers are looked up.
	resolveEvery = 30 * time.Second
	// resolveTimeout bounds one look-up.
	resolveTimeout = 5 * time.Second
)

// resolving looks the names of Alertmanagers up until ctx is done. A name with
// several addresses is as many Alertmanagers: each is to have every alert, and a
// connection goes to one of them only.
func (n *Notifier) resolving(ctx context.Context) {
	t := time.NewTicker(resolveEvery)
	defer t.Stop()
	for {
		n.resolve(ctx)
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		case <-t.C:
		}
	}
}

// resolve looks up each name once. Where that fails the addresses stay what they
// were.
func (n *Notifier) resolve(ctx context.Context) {
	n.mu.Lock()
	configured := n.configured
	known := maps.Clone(n.addresses)
	n.mu.Unlock()
	found := map[string][]string{}
	for _, am := range configured {
		host := lookedUp(am)
		if host == "" || found[host] != nil {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
		addrs, err := n.opts.Lookup(ctx, host)
		cancel()
		if err != nil || len(addrs) == 0 { // the post says so, if it matters
			if known[host] != nil {
				found[host] = known[host]
			}
			continue
		}
		found[host] = oneFamily(addrs)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || maps.EqualFunc(found, n.addresses, slices.Equal[[]string]) {
		return
	}
	for host, addrs := range found {
		if len(addrs) > 1 || len(n.addresses[host]) > 1 {
			n.log.Info("addresses of an alertmanager", "host", host, "addresses", addrs)
		}
	}
	n.addresses = found
	if err := n.apply(n.configured); err != nil { // it was taken before
		n.log.Error("addresses of alertmanagers not used", "err", err)
	}
}

// lookedUp returns the name to look up, "" if there is none: an address, or a
// proxy, which looks it up itself.
func lookedUp(am AlertmanagerConfig) string {
	u, err := parseURL(am.URL)
	if err != nil || am.HTTP.ProxyFromEnvironment || am.HTTP.ProxyURL.URL != nil {
		return ""
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return ""
	}
	return u.Hostname()
}

// oneFamily returns the IPv4 addresses among addrs, or the IPv6 ones if there are no
// others, sorted: those of another family are most likely the same machines.
func oneFamily(addrs []string) []string {
	var four, six []string
	for _, a := range addrs {
		ip, err := netip.ParseAddr(a)
		switch {
		case err != nil:
		case ip.Unmap().Is4():
			four = append(four, ip.Unmap().String())
		default:
			six = append(six, a)
		}
	}
	if len(four) == 0 {
		four = six
	}
	slices.Sort(four)
	return slices.Compact(four)
}

// expand returns ams with one entry for each address of a name that has several.
// The caller holds n.mu or is New.
func (n *Notifier) expand(ams []AlertmanagerConfig) []AlertmanagerConfig {
	var out []AlertmanagerConfig
	for _, am := range ams {
		addrs := n.addresses[lookedUp(am)]
		if len(addrs) < 2 {
			out = append(out, am)
			continue
		}
		for _, a := range addrs {
			am.address = a
			out = append(out, am)
		}
	}
	return out
}

// dialing returns how an Alertmanager is connected to: as dial does, but to its one
// address where it was made one of several.
func (am AlertmanagerConfig) dialing(dial config.DialContextFunc, host string) config.DialContextFunc {
	if am.address == "" {
		return dial
	}
	if dial == nil {
		dial = (&net.Dialer{Timeout: resolveTimeout}).DialContext
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if h, port, err := net.SplitHostPort(addr); err == nil && h == host {
			addr = net.JoinHostPort(am.address, port)
		}
		return dial(ctx, network, addr)
	}
}
