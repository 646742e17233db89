//go:build unix

package notify

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/collector/testserver"
)

// TestSilences reads the silences of a real Alertmanager, each once though it is named twice, and
// still does so when another one gives no answer that can be used.
func TestSilences(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a real Alertmanager")
	}
	am := testserver.Alertmanager(t, testserver.AlertmanagerOptions{})
	from := time.Now().Add(-time.Minute).UTC().Truncate(time.Second)
	to := from.Add(6 * time.Hour)
	body := fmt.Sprintf(`{"comment":"upid:exclude a load test","createdBy":"ops","startsAt":%q,"endsAt":%q,"matchers":[
		{"name":"signal","value":"cpu","isRegex":false},{"name":"pod","value":"web-.*","isRegex":true,"isEqual":false}]}`,
		from.Format(time.RFC3339), to.Format(time.RFC3339))
	resp, err := http.Post(am.URL+"/api/v2/silences", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	wrong := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"not":"a list"}`) //nolint:errcheck // the client is the test's
	}))
	defer wrong.Close()
	r := against(t, []*testserver.Server{am, {URL: strings.Replace(am.URL, "127.0.0.1", "localhost", 1)}, {URL: wrong.URL}}, Options{})
	defer r.stop()
	got, err := r.n.Silences(t.Context())
	if err == nil || !strings.Contains(err.Error(), "silences of "+wrong.URL) {
		t.Errorf("the wrong one: %v", err)
	}
	if len(got) != 1 {
		t.Fatalf("%+v", got)
	}
	s := got[0]
	slices.SortFunc(s.Matchers, func(a, b Matcher) int { return strings.Compare(a.Name, b.Name) })
	want := []Matcher{{Name: "pod", Value: "web-.*", Regex: true, Negated: true}, {Name: "signal", Value: "cpu"}}
	// A silence begins when it is posted at the earliest.
	if s.ID == "" || s.Comment != "upid:exclude a load test" || s.By != "ops" || s.From.Before(from) || !s.To.Equal(to) || !slices.Equal(s.Matchers, want) {
		t.Errorf("%+v", s)
	}
}
