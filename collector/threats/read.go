package threats

import (
	"cmp"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/detect/threat"
)

// AllEntities is the entity of metrics that tell none apart.
const AllEntities = "all"

// A Reader makes samples of the answers to a detector's queries.
type Reader struct {
	Entity []string          // labels whose values make the entity
	Labels map[string]string // where verb, resource, code, rule and priority are, by these names
}

// Sample reads the labels of an answer; its value is 0.
func (r Reader) Sample(ls labels.Labels) threat.Sample {
	var parts, tags []string
	for _, l := range r.Entity {
		if v := ls.Get(l); v != "" {
			parts = append(parts, v)
		}
	}
	get := func(key string) string {
		if r.Labels[key] == "" {
			return ""
		}
		return ls.Get(r.Labels[key])
	}
	ls.Range(func(l labels.Label) {
		if strings.HasPrefix(l.Name, "tag_") && l.Value == "true" {
			tags = append(tags, l.Name)
		}
	})
	return threat.Sample{
		Entity: cmp.Or(strings.Join(parts, "/"), AllEntities), Verb: get("verb"), Resource: get("resource"), Code: get("code"),
		Rule: get("rule"), Priority: get("priority"), Techniques: threat.Techniques(tags), Value: 0,
	}
}

// identity returns the labels that make the entity of an answer.
func (r Reader) identity(ls labels.Labels) labels.Labels {
	b := labels.NewScratchBuilder(len(r.Entity))
	for _, l := range r.Entity {
		if v := ls.Get(l); v != "" {
			b.Add(l, v)
		}
	}
	b.Sort()
	return b.Labels()
}
