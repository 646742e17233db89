package forecast

import (
	"fmt"
	"time"
)

// Auto is the forecaster for everything nobody chose one for: the weighted median
// of fourteen cheap models, weighted by their squared inverse error on rolling
// origins of the series itself, with an interval from the residuals that this
// very median had on those origins.
//
// The pool pairs what wins on regular series (ridge regressions on seasonal lags
// and smoothing, on the logarithm and raw) with what wins on restless ones
// (medians by hour and of everything): see each type. A history with negative
// values does without the logarithms. A weighted median follows the majority of
// good members, so that one member that goes astray cannot pull it along, as it
// pulls a mean (rel168 on the server traces 5 % worse).
type Auto struct {
	Folds int `yaml:"folds"` // rolling origins wanted, at least 1
}

func newAuto(decode func(any) error) (Forecaster, error) {
	p := Auto{Folds: 7}
	if err := decode(&p); err != nil {
		return nil, err
	}
	if p.Folds < 1 {
		return nil, fmt.Errorf("folds is %d, want at least 1", p.Folds)
	}
	const day = 24 * time.Hour
	return newCombination("auto", []named{
		{"ar_ridge_log", logged{ARRidge{Log: true, Long: false}}},
		{"ar_ridge_long_log", logged{ARRidge{Log: true, Long: true}}},
		{"ar_ridge_long", ARRidge{Log: false, Long: true}},
		{"seasonal_ridge_log", logged{SeasonalRidge{Log: true}}},
		{"holt_winters_log", logged{HoltWinters{Log: true}}},
		{"holt_winters", HoltWinters{Log: false}},
		{"hour_of_day_median_3d", HourOfDayMedian{Days: 3}},
		{"hour_of_day_median_7d", HourOfDayMedian{Days: 7}},
		{"hour_of_day_median_28d", HourOfDayMedian{Days: 28}},
		{"hour_of_week_median", HourOfWeekMedian{Weeks: 8}},
		{"seasonal_naive_1d", repeat{long: false}},
		{"seasonal_naive_7d", repeat{long: true}},
		{"median_1d", Median{Window: Season{Length: 0, Points: 0}}},
		{"median_7d", Median{Window: Season{Length: 7 * day, Points: 0}}},
	}, p.Folds), nil
}
