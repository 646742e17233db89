package main

import "github.com/upid/upid/cmd/upid/output"

// notes collects what is to be said beside the data about single series, so that
// ten thousand series with the same complaint make one line.
type notes struct {
	order []string
	seen  map[string]*note
}

type note struct {
	series string // the first with this text
	count  int
}

// maxNotes is how many different texts are printed.
const maxNotes = 20

// add notes text about a series.
func (n *notes) add(series, text string) {
	if n.seen == nil {
		n.seen = make(map[string]*note)
	}
	if have, ok := n.seen[text]; ok {
		have.count++
		return
	}
	n.seen[text] = &note{series: series, count: 1}
	n.order = append(n.order, text)
}

// print writes one line for each text, and says how many it left out.
func (n *notes) print(e *env) {
	for i, text := range n.order {
		if i == maxNotes {
			e.warnf("%s more warnings of other kinds not shown", output.Count(len(n.order)-maxNotes))
			return
		}
		switch have := n.seen[text]; have.count {
		case 1:
			e.warnf("series %s: %s", have.series, text)
		case 2:
			e.warnf("series %s and one more: %s", have.series, text)
		default:
			e.warnf("series %s and %s more: %s", have.series, output.Count(have.count-1), text)
		}
	}
}
