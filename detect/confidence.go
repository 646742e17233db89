package detect

import "github.com/upid/upid/collector/series"

// The share of findings that were real, of each kind of view and band of the score at
// which they opened: counted on the labelled real series and on three simulated
// clusters. UPID_ABLATION=1 go test -run TestConfidenceTable -v ./detect counts again.
var realShare = [...][len(confidenceBands)]counted{
	confidentValue: {{134, 217}, {316, 439}, {344, 429}},
	confidentMean:  {{55, 101}, {47, 61}, {6, 6}},
	confidentSlow:  {{61, 98}, {9, 19}, {1, 2}},
	confidentNoise: {{5, 14}, {1, 8}, {0, 0}},
	confidentShape: {{24, 33}, {2, 6}, {0, 0}},
	confidentTime:  {{320, 353}, {8, 8}, {0, 0}},
	confidentAway:  {{19, 19}, {0, 0}, {0, 0}},
	confidentPeers: peersShare,
}

// counted is how many of all findings were real.
type counted struct{ real, all float64 }

// share returns the mean of a Beta distribution that has seen the findings and began
// with one of each.
func (c counted) share() float64 { return (c.real + 1) / (c.all + 2) }

// The bands begin at these scores.
var confidenceBands = [...]float64{1, 1.5, 3}

// Kinds of views that share a row.
const (
	confidentValue = iota
	confidentMean  // of 10 minutes, and steps in the level
	confidentSlow  // of six hours
	confidentNoise
	confidentShape
	confidentTime
	confidentAway
	confidentPeers
)

// confidentRow returns the row of a view.
func confidentRow(w series.Why) int {
	switch {
	case w.Timed():
		return confidentTime
	case w.View == series.ViewMean10m, w.View == series.ViewChange:
		return confidentMean
	case w.View == series.ViewMean6h:
		return confidentSlow
	case w.View == series.ViewVariance:
		return confidentNoise
	case w.View == series.ViewShape:
		return confidentShape
	case w.View == series.ViewAway:
		return confidentAway
	case w.View == series.ViewPeers:
		return confidentPeers
	}
	return confidentValue
}

// confidentBand returns the band of a score of 1 or more.
func confidentBand(v float64) int {
	b := 0
	for b+1 < len(confidenceBands) && v >= confidenceBands[b+1] {
		b++
	}
	return b
}

// confidence returns a number in [0, 1) from the amount of history and the score.
// With h the history in units of what it takes to see one exceedance of the level,
//
//	h/(1+h) · share            for a score of 1 or more
//	h/(1+h) · (1 − v/2)        for a score v below 1
//
// share is that of such findings that were real on labelled data, see realShare. Below 1
// it says how well it is founded that the point is ordinary: at the boundary ½ at most.
func confidence(h, v float64, w series.Why) float64 {
	founded := h / (1 + h)
	if v < 1 {
		return founded * (1 - 0.5*v)
	}
	return founded * realShare[confidentRow(w)][confidentBand(v)].share()
}
