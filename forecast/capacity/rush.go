package capacity

import "math"

const (
	rushHours  = 6
	rushFactor = 1.5 // how much more than ever before in as many hours
)

// rush returns the trend of the last six hours if they rose as never before: more than
// rushFactor times the highest rise in as many hours of the history, in at least five
// steps up of six. What is emptied and filled again has risen like that before.
func rush(h hours) (trend, bool) {
	n := int(rushHours / h.step)
	if n < rushHours || len(h.v) < 4*n {
		return trend{}, false
	}
	end := len(h.v) - 1
	last := h.v[end-n:]
	rise := last[n] - last[0]
	up := 0
	for i := 1; i <= n; i++ {
		switch {
		case math.IsNaN(last[i]) || math.IsNaN(last[i-1]):
			return trend{}, false
		case last[i] > last[i-1]:
			up++
		}
	}
	if up < n-1 || !(rise > 0) {
		return trend{}, false
	}
	for i := n; i <= end-n; i++ {
		for back := 1; back <= n; back++ { // filling takes less time, too
			if d := h.v[i] - h.v[i-back]; d*rushFactor >= rise {
				return trend{}, false
			}
		}
	}
	t := drift(last)
	t.size, t.far = h.step, carry
	return t, t.grows(significant)
}
