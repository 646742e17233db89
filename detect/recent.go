package detect

// recent holds the last four residuals from the base. A mean over a window
// stays high long after its cause has ended; recent tells whether it goes on.
type recent struct {
	x   [recentPoints]float32
	pos int32 // of the oldest
}

const recentPoints = 4

func (r *recent) push(v float64) {
	r.x[r.pos] = single(v)
	r.pos = (r.pos + 1) % recentPoints
}

// mean returns the mean of the newest n, 1 ≤ n ≤ 4.
func (r *recent) mean(n int) float64 {
	sum := 0.0
	for i := int32(1); i <= int32(n); i++ {
		sum += float64(r.x[(r.pos-i+recentPoints)%recentPoints])
	}
	return sum / float64(n)
}

// goesOn returns how much of a view's score stands: all of it while the newest
// values deviate half as much as the window says or more, nothing once they are
// back.
func goesOn(now, window float64) float64 {
	if window == 0 {
		return 1
	}
	return min(max(2*now/window, 0), 1)
}

// goingOn returns what of a score stands, see goesOn. What has begun to end does
// not breach, however high the mean still is: noise in the newest points would
// open it again and again.
func goingOn(score, present float64) float64 {
	if present < 1 {
		return min(score, 1) * present
	}
	return score
}

// newest returns how many of the newest points speak for the present of a window
// of so many: a quarter of it, 3 or 4.
func newest(points int) int { return min(max(points/4, 3), recentPoints) }
