package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/rules/recommend"
)

// recommendationTable writes a block for each recommendation: what to do, what it
// is worth, why, and how to begin; then the sum and what was left out.
func recommendationTable(w io.Writer, st output.Style, width int, rs []recommend.Recommendation, doubtful int, held []recommend.Recommendation) error {
	var b strings.Builder
	saved, real, currency := 0.0, 0.0, ""
	known, unknown := false, false // of what is realisable
	for i := range rs {
		r := &rs[i]
		writeRecommendation(&b, st, width, r)
		b.WriteByte('\n')
		if r.State == recommend.StateOpen && r.Impact.SavingsMonthly != nil {
			saved += *r.Impact.SavingsMonthly
			if v := r.Impact.SavingsRealisable; v != nil {
				known = true
				real += max(0, *v)
			} else {
				unknown = true
			}
			currency = r.Impact.Currency
		}
	}
	if len(rs) == 0 {
		b.WriteString("no recommendations\n")
	} else {
		b.WriteString(plural(len(rs), "recommendation", "recommendations"))
		if currency != "" {
			fmt.Fprintf(&b, ", %.2f %s a month at list price", saved, currency)
			switch {
			case known && unknown:
				fmt.Fprintf(&b, ", at least %.2f of it realisable", real)
			case known:
				fmt.Fprintf(&b, ", %.2f of it realisable", real)
			}
		}
		b.WriteByte('\n')
	}
	if doubtful > 0 {
		b.WriteString(belowText(doubtful) + "\n")
	}
	for _, line := range heldBack(held) {
		for _, l := range wrap(line, width) {
			b.WriteString(l + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeRecommendation writes the block of one recommendation.
func writeRecommendation(b *strings.Builder, st output.Style, width int, r *recommend.Recommendation) {
	b.WriteString(recommendationMark(st, r) + "  " + st.Bold(output.Printable(strings.ReplaceAll(string(r.Kind), "_", " "))) + "  " + st.Cut(targetText(r.Target), width/2) + "\n")
	paragraph(b, "  ", actionText(r), width)
	b.WriteString("  " + st.Dim(worthText(r)) + "\n")
	if len(r.Reasons) > 0 {
		paragraph(b, "  ", "Why: "+strings.Join(r.Reasons, "; ")+".", width)
	}
	for _, bl := range r.Blockers {
		paragraph(b, "  ✕ ", bl.Code+": "+bl.Text, width)
	}
	if len(r.Steps) > 0 && r.State == recommend.StateOpen {
		paragraph(b, "  → ", r.Steps[0], width)
	}
}

// belowText says that n recommendations are not sure enough to be shown.
func belowText(n int) string {
	return output.Count(n) + " below the confidence asked for; --confidence-threshold 0 shows them"
}

// heldBack says for each reason how many recommendations it holds back.
func heldBack(held []recommend.Recommendation) []string {
	count, text := map[string]int{}, map[string]string{}
	for _, r := range held {
		for _, bl := range r.Blockers {
			count[bl.Code]++
			text[bl.Code] = bl.Text
		}
	}
	var out []string
	for _, code := range slices.Sorted(maps.Keys(count)) {
		out = append(out, fmt.Sprintf("%d held back, %s: %s", count[code], code, text[code]))
	}
	return out
}

// recommendationMark shows how soon to act.
func recommendationMark(st output.Style, r *recommend.Recommendation) string {
	switch {
	case r.State != recommend.StateOpen:
		return st.Dim("○ " + string(r.State))
	case urgent(r):
		return st.Alarm("● now")
	}
	return st.Accent("● open")
}

// targetText names a target.
func targetText(t recommend.Target) string {
	name := t.Name
	if t.Namespace != "" {
		name = t.Namespace + "/" + name
	}
	if t.Container != "" {
		name += " " + t.Container
	}
	return strings.TrimSpace(strings.ToLower(t.Kind) + " " + name)
}

// actionText is the sentence of what to do; of what is held back there may be none.
func actionText(r *recommend.Recommendation) string {
	if r.Action == "" {
		return ""
	}
	return r.Action + "."
}

// worthText says what a recommendation saves, how sure it is and what it risks.
func worthText(r *recommend.Recommendation) string {
	var parts []string
	if s := r.Impact.SavingsMonthly; s != nil {
		word := "saves"
		v := *s
		if v < 0 {
			word, v = "costs", -v
		}
		parts = append(parts, fmt.Sprintf("%s %.2f %s a month", word, v, r.Impact.Currency))
	}
	parts = append(parts, fmt.Sprintf("confidence %.2f %s", r.Confidence, strings.ReplaceAll(r.ConfidenceLevel, "_", " ")),
		"risk "+string(r.Risk.Level))
	return strings.Join(parts, "  ·  ")
}
