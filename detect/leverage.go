package detect

import "math"

// A leverage knows how residuals grow with the level of a series: not at all, as those of
// a gauge, with its root, as those of a count, or in proportion, as those of what answers
// to traffic. The power under which the residuals of the last days were likeliest, were
// they Laplace distributed, is believed. Without it a Monday is measured by the weekend.
type leverage struct {
	mean [powers]float32 // usual |residual| over what it is multiplied by
	cost [powers]float32 // its discounted negative log likelihood
	best uint8           // the power that is believed, in halves
}

const (
	powers = 3
	// Levels so many times the slow one, or less than it by that factor, count as that.
	leverMost = 2
	// A power is believed when it is better by that much a point: less is chance.
	leverBetter = 0.01
	// A series that is not so many times its residuals has no level they could follow:
	// mostly zeros, and now and then a spike.
	leverLevel = 3
	// Where less is expected the scale falls to that share at most: noise that does not
	// come from the level is left.
	leverLeast = 0.7
	// A residual of more usual ones speaks for no power.
	leverClip = 20
)

// factor returns by what residuals are multiplied at a level, under the power i/2.
func factor(i int, level, slow float64) float64 {
	if i == 0 || !(level > 0 && slow > 0) {
		return 1
	}
	f := min(max(finite(level)/finite(slow), 1.0/leverMost), leverMost)
	if i == 1 {
		return math.Sqrt(f)
	}
	return f
}

// at returns by what the scale is multiplied at a level, of a series that has the slow one.
func (v *leverage) at(level, slow float64) float64 {
	if leverLevel*float64(v.mean[0]) > slow {
		return 1
	}
	return factor(int(v.best), level, slow)
}

// learn takes an absolute residual at that level with weight g.
func (v *leverage) learn(abs, level, slow, g float64) {
	for i := range v.mean {
		f := factor(i, level, slow)
		m, c := float64(v.mean[i]), float64(v.cost[i])
		if s := m * f; s > 0 {
			v.cost[i] = single(c + g*(math.Log(s)+min(abs/s, leverClip)-c))
		}
		v.mean[i] = single(m + g*(abs/f-m))
	}
	for i := range v.cost {
		if float64(v.cost[i]) < float64(v.cost[v.best])-leverBetter {
			v.best = uint8(i)
		}
	}
}
