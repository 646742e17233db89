package threat

import "slices"

// A Campaign is one threat against many entities at the same time: one cause, and so one
// alert.
type Campaign struct {
	ID       string
	Threat   string
	Start    int64    // of its first alert
	Time     int64    // at which it became one
	Entities []string // sorted
}

const (
	campaignSize = 5
	campaignSpan = hour / 4
)

// campaigns remembers the alerts that were opened lately.
type campaigns struct {
	lately []*Alert // oldest first
	known  []toldOf // campaigns that go on
}

// toldOf is a threat of which a campaign was told, until it is quiet for a while.
type toldOf struct {
	threat string
	until  int64
}

// step takes the alerts opened at t and returns the campaigns they complete: at least five
// entities of one threat within 15 minutes. One that goes on is told once.
func (c *campaigns) step(t int64, opened []*Alert) []Campaign {
	c.lately = slices.DeleteFunc(c.lately, func(a *Alert) bool { return t-a.First > campaignSpan })
	c.known = slices.DeleteFunc(c.known, func(k toldOf) bool { return t > k.until })
	if len(opened) == 0 {
		return nil
	}
	c.lately = append(c.lately, opened...)
	var out []Campaign
	for _, threat := range Threats {
		entities, start := make(map[string]bool), t
		for _, a := range c.lately {
			if a.Threat == threat {
				entities[a.Entity] = true
				start = min(start, a.First)
			}
		}
		if len(entities) < campaignSize {
			continue
		}
		if i := slices.IndexFunc(c.known, func(k toldOf) bool { return k.threat == threat }); i >= 0 {
			c.known[i].until = t + campaignSpan
			continue
		}
		c.known = append(c.known, toldOf{threat, t + campaignSpan})
		out = append(out, Campaign{ID: alertID("campaign", "", threat, start), Threat: threat, Start: start, Time: t, Entities: sortedKeys(entities)})
	}
	return out
}
