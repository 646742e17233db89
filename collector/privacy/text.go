package privacy

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// dropped stands in a text for a value that is dropped.
const dropped = "[dropped]"

// Text returns what leaves of a text that was written about a series of labels ls, such as
// evidence, an error or a link: every whole word that is the value of a dropped or hashed
// label is replaced. It finds the value as it is and as Go, JSON, PromQL and URLs quote it.
// A value that is part of a longer word is another one and stays: 10.0.0.1 in 10.0.0.12,
// ann in annex. O(len(text)·labels).
func (p *Policy) Text(d Door, text string, ls labels.Labels) string {
	type pair struct{ from, to string }
	var pairs []pair
	ls.Range(func(l labels.Label) {
		if l.Value == "" || l.Name == model.MetricNameLabel {
			return
		}
		to := ""
		switch p.Action(d, l.Name) {
		case Keep:
			return
		case Drop:
			to = dropped
		case Hash:
			to = p.Hash(l.Value)
		}
		for _, from := range spellings(l.Value) {
			pairs = append(pairs, pair{from, to})
		}
	})
	if len(pairs) == 0 {
		return text
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return len(b.from) - len(a.from) }) // a value within another goes with it
	var b strings.Builder
	for i := 0; i < len(text); {
		n := 0
		for _, q := range pairs {
			if strings.HasPrefix(text[i:], q.from) && whole(text, i, i+len(q.from)) {
				b.WriteString(q.to)
				n = len(q.from)
				break
			}
		}
		if n == 0 {
			_, n = utf8.DecodeRuneInString(text[i:])
			b.WriteString(text[i : i+n])
		}
		i += n
	}
	return b.String()
}

// spellings returns the forms in which a value stands in texts.
func spellings(v string) []string {
	out := []string{v}
	quoted := strconv.Quote(v)
	ascii := strconv.QuoteToASCII(v)
	for _, s := range []string{quoted[1 : len(quoted)-1], ascii[1 : len(ascii)-1], url.QueryEscape(v), url.PathEscape(v)} {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
		// A link to a query quotes first.
		if e := url.QueryEscape(s); !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}

// whole reports whether text[from:to] is no part of a longer word. The digits of an escape
// (%22) before it are no word.
func whole(text string, from, to int) bool {
	first, _ := utf8.DecodeRuneInString(text[from:])
	last, _ := utf8.DecodeLastRuneInString(text[:to])
	before, _ := utf8.DecodeLastRuneInString(text[:from])
	after, _ := utf8.DecodeRuneInString(text[to:])
	escaped := from >= 3 && text[from-3] == '%'
	return (from == 0 || escaped || !word(before) || !word(first)) && (to == len(text) || !word(after) || !word(last))
}

func word(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }
