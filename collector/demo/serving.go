package demo

import (
	"math/rand/v2"
	"time"
)

// serving is a service with its series, which its ingress counts: they outlive
// the pods.
type serving struct {
	*service
	on  *running
	rng *rand.Rand

	latencyNoise           wander
	ok, failed, sum, count metric
	loginOK, loginFailed   metric
	isLogin                bool
}

func newServing(v *service, on *running, rng *rand.Rand) *serving {
	m := func(name string, more ...string) metric {
		return newMetric(name, append([]string{"namespace", on.namespace, "service", on.name, "job", "ingress"}, more...)...)
	}
	return &serving{
		service: v, on: on, rng: rng, latencyNoise: newWander(0.03, 5*time.Minute, rng), isLogin: on.name == "login",
		ok: m("http_requests_total", "code", "200"), failed: m("http_requests_total", "code", "500"),
		sum: m("http_request_duration_seconds_sum"), count: m("http_request_duration_seconds_count"),
		loginOK: m("login_attempts_total", "result", "success"), loginFailed: m("login_attempts_total", "result", "failure"),
	}
}

// failedLogins is the share of log-ins that fail on an ordinary day: people
// mistype.
const failedLogins = 0.04

func (v *serving) scrape(s *scrape, e effect) {
	seconds := Interval.Seconds()
	n := count(v.rate*v.on.load*seconds, v.rng)
	slowness := v.latency * (1 + 0.25*v.on.load*v.on.load) * (1 + v.latencyNoise.next(v.rng)) * e.latency
	share := v.errors + e.errors
	if len(v.on.pods) == 0 {
		// Nobody answers: the ingress fails what comes, and less comes.
		n, share, slowness = count(0.05*n, v.rng), 1, 0.01
	}
	failed := min(count(n*share, v.rng), n)
	s.add(&v.ok, n-failed)
	s.add(&v.failed, failed)
	s.add(&v.sum, grain(n*slowness, 1.0/1024))
	s.add(&v.count, n)
	if v.isLogin {
		tried := count(0.3*n, v.rng)
		wrong := count(failedLogins*tried, v.rng)
		s.add(&v.loginOK, max(0, tried-wrong))
		s.add(&v.loginFailed, wrong+count(e.logins*seconds, v.rng))
	}
}
