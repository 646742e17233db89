package main

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"time"
)

// Sizes in pixels: the series above, its scores below.
const (
	width, height     = 860, 330
	left, right       = 56, 12
	top, middle       = 34, 212
	scoreTop, bottom  = 232, 296
	scoreMost         = 3.0 // scores above are drawn there
	observed, band    = "#1f6fb4", "#1f6fb4"
	expected, anomaly = "#888888", "#d0342c"
)

// render writes one picture. Its text is dark on a white ground, so that it can be
// read on a dark page as well.
func render(b *bytes.Buffer, p picture, rows []row) {
	from, to := float64(rows[0].t), float64(rows[len(rows)-1].t)
	low, high := math.Inf(1), math.Inf(-1)
	for _, r := range rows {
		if !math.IsNaN(r.value) {
			low, high = min(low, r.value), max(high, r.value)
		}
	}
	// The band may lie far outside of what happened: it is cut a little beyond it.
	span := max(high-low, 1e-9)
	low, high = min(low, max(low-0.15*span, bandEdge(rows, low))), high+0.15*span
	x := func(t int64) float64 { return left + (float64(t)-from)/(to-from)*(width-left-right) }
	y := func(v float64) float64 {
		return middle - (min(max(v, low), high)-low)/(high-low)*(middle-top)
	}
	s := func(v float64) float64 { return bottom - min(v, scoreMost)/scoreMost*(bottom-scoreTop) }
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(b, `<rect width="%d" height="%d" fill="#ffffff"/><text x="%d" y="18" font-size="14" fill="#222">%s</text>`+"\n", width, height, left, p.title)
	shade(b, rows, x)
	axes(b, p, rows, low, high, x, y)
	fill(b, rows, x, y)
	line(b, rows, x, y, func(r row) float64 { return r.expected }, expected, 1)
	line(b, rows, x, y, func(r row) float64 { return r.value }, observed, 1.3)
	line(b, rows, x, s, func(r row) float64 { return r.score }, "#444444", 1)
	fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="%s" stroke-dasharray="4 3"/>`+"\n", left, width-right, s(1), s(1), anomaly)
	fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end" fill="#444">1</text><text x="%d" y="%d" text-anchor="end" fill="#444">score</text>`+"\n", left-6, s(1)+4, left-6, bottom)
	b.WriteString("</svg>\n")
}

// bandEdge is the lowest bound that is worth room.
func bandEdge(rows []row, low float64) float64 {
	least := low
	for _, r := range rows {
		if !math.IsNaN(r.lower) {
			least = min(least, r.lower)
		}
	}
	return least
}

// shade marks the time of every anomaly with its type.
func shade(b *bytes.Buffer, rows []row, x func(int64) float64) {
	for i := 0; i < len(rows); i++ {
		if !rows[i].anomaly {
			continue
		}
		j := i
		for j+1 < len(rows) && rows[j+1].anomaly {
			j++
		}
		a, e := x(rows[i].t), x(rows[j].t)
		fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s" opacity="0.18"/>`, a, top, max(e-a, 2), bottom-top, anomaly)
		anchor, tx := "start", e+3
		if e > width-120 {
			anchor, tx = "end", a-3
		}
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="%s" fill="%s">%s</text>`+"\n", tx, top+12, anchor, anomaly, rows[i].kind)
		i = j
	}
}

func axes(b *bytes.Buffer, p picture, rows []row, low, high float64, x func(int64) float64, y func(float64) float64) {
	step := math.Pow(10, math.Floor(math.Log10((high-low)/3)))
	for _, m := range []float64{1, 2, 5, 10} {
		if (high-low)/(step*m) <= 5 {
			step *= m
			break
		}
	}
	for v := math.Ceil(low/step) * step; v <= high; v += step {
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#eee"/><text x="%d" y="%.1f" text-anchor="end" fill="#444">%g</text>`+"\n", left, width-right, y(v), y(v), left-6, y(v)+4, v)
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end" fill="#444">%s</text>`+"\n", left-6, top-4, p.unit)
	every, layout := int64(86400), "2 Jan"
	if rows[len(rows)-1].t-rows[0].t < 2*86400 {
		every, layout = 3600, "15:04"
	}
	label := int64(1)
	if (rows[len(rows)-1].t-rows[0].t)/every > 10 {
		label = 2
	}
	for t := (rows[0].t + every - 1) / every * every; t <= rows[len(rows)-1].t; t += every {
		fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#eee"/>`, x(t), x(t), top, bottom)
		if t/every%label == 0 && x(t) < width-40 {
			fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle" fill="#444">%s</text>`, x(t), bottom+18, time.Unix(t, 0).UTC().Format(layout))
		}
		b.WriteByte('\n')
	}
}

// fill draws the band; a side without a bound ends at the edge of the picture.
func fill(b *bytes.Buffer, rows []row, x func(int64) float64, y func(float64) float64) {
	for i := 0; i < len(rows); i++ {
		if math.IsNaN(rows[i].expected) || math.IsNaN(rows[i].lower) && math.IsNaN(rows[i].upper) {
			continue
		}
		j := i
		for j+1 < len(rows) && !math.IsNaN(rows[j+1].expected) && !(math.IsNaN(rows[j+1].lower) && math.IsNaN(rows[j+1].upper)) {
			j++
		}
		var path strings.Builder
		drawn := func(k int) bool { return k == i || k == j || math.Floor(x(rows[k].t)) != math.Floor(x(rows[k-1].t)) }
		for k := i; k <= j; k++ {
			v := rows[k].upper
			if math.IsNaN(v) {
				v = math.Inf(1)
			}
			if drawn(k) {
				fmt.Fprintf(&path, "%.0f,%.0f ", x(rows[k].t), y(v))
			}
		}
		for k := j; k >= i; k-- {
			v := rows[k].lower
			if math.IsNaN(v) {
				v = math.Inf(-1)
			}
			if drawn(k) {
				fmt.Fprintf(&path, "%.0f,%.0f ", x(rows[k].t), y(v))
			}
		}
		fmt.Fprintf(b, `<polygon points="%s" fill="%s" opacity="0.13"/>`+"\n", strings.TrimSpace(path.String()), band)
		i = j
	}
}

// line draws one value of the rows; NaN is a gap. Points that fall on a line of two
// pixels are drawn by their least and greatest alone.
func line(b *bytes.Buffer, rows []row, x func(int64) float64, y func(float64) float64, value func(row) float64, colour string, size float64) {
	var path strings.Builder
	flush := func() {
		if path.Len() > 0 {
			fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="%g"/>`+"\n", strings.TrimSpace(path.String()), colour, size)
		}
		path.Reset()
	}
	for i := 0; i < len(rows); {
		v := value(rows[i])
		if math.IsNaN(v) {
			flush()
			i++
			continue
		}
		column := math.Floor(x(rows[i].t))
		lo, hi := v, v
		for i++; i < len(rows) && math.Floor(x(rows[i].t)) == column; i++ {
			if w := value(rows[i]); !math.IsNaN(w) {
				lo, hi = min(lo, w), max(hi, w)
			}
		}
		fmt.Fprintf(&path, "%.0f,%.0f ", column, y(lo))
		if hi > lo {
			fmt.Fprintf(&path, "%.0f,%.0f ", column, y(hi))
		}
	}
	flush()
}
