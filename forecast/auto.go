package forecast

import (
	"fmt"
	"time"
)

// Auto is the forecaster for everything nobody chose one for: the weighted median
// of a dozen cheap models, weighted by their squared inverse error on rolling
// origins of the series itself, with an interval from the residuals that this
// very median had on those origins.
//
// The pool pairs what wins on regular series (ridge regressions on seasonal lags
// and smoothing, raw and on the logarithm) with what wins on restless ones
// (medians by hour and of everything): see each type. A history with negative
// values does without the logarithms.
type Auto struct {
	Folds int `yaml:"folds"` // rolling origins wanted, at least 1
}

func newAuto(decode func(any) error) (Forecaster, error) {
	p := Auto{Folds: 4}
	if err := decode(&p); err != nil {
		return nil, err
	}
	if p.Folds < 1 {
		return nil, fmt.Errorf("folds is %d, want at least 1", p.Folds)
	}
	return newCombination("auto", autoPool(), p.Folds), nil
}

func autoPool() []named {
	return []named{
		{"ar_ridge_log", logged{ARRidge{Log: true, Long: false}}},
		{"seasonal_ridge_log", logged{SeasonalRidge{Log: true}}},
		{"holt_winters_log", logged{HoltWinters{Log: true}}},
		{"ar_ridge", ARRidge{Log: false, Long: false}},
		{"seasonal_ridge", SeasonalRidge{Log: false}},
		{"holt_winters", HoltWinters{Log: false}},
		{"week_profile", WeekProfile{}},
		{"hour_of_day_median_7d", HourOfDayMedian{Days: 7}},
		{"hour_of_day_median_28d", HourOfDayMedian{Days: 28}},
		{"hour_of_week_median", HourOfWeekMedian{Weeks: 8}},
		{"seasonal_naive", repeat{long: false}},
		{"median_1d", Median{Season{Length: 0, Points: 0}}},
		{"median_28d", Median{Season{Length: 28 * 24 * time.Hour, Points: 0}}},
	}
}
