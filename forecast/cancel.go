package forecast

import "context"

// With makes forecasts that use s end early, with the error of ctx, once ctx is done: they look
// between any two members of a combination, so within a fraction of one forecast. It
// holds until the next With, and returns s.
func (s *Scratch) With(ctx context.Context) *Scratch {
	s.ctx = ctx
	return s
}

// stopped returns why the forecast under way is to end, nil if it is not.
func (s *Scratch) stopped() error {
	if s.ctx == nil {
		return nil
	}
	return s.ctx.Err()
}
