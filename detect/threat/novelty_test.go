package threat

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

const quarter = 15 * time.Minute

func newUser(c *Company, anonymous bool) *Novelty {
	return NewNovelty(NoveltyOptions{Options: Options{Step: quarter}, Catalogue: Kubernetes, Anonymous: anonymous}, c)
}

// controller is what a controller does all day.
var controller = []Action{
	{Verb: "watch", Resource: "pods", Count: 3, Succeeded: true},
	{Verb: "update", Resource: "leases", Count: 90, Succeeded: true},
	{Verb: "get", Resource: "configmaps", Count: 4, Succeeded: true},
}

// company returns peers that have done that for eight days, and one of them.
func company() (*Company, *Novelty) {
	c := NewCompany()
	users := make([]*Novelty, 10)
	for i := range users {
		users[i] = newUser(c, false)
	}
	for t := start; t < start+8*day; t += quarter.Milliseconds() {
		for _, u := range users {
			u.Step(t, controller)
		}
		c.Settle(quarter)
	}
	return c, users[0]
}

func TestNoveltyOfRights(t *testing.T) {
	_, u := company()
	at := start + 8*day
	if r := u.Step(at, controller); r.Evident() || r.Surprise != 0 {
		t.Errorf("as ever: %+v", r)
	}
	if r := u.Step(at+hour, []Action{{Verb: "get", Resource: "services", Count: 1, Succeeded: true}}); r.Evident() {
		t.Errorf("a read: %+v", r)
	}
	r := u.Step(at+2*hour, []Action{{Verb: "create", Resource: "clusterrolebindings", Count: 1, Succeeded: true}})
	top, what := u.Top()
	if !r.Evident() || top.Threat != PrivilegeEscalation || top.Technique != "T1098.006" || what != "create clusterrolebindings" || r.Observed != 1 {
		t.Errorf("%+v, %+v, %q", r, top, what)
	}
}

// TestNewOperatorIsNoAttack installs one: it makes its own role and binding.
func TestNewOperatorIsNoAttack(t *testing.T) {
	c, _ := company()
	op := newUser(c, false)
	r := op.Step(start+8*day, []Action{
		{Verb: "create", Resource: "serviceaccounts", Count: 1, Succeeded: true},
		{Verb: "create", Resource: "deployments", Count: 1, Succeeded: true},
		{Verb: "create", Resource: "clusterrolebindings", Count: 1, Succeeded: true},
	})
	if s := noveltyWorth.Of(r); s >= 70 {
		t.Errorf("worth %v: %+v", s, r)
	}
}

func TestAnonymousAndRefused(t *testing.T) {
	c, _ := company()
	anonymous := newUser(c, true)
	if r := anonymous.Step(start+8*day, []Action{{Verb: "get", Resource: "nonresource", Count: 5, Succeeded: true}}); r.Evident() {
		t.Errorf("/healthz: %+v", r)
	}
	if r := anonymous.Step(start+8*day+hour, []Action{{Verb: "list", Resource: "pods", Count: 1, Succeeded: true}}); !r.Evident() {
		t.Errorf("anonymous pods: %+v", r)
	}
	_, u := company()
	r := u.Step(start+9*day, []Action{{Verb: "list", Resource: "secrets", Count: 40, Refused: true}})
	if _, what := u.Top(); !r.Evident() || what == "" {
		t.Errorf("40 refusals: %+v %q", r, what)
	}
}

// TestCloudNeedsNoLearning wants the first call of the first user to be evidence, if it
// turns the log off, and a listing not.
func TestCloudNeedsNoLearning(t *testing.T) {
	u := NewNovelty(NoveltyOptions{Options: Options{Step: time.Minute}, Catalogue: AWS}, nil)
	if r := u.Step(start, []Action{{Verb: "DescribeInstances", Resource: "ec2", Count: 9, Succeeded: true}}); r.Evident() {
		t.Errorf("a listing: %+v", r)
	}
	r := u.Step(start+60_000, []Action{{Verb: "StopLogging", Resource: "cloudtrail", Count: 1, Succeeded: true}})
	if top, _ := u.Top(); !r.Evident() || top.Technique != "T1562.008" {
		t.Errorf("%+v %+v", r, top)
	}
	if s := AWS.Look("UpdateFunctionCode20150331v2", "lambda"); s.Weight != 6 {
		t.Errorf("a versioned name: %+v", s)
	}
}

// TestNoveltyOrder wants the order of the answer not to matter.
func TestNoveltyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	a, b := newUser(nil, false), newUser(nil, false)
	for i := range int64(500) {
		var as []Action
		for range r.IntN(20) {
			as = append(as, Action{Verb: []string{"get", "create", "list"}[r.IntN(3)], Resource: []string{"secrets", "pods", "roles", "nodes"}[r.IntN(4)], Count: float64(r.IntN(9)), Refused: r.IntN(5) == 0})
		}
		x := a.Step(start+i*900_000, as)
		r.Shuffle(len(as), func(i, j int) { as[i], as[j] = as[j], as[i] })
		if y := b.Step(start+i*900_000, as); x.Surprise != y.Surprise {
			t.Fatalf("%v and %v", x, y)
		}
	}
}

// TestNoveltyIsBounded makes up names.
func TestNoveltyIsBounded(t *testing.T) {
	c := NewCompany()
	u := newUser(c, false)
	for i := range int64(20_000) {
		sane(t, u.Step(start+i*900_000, []Action{{Verb: fmt.Sprint("verb", i), Resource: "x\n\"{{", Count: 1}}))
		c.Settle(quarter)
	}
	if len(u.known) > maxActions || len(c.now) > maxCompany || len(c.next) > maxCompany {
		t.Errorf("%d actions, %d and %d in the company", len(u.known), len(c.now), len(c.next))
	}
}

// TestFirstDaysAreQuiet starts to watch a cluster: nothing its controllers do is evidence,
// though all is new, unless nobody is behind it; from the third day on new rights are.
func TestFirstDaysAreQuiet(t *testing.T) {
	c := NewCompany()
	u := newUser(c, false)
	sensitive := []string{"secrets", "roles", "rolebindings", "clusterroles", "nodes", "daemonsets", "mutatingwebhookconfigurations"}
	for i := range int64(2 * 96) {
		at := start + i*quarter.Milliseconds()
		as := append([]Action{{Verb: "list", Resource: "secrets", Count: 5, Succeeded: true}}, controller...)
		if i%3 == 0 {
			as = append(as, Action{Verb: "update", Resource: sensitive[i/3%int64(len(sensitive))], Count: 1, Succeeded: true})
		}
		if r := u.Step(at, as); r.Evident() {
			_, what := u.Top()
			t.Fatalf("after %d h: %+v %q", i/4, r, what)
		}
		c.Settle(quarter)
	}
	anonymous := newUser(NewCompany(), true)
	if r := anonymous.Step(start, []Action{{Verb: "list", Resource: "secrets", Count: 1, Succeeded: true}}); !r.Evident() {
		t.Errorf("anonymous: %+v", r)
	}
	if r := u.Step(start+2*day+hour, []Action{{Verb: "create", Resource: "clusterrolebindings", Count: 1, Succeeded: true}}); !r.Evident() {
		t.Errorf("on the third day: %+v", r)
	}
}
