//go:build unix

package testserver

import (
	"fmt"
	"path/filepath"
	"testing"
)

// AlertmanagerOptions says what an Alertmanager has. The zero value is a server
// that stores alerts and notifies nobody.
type AlertmanagerOptions struct {
	Config string // the whole alertmanager.yml; excludes Webhook
	// Webhook gets a notification for every alert by itself, one second after
	// it first fired and one second after each change.
	Webhook    string
	ExtraFlags []string
}

// Alertmanager starts an Alertmanager that is no member of a cluster:
// UPID_TEST_ALERTMANAGER, or prometheus-alertmanager (Debian's name) or
// alertmanager on the PATH. It is ready when Alertmanager returns.
func Alertmanager(tb testing.TB, o AlertmanagerOptions) *Server {
	tb.Helper()
	return alertmanager(tb, o, "--cluster.listen-address=")
}

// AlertmanagerCluster starts n Alertmanagers that gossip silences and the
// notification log with each other. All are ready when it returns; the cluster
// settles a few seconds later.
func AlertmanagerCluster(tb testing.TB, n int, o AlertmanagerOptions) []*Server {
	tb.Helper()
	var (
		servers []*Server
		peers   []string
	)
	for range n {
		addr := freeAddr(tb)
		flags := append([]string{
			"--cluster.listen-address=" + addr,
			"--cluster.settle-timeout=3s", // no notification before; the default is 1 min
		}, peers...)
		servers = append(servers, alertmanager(tb, o, flags...))
		peers = append(peers, "--cluster.peer="+addr)
	}
	return servers
}

func alertmanager(tb testing.TB, o AlertmanagerOptions, flags ...string) *Server {
	tb.Helper()
	binary := find(tb, "UPID_TEST_ALERTMANAGER", "apt-get install prometheus-alertmanager",
		"prometheus-alertmanager", "alertmanager")
	dir, addr := tb.TempDir(), freeAddr(tb)
	config := filepath.Join(dir, "alertmanager.yml")
	writeFile(tb, config, alertmanagerConfig(o))
	args := append([]string{
		"--config.file=" + config,
		"--storage.path=" + filepath.Join(dir, "data"),
		"--web.listen-address=" + addr,
	}, flags...)
	return run(tb, &Server{
		URL: "http://" + addr, Addr: addr, Dir: filepath.Join(dir, "data"),
		name: "alertmanager", binary: binary, args: append(args, o.ExtraFlags...),
	})
}

func alertmanagerConfig(o AlertmanagerOptions) string {
	switch {
	case o.Config != "":
		return o.Config
	case o.Webhook == "":
		return "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
	}
	// group_by '...' is every label: one group per alert.
	return fmt.Sprintf(`route: {receiver: hook, group_by: ['...'], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: %q, send_resolved: true}]}]
`, o.Webhook)
}
