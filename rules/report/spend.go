package report

import (
	"fmt"
	"math"
	"time"

	"github.com/upid/upid/collector/series"
)

// enough is the share of the hours of a time whose spend must be known for a sum over it.
const enough = 0.95

// Spend is what was spent, against what was forecast and what was budgeted.
type Spend struct {
	Currency   string      `json:"currency"`
	Total      Figure      `json:"total"`    // of the hours whose spend is known
	Measured   Figure      `json:"measured"` // share of the hours whose spend is known
	Against    Figure      `json:"against_forecast_ratio"`
	Inside     Figure      `json:"inside_interval_ratio"`
	Weeks      []Week      `json:"weeks"`
	Months     []Month     `json:"months"`
	Namespaces []Namespace `json:"namespaces"`
}

// Week is a forecast of seven days, made at its beginning, and what was spent in them.
type Week struct {
	From     float64 `json:"from"`
	Forecast float64 `json:"forecast"`
	Lower    Figure  `json:"lower"`
	Upper    Figure  `json:"upper"`
	Spent    float64 `json:"spent"`
}

// Month is a month in UTC against its budget.
type Month struct {
	Month    string `json:"month"` // 2026-11
	Budget   Figure `json:"budget"`
	Spent    Figure `json:"spent"`
	Expected Figure `json:"expected"` // at its end: spent, and for a month that is not over what is forecast
	Lower    Figure `json:"lower"`
	Upper    Figure `json:"upper"`
	Over     Figure `json:"over_budget"` // expected − budget, below 0 if it lasts
}

// Namespace is what one spent, and in whole weeks against its forecast.
type Namespace struct {
	Cluster   string `json:"cluster,omitempty"`
	Namespace string `json:"namespace"`
	Total     Figure `json:"total"`
	Forecast  Figure `json:"forecast"` // of the weeks
	Spent     Figure `json:"spent"`    // in them
}

func (b *book) spend() Spend {
	out := Spend{Currency: "", Weeks: []Week{}, Months: []Month{}, Namespaces: []Namespace{}}
	for _, s := range b.of("forecast") {
		out.Currency = s.Labels.Get("currency")
	}
	total := select1(b.of("spend"), "scope", "total")
	if len(total) == 0 {
		why := Absent(b.why("spend", "no spend is known: put recommendations: {} into the configuration, and see upid recommendations --all for what costs need"))
		out.Total, out.Measured, out.Against, out.Inside = why, why, why, why
		return out
	}
	y := total[0]
	sum, hours := spent(y, b.from, b.to)
	out.Measured = Of(share(hours, b.from, b.to), "the time is shorter than an hour")
	out.Total = Of(sum, "the spend of no hour of that time is known")
	out.Weeks = b.weeks(y, "total", "", "")
	out.Against, out.Inside = against(out.Weeks, b)
	out.Months = b.months(y)
	for _, s := range select1(b.of("spend"), "scope", "namespace") {
		cluster, ns := s.Labels.Get("cluster"), s.Labels.Get("namespace")
		sum, _ := spent(s, b.from, b.to)
		n := Namespace{Cluster: cluster, Namespace: ns, Total: Of(sum, "the spend of no hour is known")}
		const none = "no whole week with a forecast at its beginning"
		n.Forecast, n.Spent = Absent(none), Absent(none)
		if ws := b.weeks(s, "namespace", cluster, ns); len(ws) > 0 {
			forecast, spent := 0.0, 0.0
			for _, w := range ws {
				forecast, spent = forecast+w.Forecast, spent+w.Spent
			}
			n.Forecast, n.Spent = Of(forecast, none), Of(spent, none)
		}
		out.Namespaces = append(out.Namespaces, n)
	}
	return out
}

// spent returns the sum of y, which is spend an hour at each hour, from ≤ time < to, and how many hours
// it is of; the sum of none is NaN.
func spent(y series.Series, from, to int64) (sum float64, hours int) {
	for _, v := range y.Slice(from, to).Values {
		if !math.IsNaN(v) {
			sum += v
			hours++
		}
	}
	if hours == 0 {
		return math.NaN(), 0
	}
	return sum, hours
}

// share returns which part of the hours from from to to hours are, NaN if there are none.
func share(hours int, from, to int64) float64 { return float64(hours) / float64((to-from)/hour) }

// full is spent where enough of the hours are known, scaled to all of them; else NaN.
func full(y series.Series, from, to int64) float64 {
	sum, hours := spent(y, from, to)
	if s := share(hours, from, to); s >= enough {
		return sum / s
	}
	return math.NaN()
}

