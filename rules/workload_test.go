package rules

import (
	"testing"

	"github.com/prometheus/prometheus/model/labels"
)

func TestWorkload(t *testing.T) {
	f := func(want string, ls ...string) {
		t.Helper()
		got, ok := Workload(labels.FromStrings(ls...))
		if ok != (want != "") || got != want {
			t.Errorf("%v: %q, %v, want %q", ls, got, ok, want)
		}
	}
	f("\xffshop\xffcheckout", "namespace", "shop", "pod", "checkout-7d9f8b6c5d-x2k4p", "container", "app")
	f("\xffshop\xffcheckout", "namespace", "shop", "deployment", "checkout")
	f("\xffshop\xffcheckout", "namespace", "shop", "workload", "checkout", "pod", "x-0")
	f("c\xffshop\xffweb-redis", "cluster", "c", "namespace", "shop", "pod", "web-redis-0")
	f("\xff\xffagent", "pod", "agent-x2k4p")
	f("\xff\xffbackup", "pod_name", "backup-28405320-x2k4p")
	f("\xff\xffmy-redis", "pod", "my-redis")
	f("", "job", "node", "instance", "a:9100")
	f("")
}
