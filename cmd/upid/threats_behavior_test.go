package main

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// logins is thirty days of ten users who log in at work and at home, and one more log-in of
// each of two of them on the last day: ann's at three in the night from a network, in a country
// and with a device she never had, bob's from a new address at his usual hour.
func logins() string {
	var b strings.Builder
	b.WriteString("ts,metric,user,result,source,country,network,device,value\n")
	total := map[string]int{}
	row := func(t int, user, rest string) {
		total[user+rest]++
		fmt.Fprintf(&b, "%d,user_logins_total,%s,accepted,%s,%d\n", t, user, rest, total[user+rest])
	}
	for d := range 30 {
		day := monday + 86400*d
		if d%7 >= 5 {
			continue
		}
		for u := range 10 {
			user := []string{"ann", "bob", "cyd", "dan", "eve", "fay", "gus", "hal", "ida", "jon"}[u]
			if d == 29 && user == "ann" {
				row(day+3*3600, user, "203.0.113.9,XX,AS64511,curl")
			}
			row(day+8*3600+300*u, user, "192.0.2.1,NL,AS64500,Firefox/Linux")
			row(day+13*3600+300*u, user, "192.0.2.1,NL,AS64500,Firefox/Linux")
			row(day+19*3600+300*u, user, fmt.Sprintf("198.51.100.%d,NL,AS64501,Firefox/Linux", u))
			if d == 29 && user == "bob" {
				row(day+20*3600, user, "198.51.100.77,NL,AS64501,Firefox/Linux")
			}
		}
	}
	return b.String()
}

// TestThreats_logins finds the log-in that is unlike its user in everything, and leaves alone
// the one that is new in one thing.
func TestThreats_logins(t *testing.T) {
	o := upid(t, logins(), "threats --input - --preset logins -o csv")
	o.want(t, exitOK, "upid: preset logins: user by user, slots of 15m\n")
	rows, err := csv.NewReader(strings.NewReader(o.stdout)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 2 {
		t.Fatal("nothing is found")
	}
	want := fmt.Sprint(monday + 86400*29 + 3*3600)
	for _, r := range rows[1:] {
		if r[1] != "ann" || r[2] != "user" || r[3] != "unusual_behavior" || r[5] != "warning" || !strings.Contains(r[4], "T1078") {
			t.Errorf("%q", r)
		}
	}
	if rows[1][0] != want || !slices.ContainsFunc([]string{"203.0.113.9", "XX", "AS64511", "curl"}, func(v string) bool { return strings.Contains(rows[1][9], "(new: "+v+")") }) {
		t.Errorf("%q, want it at %s with what is new", rows[1], want)
	}
}
