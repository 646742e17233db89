package privacy

import (
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
	want := labels.FromStrings("__name__", "logins_total", "user", p.Hash("alice"), "username", "bob", "user_id", p.Hash("7"), "host", "web-1")
	if got := p.Labels(ls); !labels.Equal(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
	if got := p.Labels(labels.FromStrings("host", "a")); got.Get("host") != "a" || got.Len() != 1 {
		t.Error(got)
	}
	if got := policy(t, Options{Key: key, Rules: []Rule{{".*", Drop}}}).Labels(ls); !labels.Equal(got, labels.FromStrings("__name__", "logins_total")) {
		t.Error("the metric's name is no label to drop:", got)
	}
}

// TestPolicy_none hides nothing without rules, with a key or not.
func TestPolicy_none(t *testing.T) {
	ls := labels.FromStrings("user", "alice", "source", "192.0.2.7", "client_ip", "192.0.2.8", "host", "web-1")
	for _, key := range [][]byte{nil, key} {
		if got := policy(t, Options{Key: key}).Labels(ls); !labels.Equal(got, ls) {
			t.Errorf("%s, want %s", got, ls)
		}
	}
}

// TestCanary hides a canary user and address, hostile ones too, and looks for them in what
// is left.
func TestCanary(t *testing.T) {
	for _, canary := range []string{"canary-7f3a", "203.0.113.77", "Ünal Çelik", "a\nb\"c{{d}}", "x y&z=ä", "C:\\users\\canary", "2001:db8::77"} {
		for _, action := range []Action{Hash, Drop} {
			p := policy(t, Options{Key: key, Rules: []Rule{{"user|source", action}}})
			v, ok := p.Value("user", canary)
			if ok != (action == Hash) || strings.Contains(v, canary) {
				t.Errorf("%s: %q is %q", action, canary, v)
			}
			p.Labels(labels.FromStrings("user", canary, "source", canary, "realm", "corp")).Range(func(l labels.Label) {
				if strings.Contains(l.Value, canary) {
					t.Errorf("%s: %s is %q", action, l.Name, l.Value)
				}
			})
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
		p.Labels(ls)
	}
}
