// Package recommend says what to change and what the change is worth: sizes,
// replicas, spend, capacity, performance and security, all as one type,
// Recommendation. It does no I/O and reads no clock: the same input gives the same
// bytes, and time comes in as the slot of the pass.
//
// # A new kind in one file
//
// A kind is one file, named after it, with three things:
//
//   - an input struct of plain numbers and series (what the caller has asked of
//     Prometheus), NaN or nil where a number is not known;
//   - a pure function from that input to Recommendations. It begins with
//     New(kind, target), which fills in id and type, and ends with Recommendation.Check;
//   - a line in Kinds, which gives its optimization type.
//
// What is missing is said, never made up: a kind without what it needs returns a
// recommendation of StateBlocked with a Blocker for each missing input, or none at
// all where there is no target to speak of. Numbers that are not known stay nil.
//
// Callers put recommendations of all kinds together with Sort, which does not depend on
// the order they were made in.
package recommend
