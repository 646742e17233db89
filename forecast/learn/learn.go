// Package learn trains models on rows of named features and predicts from them:
// boosted trees and a small neural network for numbers, boosted trees for
// classes, an isolation forest for what is unlike the rest. A missing value is NaN
// and stays one: no model fills it in. Everything is deterministic for a seed.
//
// # A model in one file
//
// A regressor is one file with a type that implements learner (fit one epoch after the other,
// predict three quantiles of a transformed target) and one that implements fitted (what is
// kept), and a line in algorithms.
package learn

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
)

// Data is rows to learn from, by column.
type Data struct {
	Features []string
	Columns  [][]float64 // [feature][row]; NaN is missing
	Target   []float64   // [row]; NaN rows are left out; nil where nothing is to be told
	Times    []int64     // [row], Unix milliseconds; nil: the rows are in order of time
	Gap      int64       // how long after its time a row's target is known, milliseconds
}

// Rows returns the number of rows.
func (d Data) Rows() int {
	if len(d.Columns) == 0 {
		return 0
	}
	return len(d.Columns[0])
}

// Limits on what is learned from and what is decoded.
const (
	MaxFeatures = 512
	MaxRows     = 5_000_000
	MaxEpochs   = 10_000
	// MaxNumber is the largest magnitude that is learned from: sums of squares and their
	// products stay finite.
	MaxNumber = 1e100
)

// The errors of training that a user can do something about.
var (
	ErrFewRows  = errors.New("too few rows")
	ErrConstant = errors.New("the target is constant")
	ErrLeak     = errors.New("a feature gives the target away")
	ErrInput    = errors.New("the rows cannot be learned from")
)

// check returns what is wrong with the form of d.
func (d Data) check(least int) error {
	n := d.Rows()
	switch {
	case len(d.Features) == 0 || len(d.Features) > MaxFeatures:
		return fmt.Errorf("%w: %d features, want 1 to %d", ErrInput, len(d.Features), MaxFeatures)
	case len(d.Columns) != len(d.Features):
		return fmt.Errorf("%w: %d columns for %d features", ErrInput, len(d.Columns), len(d.Features))
	case n > MaxRows:
		return fmt.Errorf("%w: %d rows, want at most %d", ErrInput, n, MaxRows)
	case n < least:
		return fmt.Errorf("%w: %d with a target, want at least %d", ErrFewRows, n, least)
	case d.Times != nil && len(d.Times) != n:
		return fmt.Errorf("%w: %d times for %d rows", ErrInput, len(d.Times), n)
	}
	for j, c := range d.Columns {
		if len(c) != n {
			return fmt.Errorf("%w: %s has %d values, want %d", ErrInput, d.Features[j], len(c), n)
		}
		if err := bounded(d.Features[j], c); err != nil {
			return err
		}
	}
	if d.Target != nil && len(d.Target) != n {
		return fmt.Errorf("%w: %d targets for %d rows", ErrInput, len(d.Target), n)
	}
	return bounded("the target", d.Target)
}

// bounded refuses values that are not finite or beyond MaxNumber; NaN is missing.
func bounded(name string, values []float64) error {
	for i, v := range values {
		if math.IsInf(v, 0) {
			return fmt.Errorf("%w: %s is infinite in a row", ErrInput, name)
		}
		if math.Abs(v) > MaxNumber {
			return fmt.Errorf("%w: %s is %g in row %d, want at most %g in magnitude", ErrInput, name, v, i+1, float64(MaxNumber))
		}
	}
	return nil
}

// row copies row i into dst.
func (d Data) row(dst []float64, i int) {
	for j, c := range d.Columns {
		dst[j] = c[i]
	}
}

// Config says how to train.
type Config struct {
	Epochs    int     // at most; of boosting a round, of the network a pass over the rows
	Algorithm string  // of a regressor: one of Algorithms, or Auto
	Level     float64 // of the interval, in (0, 1)
	Seed      uint64
	// Progress is told of every epoch; nil tells nobody. An error ends the training with it.
	Progress func(Epoch) error
}

// Epoch is how far a training is.
type Epoch struct {
	Epoch, Of   int
	HeldOut     float64 // error on the tail that ends it early: absolute error, log loss
	Algorithm   string
	Turn, Turns int // which one of so many algorithms that are tried, from 0
}

// tell reports an epoch.
func (c Config) tell(epoch int, heldOut float64) error {
	if c.Progress == nil {
		return nil
	}
	return c.Progress(Epoch{Epoch: epoch, Of: c.Epochs, HeldOut: heldOut, Algorithm: c.Algorithm, Turn: 0, Turns: 1})
}

// turn returns c for the k-th of n algorithms.
func (c Config) turn(k, n int, name string) Config {
	tell := c.Progress
	c.Algorithm = name
	if tell != nil {
		c.Progress = func(e Epoch) error {
			e.Turn, e.Turns = k, n
			return tell(e)
		}
	}
	return c
}

// generator returns the random numbers of one purpose.
func (c Config) generator(purpose uint64) *rand.Rand {
	return rand.New(rand.NewPCG(c.Seed, purpose))
}

// patience is how many epochs without a better error on the tail end a training.
const patience = 15
