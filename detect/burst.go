package detect

// A burst compares the size of the residuals of the last half hour with the
// usual one: the view of variance.
type burst struct {
	short, long float64 // discounted mean |z|, each |z| counted up to 10
}

const burstClip = 10

// add takes the newest standardised residual with gain g and returns the ratio
// of the short to the long mean.
func (b *burst) add(abs, g float64) float64 {
	b.short += g * (min(abs, burstClip) - b.short)
	return b.short / max(b.long, 1e-6)
}

// forget takes the newest residual out of the short mean.
func (b *burst) forget(abs, g float64) { b.short = max(b.short-g*min(abs, burstClip), 0) / (1 - g) }

// learn moves the long mean with gain g.
func (b *burst) learn(abs, g float64) { b.long += g * (min(abs, burstClip) - b.long) }
