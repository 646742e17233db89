package threat

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestFirstSeen(t *testing.T) {
	o := Options{Step: step}
	m := NewFirstSeen(o, nil)
	for d := range int64(21) { // from home and from work
		for h, v := range map[int64]string{8: "192.0.2.1", 14: "198.51.100.7"} {
			if r := m.Step(start+d*day+h*hour, []string{v}); r.Evident() {
				t.Fatalf("day %d: %+v", d, r)
			}
		}
	}
	r := m.Step(start+21*day, []string{"192.0.2.1", "203.0.113.9"})
	// Two weeks and four days without a new one: λ = ½/(2.5 + 1) or a little more, as weeks fade.
	if !r.Evident() || m.What() != "203.0.113.9" || r.Observed != 1 || r.Surprise < 0.8 || r.Surprise > 0.9 {
		t.Errorf("%+v %q", r, m.What())
	}
	if s := firstSeenWorth.Of(r); s >= 40 {
		t.Errorf("it alerts alone: %v", s)
	}
	if r := m.Step(start+21*day+hour, []string{"203.0.113.9"}); r.Surprise != 0 {
		t.Errorf("the second time: %+v", r)
	}
	// Who is always on the way.
	m = NewFirstSeen(o, nil)
	for d := range int64(40) {
		if r := m.Step(start+d*day, []string{fmt.Sprint("10.0.0.", d)}); r.Evident() {
			t.Fatalf("a traveller, day %d: %+v", d, r)
		}
	}
}

// TestFirstSeenKnowsPeers lets a user come by the gateway that the others use.
func TestFirstSeenKnowsPeers(t *testing.T) {
	vs := NewValues()
	users := make([]*FirstSeen, 10)
	for i := range users {
		users[i] = NewFirstSeen(Options{Step: step}, vs)
		vs.join()
	}
	for d := range int64(28) {
		for i, u := range users {
			v := "gateway"
			if i == 0 {
				v = "home"
			}
			u.Step(start+d*day, []string{v})
		}
		vs.Settle()
	}
	if r := users[0].Step(start+28*day, []string{"gateway"}); r.Evident() {
		t.Errorf("the gateway: %+v", r)
	}
	if r := users[1].Step(start+28*day, []string{"elsewhere"}); !r.Evident() {
		t.Errorf("elsewhere: %+v", r)
	}
}

func TestFirstSeenIsBounded(t *testing.T) {
	vs := NewValues()
	m := NewFirstSeen(Options{Step: step}, vs)
	for i := range int64(30_000) {
		sane(t, m.Step(start+i*300_000, []string{fmt.Sprint(i), "x\n\"{{", string(make([]byte, 1000))}))
		vs.Settle()
	}
	if len(m.known) > maxValues || len(vs.now) > maxShared {
		t.Errorf("%d values, %d shared", len(m.known), len(vs.now))
	}
}

// TestPeak has one to three sessions a day, then twelve.
func TestPeak(t *testing.T) {
	m, r := NewPeak(Options{Step: step}), rand.New(rand.NewPCG(41, 42))
	slots(21, func(at int64) {
		x := float64(1 + r.IntN(3))
		if e := m.Step(at, x); e.Evident() {
			t.Fatalf("%v sessions: %+v", x, e)
		}
	})
	if e := m.Step(start+21*day, 5); e.Evident() {
		t.Errorf("five are two more: %+v", e)
	}
	e := m.Step(start+21*day+step.Milliseconds(), 12)
	if !e.Evident() || e.Observed != 12 || math.Abs(e.Expected-3) > 0.5 {
		t.Errorf("twelve: %+v", e)
	}
	if e := m.Step(start+21*day+2*step.Milliseconds(), 0); e.Evident() {
		t.Errorf("none: %+v", e)
	}
}

// TestBudgetOfPeak has log-normal days.
func TestBudgetOfPeak(t *testing.T) {
	r := rand.New(rand.NewPCG(43, 44))
	alerts := 0
	const entities, weeks = 60, 10
	for range entities {
		m, last := NewPeak(Options{Step: time.Hour}), int64(0)
		for at := start; at < start+(weeks+2)*week; at += hour {
			if m.Step(at, math.Round(20*math.Exp(0.5*r.NormFloat64()))).Evident() && at-last > day {
				alerts++
				last = at
			}
		}
	}
	if rate := float64(alerts) / entities / weeks; rate > 2*Budget {
		t.Errorf("%.3f a week, budget %v", rate, Budget)
	}
}

