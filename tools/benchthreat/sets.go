package main

import (
	"math"
	"strings"
)

// A set is labelled counters, how they are scored and what is to be reached.
type set struct {
	name, files, labels string
	flags               []string // of the scorer
	learn               int64    // seconds that are not scored
	step                int64    // seconds, of the rules
	entity              []string // columns; none: the name of the file
	value               func(row map[string]string) (bad, all bool)
	only                func(label map[string]string) bool
	budget              string  // --budget, default if empty
	recall, rate, delay float64 // goals; 0 is none
	setup               int     // goal: alerts at most that open while the attackers only set up; 0 is none
	rules               []rule
}

// A rule is what is written today: it fires in a slot that it looks back from.
type rule struct {
	name  string
	fires func(e *entity, i int) bool
}

const day = 86400

// sets are the open data with the goals for each.
var sets = []set{
	{
		name: "idp", files: "idp/keycloak_user_events.csv.gz", labels: "idp/labels.csv",
		learn: 14 * day, step: 300, entity: []string{"realm", "client_id"},
		value: func(r map[string]string) (bad, all bool) {
			bad = r["error"] == "invalid_user_credentials" || r["error"] == "user_not_found"
			return bad, bad || r["event"] == "login"
		},
		recall: 26.0 / 28, rate: 0.08, delay: 300,
		rules: []rule{
			over(5), over(10),
			{"share > 0.3 and at least 10", func(e *entity, i int) bool { return e.bad[i] >= 10 && e.bad[i] > 0.3*e.all[i] }},
			sigmas(3, day), sigmas(5, 7*day),
		},
	},
	sshSet("linux_2005a", 0.98, 0.5),
	bySource(sshSet("linux_2005a", 0.98, 0.5)),
	sshSet("elastic_auth_2017", 5.0/6, 1.5),
	{
		name: "egress", files: "egress/bb_rnd_*.csv.gz", labels: "egress/labels.csv", flags: []string{"--campaign", "--gap", "3600", "--grace", "3600"},
		learn: 14 * day, step: 300, value: func(map[string]string) (bad, all bool) { return true, true },
		recall: 20.0 / 24, rate: 0.15,
		rules: []rule{
			sigmas(3, day), sigmas(6, day),
			{"more than 1 GB in an hour", func(e *entity, i int) bool { return e.sum(i, 12) > 1e9 }},
			{"twice an hour of last week", func(e *entity, i int) bool {
				return i >= 2028 && e.sum(i, 12) > 1e8 && e.sum(i, 12) > 2*e.sum(i-2016, 12)
			}},
		},
	},
	{
		name: "egress, more", files: "egress/bb_rnd_*.csv.gz", labels: "egress/labels.csv", flags: []string{"--campaign", "--gap", "3600", "--grace", "3600"},
		learn: 14 * day, step: 300, value: func(map[string]string) (bad, all bool) { return true, true }, budget: "0.2",
		recall: 22.0 / 24, rate: 0.5,
	},
	{
		name: "k8s audit", files: "k8s/apiserver_audit_requests.csv.gz", labels: "k8s/labels.csv",
		learn: 7 * day, step: 900, entity: []string{"user"},
		value: func(r map[string]string) (bad, all bool) {
			write := r["verb"] == "create" || r["verb"] == "update" || r["verb"] == "patch"
			return write && strings.Contains(r["resource"], "rolebinding"), r["code"] == "403"
		},
		recall: 1, rate: 0.05,
		rules: []rule{
			{"any write of a role binding", func(e *entity, i int) bool { return e.bad[i] > 0 }},
			{"any 403", func(e *entity, i int) bool { return e.all[i] > 0 }},
		},
	},
	{
		// Half an hour of grace would forgive everything in 56 minutes.
		name: "cloudtrail", files: "cloudtrail/cloudtrail_events.csv.gz", labels: "cloudtrail/labels.csv", flags: []string{"--gap", "60", "--grace", "60"},
		learn: 0, step: 60, entity: []string{"user"},
		value:  func(r map[string]string) (bad, all bool) { return r["error"] == "AccessDenied", true },
		only:   func(l map[string]string) bool { return l["kind"] != "cleanup" },
		recall: 25.0 / 31, setup: 3,
		rules: []rule{{"any AccessDenied", func(e *entity, i int) bool { return e.bad[i] > 0 }}},
	},
}

func sshSet(name string, recall, rate float64) set {
	return set{
		name: name, files: "auth/" + name + "_by_host.csv.gz", labels: "auth/" + name + "_labels.csv", flags: []string{"--host"},
		learn: 7 * day, step: 300, entity: []string{"host"},
		value:  func(r map[string]string) (bad, all bool) { return r["result"] == "failed", true },
		recall: recall, rate: rate,
		rules: []rule{over(5), over(10), sigmas(3, 7*day)},
	}
}

// bySource is the same log with the addresses kept: what a label more is worth.
func bySource(s set) set {
	s.name, s.files, s.flags, s.entity = "… by source", strings.Replace(s.files, "by_host", "by_source", 1), nil, []string{"source"}
	return s
}

// over fires on more than n in a slot.
func over(n float64) rule {
	return rule{"more than " + itoa(n) + " in 5 min", func(e *entity, i int) bool { return e.bad[i] > n }}
}

// sigmas fires k standard deviations above the mean of the span before, from 3 on.
func sigmas(k float64, span int64) rule {
	return rule{itoa(k) + " sigma of " + itoa(float64(span)/day) + " d", func(e *entity, i int) bool {
		n := int(span / 300)
		if i < n || e.bad[i] < 3 {
			return false
		}
		mean := e.sum(i-1, n) / float64(n)
		v := e.squares(i-1, n)/float64(n) - mean*mean
		return e.bad[i] > mean+k*math.Sqrt(max(v, 1e-9))
	}}
}
