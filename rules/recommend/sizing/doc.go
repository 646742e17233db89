// Package sizing finds how much CPU and memory a container should ask for. It learns
// as samples come, in about 10 KiB a container, and decides once a day.
//
// CPU is a price list: a core costs, and so does every hour in which usage is above the
// request. Several hundred simple rules (arms: a quantile of the past, forgotten at
// one of four speeds, or of a forecast, plus a margin) run along; what each would have cost
// on the days since is known, and the cheapest so far decides. The idea is that of
// Autopilot (Rzadca et al., EuroSys 2020); the price of an hour, which is the same for
// a small and a large container, is ours: small ones are cheap to protect.
//
// Memory is an extreme: the largest of the next seven days, from a Gumbel distribution
// fitted to the logarithms of past daily maxima. A gibibyte costs, and so does the
// chance of being killed. Between decisions, memory above 90 % of what was set raises it.
//
// What is set moves seldom: down only to what was enough on each of the last seven days,
// by 30 % a week at most, and only where the move is worth it.
//
// The package does no I/O and reads no clock. A Sizer is a function of the samples,
// kills and Scales it was given.
package sizing
