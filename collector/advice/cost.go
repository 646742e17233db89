package advice

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/upid/upid/forecast"
	"github.com/upid/upid/rules/recommend"
)

// Prices are those of the configuration, for where OpenCost says none.
type Prices struct {
	Currency                               string
	CPUHour, MemoryGiBHour, StorageGiBHour float64
	GPUHour                                float64
	Budget                                 float64 // a month; 0: none
}

// costLevel is the share of what is spent that the intervals are to hold.
const costLevel = 0.9

// spendTrust is 1 − 2·|coverage − level| of the spend of a week, as measured; see docs/recommendations.md.
const spendTrust = 0.94

// Costs forecasts spend by namespace and in all, watches the budget, explains days that cost more or less
// than expected, and finds what costs and is not needed. model forecasts the use of workloads.
func Costs(p Prices, model forecast.Forecaster) Advisor {
	return func(ctx context.Context, in Input) (Said, error) {
		var out Said
		ws, source := workloads(in, p)
		if len(ws) == 0 {
			r := recommend.New(recommend.CostInputs, recommend.Target{Kind: "Cluster", Name: "default"}, "")
			r.Block(recommend.BlockNoPrice, "neither OpenCost (container_cpu_allocation, node_cpu_hourly_cost) nor requests of kube-state-metrics are there: scrape one of them; see docs/recommendations.md")
			out.Recommendations = append(out.Recommendations, r)
			return out, nil
		}
		out.spend(in, p, ws)
		costs := map[recommend.Target]float64{}
		for _, w := range ws {
			if err := ctx.Err(); err != nil {
				return Said{}, err
			}
			if !math.IsNaN(w.Cost) {
				costs[w.Target] = w.Cost * recommend.HoursPerMonth
			}
			for _, r := range []*recommend.Recommendation{recommend.Idle(w.Workload, in.Slot), recommend.Spot(w.Workload, in.Slot)} {
				if r != nil {
					out.Recommendations = append(out.Recommendations, *r)
				}
			}
			if r := w.scaled(ctx, in, model); r != nil {
				out.Recommendations = append(out.Recommendations, *r)
			}
		}
		out.volumes(in, p)
		out.gpus(in, p, ws)
		m := machinesOf(in, p)
		out.nodes(in, p, m, source)
		total := m.total
		out.Recommendations = slices.DeleteFunc(out.Recommendations, func(r recommend.Recommendation) bool { return !in.wants(r.Kind) })
		if math.IsNaN(total) { // what the nodes cost is not known: at least what is on them
			total = 0
			for _, t := range slices.SortedFunc(maps.Keys(costs), compareTargets) {
				total += costs[t]
			}
			for _, r := range out.Recommendations { // volumes and nodes are not in it
				of := r.Target
				of.Container = ""
				if s := r.Impact.SavingsMonthly; s != nil && costs[of] == 0 {
					total += *s
				}
			}
		}
		out.Recommendations = recommend.CapSavings(out.Recommendations, costs, total)
		out.realisable(m)
		return out, nil
	}
}

// compareTargets orders those of workloads: sums in an order that is always the same are the same.
func compareTargets(a, b recommend.Target) int {
	return cmp.Or(strings.Compare(a.Cluster, b.Cluster), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
}
