package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/upid/upid/forecast/accuracy"
)

const (
	atMost  = true
	atLeast = false
)

// table prints figures beside their goals and counts those that are missed.
type table struct {
	w      io.Writer
	missed int
}

func (t *table) head(title string) {
	fmt.Fprintf(t.w, "\n%-46s %10s %12s         %s\n", title, "obtained", "goal", "others")
}

func (t *table) row(what string, got, goal float64, most bool, unit, others string) {
	sign, ok := ">=", got >= goal
	if most {
		sign, ok = "<=", got <= goal
	}
	verdict := "ok"
	if !ok {
		verdict = "MISSED"
		t.missed++
	}
	fmt.Fprintf(t.w, "%-46s %10.4g %2s %9.4g %-2s %-6s %s\n", what, got, sign, goal, unit, verdict, others)
}

// augursByKind is rel168 of augurs' MSTL+ETS by kind, measured once on other
// windows of the same kinds: a citation, not a run.
var augursByKind = map[string]float64{
	"bitbrains": 1.165, "ett": 0.905, "cloudcluster": 1.086, "nab_realTweets": 1.187, "nab_realKnownCause": 0.904,
	"dcagg": 0.913, "nab_realAWSCloudwatch": 1.030, "nab_realAdExchange": 0.732,
}

// kinds shows for every kind the error beside the best naive one; kinds of 20
// windows and more are held to at most 1 % above it.
func (t *table) kinds(title string, m measured, level float64) {
	t.head(title + " by kind: rel168, never worse")
	for _, kind := range kindsOf(m.scores[level]) {
		s := summarize(ofKind(m.scores[level], kind))
		best, name := 1e9, ""
		for n, rel := range s.naive {
			if rel < best || rel == best && n < name {
				best, name = rel, n
			}
		}
		if a, ok := augursByKind[kind]; ok && a < best {
			best, name = a, "augurs elsewhere"
		}
		note := fmt.Sprintf("%s %.3f; coverage %.3f, MSIS %.1f, n %d", name, best, s.coverage, s.msis, s.n)
		if s.n >= 20 {
			t.row(kind, s.rel, best*1.01, atMost, "", note)
		} else {
			fmt.Fprintf(t.w, "%-46s %10.4g %12s %-9s %s\n", kind, s.rel, "", "", note)
		}
	}
}

func (t *table) coverage(m measured) {
	t.head("coverage by kind")
	for _, kind := range kindsOf(m.scores[0.9]) {
		fmt.Fprintf(t.w, "%-46s", kind)
		for _, level := range levels {
			s := summarize(ofKind(m.scores[level], kind))
			fmt.Fprintf(t.w, "  %.2f: %.3f MSIS %.2f", level, s.coverage, s.msis)
		}
		fmt.Fprintln(t.w)
	}
}

func kindsOf(all []scored) []string {
	kinds := map[string]bool{}
	for _, s := range all {
		kinds[s.kind] = true
	}
	return slices.Sorted(maps.Keys(kinds))
}

func ofKind(all []scored, kind string) []scored {
	var out []scored
	for _, s := range all {
		if s.kind == kind {
			out = append(out, s)
		}
	}
	return out
}

func accuracyCoverage(actual []float64, f forecast) float64 {
	return accuracy.Coverage(actual, f.lower, f.upper)
}
