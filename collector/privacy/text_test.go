package privacy

import (
	"fmt"
	"strings"
	"testing"
)

func TestPolicy_Text(t *testing.T) {
	p := policy(t, Options{Key: key, Rules: []Rule{{"user.*", Hash}, {"token", Drop}}})
	alice := p.Hash("alice")
	for in, want := range map[string]string{
		`no labels here`: `no labels here`,
		`found duplicate series for the match group {user="alice", host="web-1"} on the right`: `found duplicate series for the match group {user="` + alice + `", host="web-1"} on the right`,
		`[{__name__="x", user_id = "alice", token="s3cret"}];many-to-many`:                     `[{__name__="x", user_id = "` + alice + `", token="…"}];many-to-many`,
		`{user=~"alice"} {user!="alice"} {user!~"alice"}`:                                      `{user=~"` + alice + `"} {user!="` + alice + `"} {user!~"` + alice + `"}`,
		`{"user.name"="alice"}`:       `{"user.name"="` + alice + `"}`,
		`{user=""}`:                   `{user=""}`,
		`{user="a\"l\\"} {token="x"}`: `{user="` + p.Hash(`a"l\`) + `"} {token="…"}`,
		`cut off {user="alic`:         `cut off {user="` + p.Hash("alic"),
		`query "up{host=\"web-1\"}"`:  `query "up{host=\"web-1\"}"`,
	} {
		if got := p.Text(in); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
		// The same within a quoted text.
		if got, want := p.Text(fmt.Sprintf("%q", in)), fmt.Sprintf("%q", want); strings.Count(in, `"`)%2 == 0 && !strings.Contains(in, `\"web`) && strings.ReplaceAll(got, "…", `\u2026`) != strings.ReplaceAll(want, "…", `\u2026`) {
			t.Errorf("quoted %q\n got %s\nwant %s", in, got, want)
		}
	}
}

func FuzzPolicy_Text(f *testing.F) {
	f.Add(`{user="alice"}`, "alice")
	f.Add(`{a="\\`, `"`)
	f.Fuzz(func(t *testing.T, text, user string) {
		p := policy(t, Options{Key: key, Rules: []Rule{{"user", Hash}}})
		p.Text(text)
		if len(user) < 8 || strings.Contains(text, user) || strings.Contains(p.Hash(user), user) {
			return
		}
		s := text + fmt.Sprintf(` {user=%q}`, user)
		if got := p.Text(s); !strings.ContainsAny(text, `"\`) && strings.Contains(got, user) {
			t.Errorf("%q is in %s", user, got)
		}
	})
}
