package main

import (
	"context"
	"fmt"

	"github.com/upid/upid/rules"
)

// budgets are those that normal time is replayed at.
var budgets = [...]string{"1/day", "1/week", "1/month"}

// quietMargin is the time around a label, in seconds, that is not called normal.
const quietMargin = 3600

// spent is how many alerts a week started in normal time, of all series of a corpus.
type spent struct {
	alerts int
	weeks  float64
}

func (s spent) add(o spent) spent { return spent{s.alerts + o.alerts, s.weeks + o.weeks} }

func (s spent) rate() float64 { return float64(s.alerts) / max(s.weeks, 1e-9) }

// normalAlerts counts the alerts that start outside every label, and the time there.
func normalAlerts(c *corpus, all []judged) spent {
	var s spent
	for i, name := range c.names {
		m := c.meta[name]
		wide := make([]span, 0, len(c.labels[name]))
		for _, e := range c.labels[name] {
			wide = append(wide, span{e[0] - quietMargin, e[1] + quietMargin})
		}
		wide = merge(wide, 0)
		for _, t := range all[i].starts {
			if !within(t, wide, 0) {
				s.alerts++
			}
		}
		labelled := 0.0
		for _, e := range wide {
			labelled += max(0, min(e[1], all[i].last)-max(e[0], all[i].first, m.Warm))
		}
		s.weeks += max(0, all[i].last-max(all[i].first, m.Warm)-labelled) / 604800
	}
	return s
}

// budgetRows replays every corpus at three budgets. What is allowed is the budget of
// every series, 1.2 times.
func budgetRows(ctx context.Context, t *table, o options, all []*outcome) error {
	t.head("alerts a week in normal time, of a series")
	for _, text := range budgets {
		b, err := rules.ParseBudget(text)
		if err != nil {
			return err
		}
		var total spent
		worst, name := 0.0, ""
		for _, r := range all {
			at := r
			if text != "1/week" {
				if at, err = measure(ctx, o, r.corpus, false, false, text, ""); err != nil {
					return err
				}
			}
			s := normalAlerts(r.corpus, at.by[ours])
			total = total.add(s)
			if x := s.rate(); x > worst {
				worst, name = x, r.corpus.name
			}
		}
		t.row("budget "+text+", all corpora", total.rate(), 1.2*b.PerWeek(), atMost, "", fmt.Sprintf("%d alerts in %.0f weeks", total.alerts, total.weeks))
		t.row("budget "+text+", the worst corpus", worst, 1.2*b.PerWeek(), atMost, "", name)
	}
	return nil
}
