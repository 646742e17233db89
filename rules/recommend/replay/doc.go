// Package replay lets strategies for sizing containers decide over past usage, each seeing only
// what was known at the time, and counts what would have come of it. Ours are the
// Sizers that the sidecar uses; the peers are their published formulas.
//
// It does no I/O and reads no clock.
package replay
