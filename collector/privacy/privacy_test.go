package privacy

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
)

var key = []byte("0123456789abcdef")

func policy(t *testing.T, o Options) *Policy {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestHash(t *testing.T) {
	p := policy(t, Options{Key: key})
	// printf alice | openssl dgst -sha256 -hmac 0123456789abcdef
	if got := p.Hash("alice"); got != "hmac-fdbf8b1cacd3d578" {
		t.Error(got)
	}
	if p.Hash("alice") == p.Hash("Alice") || p.Hash("") != "" {
		t.Error("names are not told apart, or the absent has a name")
	}
	other := policy(t, Options{Key: []byte("another key of 24 bytes.")})
	if other.Hash("alice") == p.Hash("alice") {
		t.Error("the key does not matter")
	}
	if got := policy(t, Options{}).Hash("alice"); got != "hmac-none" {
		t.Error(got)
	}
}

func TestPolicy_Labels(t *testing.T) {
	p := policy(t, Options{Key: key, Rules: []Rule{{"user_?name", Keep}, {"user.*", Hash}, {"password|token", Drop}}})
	ls := labels.FromStrings("__name__", "logins_total", "user", "alice", "username", "bob", "user_id", "7", "token", "secret", "host", "web-1")
	for _, d := range []Door{Export, Alert, History, Audit} {
		want := labels.FromStrings("__name__", "logins_total", "user", p.Hash("alice"), "username", "bob", "user_id", p.Hash("7"), "host", "web-1")
		if got := p.Labels(d, ls); !labels.Equal(got, want) {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
	if got := p.Labels(Export, labels.FromStrings("host", "a")); got.Get("host") != "a" || got.Len() != 1 {
		t.Error(got)
	}
	if got := policy(t, Options{Key: key, Rules: []Rule{{".*", Drop}}}).Labels(Log, ls); !labels.Equal(got, labels.FromStrings("__name__", "logins_total")) {
		t.Error("the metric's name is no label to drop:", got)
	}
}

// TestPolicy_default keeps users and addresses out of logs and stored models, and in
// everything else.
func TestPolicy_default(t *testing.T) {
	ls := labels.FromStrings("user", "alice", "source", "192.0.2.7", "client_ip", "192.0.2.8", "host", "web-1", "pod", "api-0", "device", "eth0")
	for _, d := range Doors {
		for _, key := range [][]byte{nil, key} {
			p := policy(t, Options{Key: key})
			got := p.Labels(d, ls)
			private := d == Log || d == Model
			for _, l := range []string{"user", "source", "client_ip"} {
				switch v := got.Get(l); {
				case !private && v != ls.Get(l):
					t.Errorf("%s: %s is %q", d, l, v)
				case private && key == nil && v != "":
					t.Errorf("%s: %s is %q without a key", d, l, v)
				case private && key != nil && v != p.Hash(ls.Get(l)):
					t.Errorf("%s: %s is %q", d, l, v)
				}
			}
			for _, l := range []string{"host", "pod", "device"} {
				if got.Get(l) != ls.Get(l) {
					t.Errorf("%s: %s is %q", d, l, got.Get(l))
				}
			}
		}
	}
	p := policy(t, Options{Rules: []Rule{{"user", Keep}}})
	if got := p.Labels(Log, ls); got.Get("user") != "alice" || got.Has("source") {
		t.Error("a rule to keep does not hold in logs:", got)
	}
}

func TestIdentifying(t *testing.T) {
	for _, l := range []string{"user", "User", "user_name", "ipAddress", "ip_address", "client.address", "source_principal", "remote-addr", "session_id"} {
		if !Identifying(l) {
			t.Error(l)
		}
	}
	for _, l := range []string{"", "instance", "host", "pod", "namespace", "client_id", "realm", "device", "service_account", "code"} {
		if Identifying(l) {
			t.Error(l)
		}
	}
}

func TestPolicy_Entity(t *testing.T) {
	ls := labels.FromStrings("realm", "corp", "user", "alice", "source", "192.0.2.7")
	p := policy(t, Options{Key: key, Rules: []Rule{{"user", Hash}, {"source", Drop}}})
	if got, want := p.Entity(Alert, []string{"realm", "user", "source", "absent"}, ls), "corp/"+p.Hash("alice"); got != want {
		t.Error(got, want)
	}
	if got := p.Entity(Alert, []string{"source"}, ls); got != "" {
		t.Error(got)
	}
}

func TestPolicy_Text(t *testing.T) {
	p := policy(t, Options{Key: key, Rules: []Rule{{"user", Hash}, {"source", Drop}}})
	ls := labels.FromStrings("user", "ann", "source", "10.0.0.1", "host", "web-1")
	h := p.Hash("ann")
	for text, want := range map[string]string{
		"ann from 10.0.0.1 on web-1":             h + " from [dropped] on web-1",
		"annex, joann, 10.0.0.12 and 110.0.0.1":  "annex, joann, 10.0.0.12 and 110.0.0.1",
		`{user="ann"} ann: "10.0.0.1:22"`:        `{user="` + h + `"} ` + h + `: "[dropped]:22"`,
		"/graph?g0.expr=x%7Buser%3D%22ann%22%7D": "/graph?g0.expr=x%7Buser%3D%22" + h + "%22%7D",
		"":                                       "",
		"ann":                                    h,
		"ünicode \xff ann":                       "ünicode \xff " + h,
	} {
		if got := p.Text(Alert, text, ls); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	// A value that holds another goes as a whole.
	ls = labels.FromStrings("user", "ann lee", "source", "lee")
	if got := p.Text(Alert, "ann lee, lee", ls); got != p.Hash("ann lee")+", [dropped]" {
		t.Error(got)
	}
}

// TestCanary sends a canary user and address, hostile ones too, through every door and
// looks for them in all that comes out.
func TestCanary(t *testing.T) {
	for _, canary := range []string{"canary-7f3a", "203.0.113.77", "Ünal Çelik", "a\nb\"c{{d}}", "x y&z=ä", "C:\\users\\canary", "2001:db8::77"} {
		for _, action := range []Action{Hash, Drop} {
			p := policy(t, Options{Key: key, Rules: []Rule{{"user|source", action}}})
			ls := labels.FromStrings("user", canary, "source", canary, "realm", "corp")
			text := fmt.Sprintf("%s failed; %q; %+q; http://p/graph?q=%s; /%s; {user=%s}; %s", canary, canary, canary,
				url.QueryEscape(`up{user=`+strconv.Quote(canary)+`}`), url.PathEscape(canary), canary, canary)
			for _, d := range Doors {
				v, _ := p.Value(d, "user", canary)
				out := p.Labels(d, ls).String() + p.Entity(d, []string{"realm", "user", "source"}, ls) + p.Text(d, text, ls) + v
				for _, form := range spellings(canary) {
					if strings.Contains(out, form) {
						t.Errorf("%s at %s: %q is in %q", action, d, form, out)
					}
				}
			}
		}
	}
}

func TestNew_refused(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Rules: []Rule{{"user", Hash}}}, "rules[0]: hash needs a key"},
		{Options{Rules: []Rule{{"user", "burn"}}}, `action is "burn", want keep, drop or hash`},
		{Options{Rules: []Rule{{"", Drop}}}, "rules[0] names no label"},
		{Options{Rules: []Rule{{"(", Drop}}}, `label "("`},
		{Options{Key: []byte("short")}, "the key has 5 bytes"},
	} {
		if _, err := New(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %s", c.o, err, c.want)
		}
	}
	_, err := New(Options{Key: []byte("short"), Rules: []Rule{{"", Drop}, {"a", "b"}}})
	if err == nil || strings.Count(err.Error(), "privacy:") != 3 {
		t.Error("not all mistakes at once:", err)
	}
}

func BenchmarkPolicy_Labels(b *testing.B) {
	p, err := New(Options{Key: key, Rules: []Rule{{"user", Hash}}})
	if err != nil {
		b.Fatal(err)
	}
	ls := labels.FromStrings("__name__", "logins_total", "user", "alice", "host", "web-1", "job", "sshd")
	for b.Loop() {
		p.Labels(Export, ls)
	}
}
