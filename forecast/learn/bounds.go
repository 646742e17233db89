package learn

import "fmt"

// What the JSON of a model may be: five levels and some thousand values are written,
// whatever its size, since trees are packed (see floats).
const (
	maxNesting = 16
	maxValues  = 1 << 16
	maxDepth   = 64 // steps from the root of a tree; trained ones have 8 at most
)

// Bounded returns why JSON must not be decoded: it is nested deeper than depth, or has more
// than so many values. So a few bytes a value cannot become a structure of hundreds each. It
// does not say that b is JSON. Cost: one pass, no memory.
func Bounded(b []byte, depth, values int) error {
	level, seen, text := 0, 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case text:
			switch c {
			case '\\':
				i++
			case '"':
				text = false
			}
			continue
		case c == '"':
			text = true
			continue
		case c == '{' || c == '[':
			level++
			seen++
		case c == '}' || c == ']':
			level--
		case c == ',':
			seen++
		}
		if level > depth {
			return fmt.Errorf("it is nested deeper than %d", depth)
		}
		if seen > values {
			return fmt.Errorf("it has more than %d values", values)
		}
	}
	return nil
}

// shallow makes sure that no walk from a root to a leaf is longer than maxDepth. The nodes
// are those that validNodes has seen.
func shallow(roots, feature, right []int) error {
	depth := make([]uint8, len(feature))
	for _, from := range roots {
		depth[from] = 1
	}
	for i, f := range feature { // a child comes after its parent
		if f < 0 || depth[i] == 0 {
			continue
		}
		if depth[i] > maxDepth {
			return fmt.Errorf("a tree is deeper than %d", maxDepth)
		}
		depth[i+1], depth[right[i]] = max(depth[i+1], depth[i]+1), max(depth[right[i]], depth[i]+1)
	}
	return nil
}
