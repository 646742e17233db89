package forecast_test

import (
	"fmt"
	"math"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast"
)

const hour = int64(time.Hour / time.Millisecond)

// example is four weeks of a clean day between 10 and 30.
func example() series.Series {
	y := series.Series{Start: 0, Step: hour, Values: make([]float64, 28*24)}
	for i := range y.Values {
		y.Values[i] = 20 - 10*math.Cos(2*math.Pi*float64(i)/24)
	}
	return y
}

// show prints the forecast of the next midnight and noon.
func show(name string, decode func(any) error) {
	model, err := forecast.New(name, decode)
	if err != nil {
		fmt.Println(err)
		return
	}
	f := series.Forecast{Band: series.Band{
		Level: 0.9, Point: make([]float64, 24), Lower: make([]float64, 24), Upper: make([]float64, 24),
	}}
	var scratch forecast.Scratch // one per worker, kept between calls
	if err := model.Forecast(&f, example(), forecast.Calendar{}, &scratch); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("midnight %.1f, noon %.1f\n", f.Point[0], f.Point[12])
}

func ExampleNew() {
	show("auto", nil)
	show("prophet", nil)
	// Output:
	// midnight 10.0, noon 30.0
	// model "prophet" is unknown, want one of ar_ridge, auto, damped_ets, day_shape, drift, holt_winters, hour_of_day_median, hour_of_week_median, median, mstl, profile_ar, seasonal_naive, seasonal_ridge, theta, week_profile
}

func ExampleAuto() {
	show("auto", func(p any) error { p.(*forecast.Auto).Folds = 3; return nil })
	// Output: midnight 10.0, noon 30.0
}

func ExampleARRidge() {
	show("ar_ridge", nil)
	// Output: midnight 10.0, noon 30.0
}

func ExampleHoltWinters() {
	show("holt_winters", nil)
	// Output: midnight 10.0, noon 30.0
}

func ExampleHourOfDayMedian() {
	show("hour_of_day_median", func(p any) error { p.(*forecast.HourOfDayMedian).Days = 14; return nil })
	// Output: midnight 10.0, noon 30.0
}

func ExampleHourOfWeekMedian() {
	show("hour_of_week_median", nil)
	// Output: midnight 10.0, noon 30.0
}

func ExampleMedian() {
	show("median", nil) // carries no season
	// Output: midnight 20.0, noon 20.0
}

func ExampleSeasonalNaive() {
	show("seasonal_naive", func(p any) error {
		p.(*forecast.SeasonalNaive).Season = forecast.Season{Length: 7 * 24 * time.Hour}
		return nil
	})
	// Output: midnight 10.0, noon 30.0
}

func ExampleSeasonalRidge() {
	show("seasonal_ridge", nil)
	// Output: midnight 10.0, noon 30.0
}

func ExampleWeekProfile() {
	show("week_profile", nil)
	// Output: midnight 10.0, noon 30.0
}

func ExampleResample() {
	y := series.Series{Start: 30 * 60_000, Step: 15 * 60_000, Values: []float64{1, 3, 10, 20, 30, 40, 99}}
	hourly, err := forecast.Resample(y, hour)
	fmt.Println(hourly.Start, hourly.Values, err)
	// Output: 0 [2 25] <nil>
}

func ExampleAt() {
	f := series.Forecast{Band: series.Band{
		Start: 0, Step: hour,
		Point: []float64{10, 30, 20}, Lower: []float64{8, 26, 14}, Upper: []float64{12, 34, 26},
	}}
	h := forecast.At(&f, 0, 2*time.Hour, forecast.BucketMean) // between the middles 1:30 and 2:30
	fmt.Printf("%.0f in [%.0f, %.0f], peak %.0f\n", h.Value, h.Lower, h.Upper, h.Peak)
	// Output: 25 in [20, 30], peak 30
}
