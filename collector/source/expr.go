package source

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// CheckExpr reports whether expr can be the input of a signal: it parses as
// PromQL, it yields an instant vector or a scalar, and it does not use a raw
// counter as a value. A counter only grows and falls to zero at a restart, so
// neither its level nor its jumps mean what a forecast would make of them.
//
// A selector is a counter if its metric name ends in _total, _bucket, _sum or
// _count and has no colon. It may stand inside functions that turn it into a
// rate or ignore its value, or in a difference with its own copy at another
// offset. last_over_time is the way to say that a metric so named is a gauge.
//
// Every error starts with the place in expr as line:column; all raw counters are
// reported, one error each, joined.
func CheckExpr(expr string) error {
	e, err := newParser().ParseExpr(expr)
	if err != nil {
		return err
	}
	switch e.Type() {
	case parser.ValueTypeVector, parser.ValueTypeScalar:
	case parser.ValueTypeMatrix:
		return exprError(expr, e, "a range vector has no single value at a time: wrap it in a function, such as avg_over_time(%s)", e)
	default:
		return exprError(expr, e, "a %s cannot be forecast: write an expression that yields numbers", e.Type())
	}
	c := counterCheck{expr: expr}
	c.walk(e)
	return errors.Join(c.errs...)
}

// newParser returns a parser that knows experimental syntax too: whether that is
// enabled is for the server to say.
func newParser() parser.Parser {
	return parser.NewParser(parser.Options{
		EnableExperimentalFunctions:  true,
		ExperimentalDurationExpr:     true,
		EnableExtendedRangeSelectors: true,
		EnableBinopFillModifiers:     true,
	})
}

// exprError returns an error that starts with the place of n in expr.
func exprError(expr string, n parser.Node, format string, args ...any) error {
	return fmt.Errorf("%s: %s", n.PositionRange().StartPosInput(expr, 0), fmt.Sprintf(format, args...))
}

// counterFuncs are the functions a raw counter may be given to: they yield its
// rate or its resets, do not look at its value at all, or (last_over_time) say
// that it is no counter.
var counterFuncs = []string{
	"absent", "absent_over_time", "changes", "count_over_time", "delta", "deriv", "idelta", "increase",
	"irate", "last_over_time", "present_over_time", "rate", "resets", "start_timestamp", "timestamp",
	"ts_of_first_over_time", "ts_of_last_over_time",
}

var counterSuffixes = []string{"_total", "_bucket", "_sum", "_count"}

// counterCheck collects the raw counters of one expression.
type counterCheck struct {
	expr string
	errs []error
}

func (c *counterCheck) walk(n parser.Node) {
	switch n := n.(type) {
	case *parser.VectorSelector:
		if name := selectorName(n); isCounter(name) {
			c.errs = append(c.errs, c.advise(n, name))
		}
		return
	case *parser.Call:
		if slices.Contains(counterFuncs, n.Func.Name) {
			return
		}
	case *parser.AggregateExpr:
		if n.Op == parser.COUNT || n.Op == parser.GROUP || n.Op == parser.COUNT_VALUES {
			return // neither yields the value
		}
	case *parser.BinaryExpr:
		switch {
		case n.Op == parser.LAND || n.Op == parser.LUNLESS:
			c.walk(n.LHS) // the right side only selects
			return
		case n.Op == parser.SUB && differByOffset(n.LHS, n.RHS):
			return
		case n.ReturnBool:
			return // 0 or 1
		}
	}
	for child := range parser.ChildrenIter(n) {
		c.walk(child)
	}
}

// advise returns the error for the raw counter n.
func (c *counterCheck) advise(n *parser.VectorSelector, name string) error {
	plain := *n
	plain.OriginalOffset, plain.OriginalOffsetExpr = 0, nil
	plain.Timestamp, plain.StartOrEnd = nil, 0
	sel := plain.String()
	if strings.HasSuffix(name, "_bucket") {
		return exprError(c.expr, n, "%s looks like the counters of a histogram: write histogram_quantile(0.9, sum by (le) (rate(%s[5m]))); if it is a gauge, say so with last_over_time(%s[5m])", name, sel, sel)
	}
	return exprError(c.expr, n, "%s looks like a counter: write rate(%s[5m]); if it is a gauge, say so with last_over_time(%s[5m])", name, sel, sel)
}

// selectorName returns the metric name n selects. Of a pattern it returns the
// text, whose end is enough to tell a counter.
func selectorName(n *parser.VectorSelector) string {
	if n.Name != "" {
		return n.Name
	}
	for _, m := range n.LabelMatchers {
		if m.Name != model.MetricNameLabel {
			continue
		}
		switch m.Type {
		case labels.MatchEqual:
			return m.Value
		case labels.MatchRegexp:
			return strings.TrimRight(m.Value, ")$")
		default: // says what the name is not
		}
	}
	return ""
}

func isCounter(name string) bool {
	if strings.Contains(name, ":") { // a recording rule: its author chose what it holds
		return false
	}
	return slices.ContainsFunc(counterSuffixes, func(s string) bool { return strings.HasSuffix(name, s) })
}

// NamesCounter reports whether a series of that name, as a file has it, is a counter by
// convention: the name ends in _total or _bucket and has no colon. CheckExpr knows
// _sum and _count too; in a file they may be anything.
func NamesCounter(series string) bool {
	name, _, _ := strings.Cut(series, "{")
	return isCounter(name) && (strings.HasSuffix(name, "_total") || strings.HasSuffix(name, "_bucket"))
}

// differByOffset reports whether a and b are the same expression at different
// offsets, so that a − b is the growth between them.
func differByOffset(a, b parser.Expr) bool {
	sa, sb := a.String(), b.String()
	return sa != sb && withoutOffset(sa) == withoutOffset(sb)
}

// withoutOffset returns expr, which is printed PromQL, without its offsets.
func withoutOffset(expr string) string {
	e, err := newParser().ParseExpr(expr)
	if err != nil {
		return expr // printed from a parsed expression; if it does not parse back, it equals nothing
	}
	for {
		paren, ok := e.(*parser.ParenExpr)
		if !ok {
			break
		}
		e = paren.Expr
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			n.OriginalOffset, n.OriginalOffsetExpr = 0, nil
		case *parser.SubqueryExpr:
			n.OriginalOffset, n.OriginalOffsetExpr = 0, nil
		}
		return nil
	})
	return e.String()
}