// TestDistinct fails once with each of many users, one in ten minutes, from an office where
// some mistype every day.
func TestDistinct(t *testing.T) {
	m, r := NewDistinct(Options{Step: step}, nil), rand.New(rand.NewPCG(45, 46))
	office := func() (users []string) {
		if r.Float64() < 0.03 {
			users = append(users, fmt.Sprint("user", r.IntN(40)))
		}
		return users
	}
	false21 := 0
	slots(21, func(at int64) {
		if m.Step(at, office()).Evident() {
			false21++
		}
	})
	found := Reading{}
	for i := range int64(72) {
		users := office()
		if i%2 == 0 {
			users = append(users, fmt.Sprint("account", i))
		}
		if e := m.Step(start+21*day+i*step.Milliseconds(), users); e.Evident() {
			found = e
			break
		}
	}
	if !found.Evident() || found.Observed < 5 || false21 > 0 {
		t.Errorf("%+v, %d false", found, false21)
	}
}

// TestDistinctIsNotOne fails a hundred times with one.
func TestDistinctIsNotOne(t *testing.T) {
	m := NewDistinct(Options{Step: step}, nil)
	slots(8, func(at int64) {
		if e := m.Step(at, []string{"ann"}); e.Evident() {
			t.Fatalf("%+v", e)
		}
	})
	for i := range int64(5000) {
		sane(t, m.Step(start+8*day+i*step.Milliseconds(), []string{fmt.Sprint(i)}))
	}
	if len(m.seen) > maxDistinct {
		t.Errorf("%d users", len(m.seen))
	}
}

// TestStoryOfPieces of several pieces of evidence.
func TestStoryOfPieces(t *testing.T) {
	first := piece(FamilyAuth, UnusualBehavior, start, 20)
	first.Model = ModelFirstSeen
	at := func(e Evidence, t int64) Evidence { e.Time = t; return e }
	for _, c := range []struct {
		name   string
		pieces []Evidence
		want   string
		least  float64
	}{
		{"forced and used", []Evidence{piece(FamilyAuth, BruteForce, start, 45), piece(FamilyRBAC, PrivilegeEscalation, start+hour, 50)}, CompromisedAccount, 90},
		{"from elsewhere, and used", []Evidence{first, piece(FamilyRBAC, CredentialAccess, start+hour, 50)}, CompromisedAccount, 50},
		{"used before", []Evidence{piece(FamilyRBAC, PrivilegeEscalation, start, 50), piece(FamilyAuth, BruteForce, start+hour, 45)}, PrivilegeEscalation, 50},
		{"two days later", []Evidence{piece(FamilyAuth, BruteForce, start, 45), piece(FamilyRBAC, PrivilegeEscalation, start+2*day, 50)}, PrivilegeEscalation, 50},
		{"odd, and secrets", []Evidence{piece(FamilyBehavior, UnusualBehavior, start, 30), piece(FamilyRBAC, CredentialAccess, start+hour, 50)}, Insider, 60},
		{"odd, and bytes", []Evidence{at(piece(FamilyEgress, DataExfiltration, start, 50), start), at(piece(FamilyBehavior, UnusualBehavior, start, 30), start+5*hour)}, Insider, 40},
		{"odd, and rights", []Evidence{piece(FamilyBehavior, UnusualBehavior, start, 30), piece(FamilyRBAC, PrivilegeEscalation, start+hour, 50)}, PrivilegeEscalation, 60},
		{"odd", []Evidence{piece(FamilyBehavior, UnusualBehavior, start, 30)}, UnusualBehavior, 30},
	} {
		var r Risk
		now := start
		for _, e := range c.pieces {
			r.Add(e)
			now = max(now, e.Time)
		}
		if got, risk := r.Threat(now), r.At(now); got != c.want || risk < c.least || c.least < 90 && risk >= 90 {
			t.Errorf("%s: %s at %.0f, want %s from %v", c.name, got, risk, c.want, c.least)
		}
	}
}
