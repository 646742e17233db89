package presets

import (
	"embed"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

//go:embed threats/*.yaml
var threats embed.FS

// Threats returns the names of the presets of threat detectors, sorted.
func Threats() []string {
	entries, err := threats.ReadDir("threats")
	if err != nil {
		panic(err) // it is embedded
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// Threat returns the file of a preset of threat detectors.
func Threat(name string) (file []byte, ok bool) {
	b, err := threats.ReadFile("threats/" + name + ".yaml")
	return b, err == nil
}

// Expand returns the PromQL of a detector's query, in which
//
//	$entity            stands for the labels that make the entity, a list
//	$step              for the length of a slot
//	$increase(x)       for what the counters x rose by in the slot that ends now:
//	                   ((x - x offset $step) >= 0 or x)
//
// increase() would not do: it knows nothing before the first sample of a series, and a
// user's first failures are what makes the series appear. A counter that fell was
// reset, and counts from 0. The result keeps the metric's name where there was no
// sample a step ago, so it is for aggregations.
func Expand(query string, entity []string, step time.Duration) (string, error) {
	return expand(query, entity, step, func(x string) string { return fmt.Sprintf("((%s - %s offset $step) >= 0 or %s)", x, x, x) })
}

// expand is Expand with what stands for $increase(x).
func expand(query string, entity []string, step time.Duration, increase func(x string) string) (string, error) {
	var b strings.Builder
	rest := query
	for {
		i := strings.Index(rest, "$increase(")
		if i < 0 {
			break
		}
		b.WriteString(rest[:i])
		rest = rest[i+len("$increase("):]
		n := closing(rest)
		if n < 0 {
			return "", fmt.Errorf("%q: $increase( is not closed", query)
		}
		x := rest[:n]
		b.WriteString(increase(x))
		rest = rest[n+1:]
	}
	b.WriteString(rest)
	return strings.NewReplacer("$entity", strings.Join(entity, ", "), "$step", model.Duration(step).String()).Replace(b.String()), nil
}

// closing returns where the parenthesis that is open before s is closed, -1 if it is
// not. Parentheses within quotes do not count.
func closing(s string) int {
	depth, quote := 1, byte(0)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0 && c == '\\' && quote != '`':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'' || c == '`':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}