// weeks follows the first forecast of seven days in the time to its end, then the next.
func (b *book) weeks(y series.Series, scope, cluster, ns string) []Week {
	of := func(query string) series.Series { return b.forecast(query, scope, cluster, ns, "7d") }
	value, lower, upper := of("forecast"), of("forecast_lower"), of("forecast_upper")
	out := []Week{}
	for t := b.from; ; {
		made, ok := first(value, t)
		if !ok || made+week > b.to {
			return out
		}
		sum := full(y, made, made+week)
		if math.IsNaN(sum) {
			t = made + day
			continue
		}
		const none = "the forecast had no interval"
		out = append(out, Week{From: seconds(made), Forecast: at(value, made), Lower: Of(at(lower, made), none), Upper: Of(at(upper, made), none), Spent: sum})
		t = made + week
	}
}

// forecast returns the forecast of a scope over a horizon; one without values if there is none.
func (b *book) forecast(query, scope, cluster, ns, horizon string) series.Series {
	found := select1(b.of(query), "scope", scope, "cluster", cluster, "namespace", ns, "horizon", horizon)
	if len(found) == 0 {
		return series.Series{Start: b.from, Step: hour, Values: nil}
	}
	return found[0]
}

// against returns by how much the spend of ws was above its forecast, and the share of them inside the interval.
func against(ws []Week, b *book) (ratio, inside Figure) {
	if len(ws) == 0 {
		why := Absent(b.why("forecast", fmt.Sprintf("no seven days with a forecast at their beginning and the spend of %.0f %% of their hours: ask for a longer time", 100*enough)))
		return why, why
	}
	forecast, spent, in, judged := 0.0, 0.0, 0, 0
	for _, w := range ws {
		forecast, spent = forecast+w.Forecast, spent+w.Spent
		if w.Lower.Known() && w.Upper.Known() {
			judged++
			if w.Spent >= w.Lower.Number() && w.Spent <= w.Upper.Number() {
				in++
			}
		}
	}
	return Of(spent/forecast-1, "the forecast was nothing"), Of(float64(in)/float64(judged), "no forecast had an interval")
}

// months judges every month that the time touches.
func (b *book) months(y series.Series) []Month {
	out := []Month{}
	budget := series.Series{Start: b.from, Step: hour}
	if f := select1(b.of("budget"), "scope", "total"); len(f) > 0 {
		budget = f[0]
	}
	end := time.UnixMilli(b.to).UTC()
	for m := monthOf(b.from); m.Before(end); m = m.AddDate(0, 1, 0) {
		from, to := m.UnixMilli(), m.AddDate(0, 1, 0).UnixMilli()
		now := min(to, b.to)
		r := Month{Month: m.Format("2006-01")}
		v, when := last(budget, now)
		if when < from {
			v = math.NaN()
		}
		r.Budget = Of(v, b.why("budget", "no budget: set costs.budget in the configuration"))
		sum, hours := spent(y, from, now)
		unknown := fmt.Sprintf("the spend of %d of its %d hours is known", hours, (now-from)/hour)
		if s := share(hours, from, now); s >= enough {
			r.Spent = Of(sum/s, unknown)
		} else {
			r.Spent = Absent(unknown)
		}
		if to <= b.to { // it is over
			r.Expected, r.Lower, r.Upper = r.Spent, r.Spent, r.Spent
		} else {
			r.Spent = b.toDate(r.Spent, from)
			ahead := func(query string) Figure {
				v, when := last(b.forecast(query, "total", "", "", "month_end"), b.to)
				switch {
				case !r.Spent.Known():
					return r.Spent
				case when < b.to-day:
					return Absent("there is no forecast to the end of the month")
				}
				return Of(r.Spent.Number()+v, "there is no forecast to the end of the month")
			}
			r.Expected, r.Lower, r.Upper = ahead("forecast"), ahead("forecast_lower"), ahead("forecast_upper")
		}
		switch {
		case !r.Budget.Known():
			r.Over = r.Budget
		case !r.Expected.Known():
			r.Over = r.Expected
		default:
			r.Over = Of(r.Expected.Number()-r.Budget.Number(), "")
		}
		out = append(out, r)
	}
	return out
}

// toDate is what upid says was spent in a month so far, else what was added up.
func (b *book) toDate(added Figure, month int64) Figure {
	for _, s := range select1(b.of("to_date"), "scope", "total") {
		if v, when := last(s, b.to); when >= max(month, b.to-day/2) {
			return Of(v, "")
		}
	}
	return added
}

// monthOf returns the first of the month of a time.
func monthOf(ms int64) time.Time {
	t := time.UnixMilli(ms).UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// HistoryFrom returns from when on hourly queries are asked: the first of the month of a time.
func HistoryFrom(from int64) int64 { return monthOf(from).UnixMilli() }
