package forecast

import (
	"fmt"
	"slices"
	"strings"
)

// Models lists every model by the name the configuration uses.
var Models = map[string]Factory{
	"ar_ridge":            newARRidge,
	"auto":                newAuto,
	"damped_ets":          newDampedETS,
	"day_shape":           newDayShape,
	"drift":               newDrift,
	"holt_winters":        newHoltWinters,
	"hour_of_day_median":  newHourOfDayMedian,
	"hour_of_week_median": newHourOfWeekMedian,
	"median":              newMedian,
	"mstl":                newMSTL,
	"profile_ar":          newProfileAR,
	"seasonal_naive":      newSeasonalNaive,
	"seasonal_ridge":      newSeasonalRidge,
	"theta":               newTheta,
	"week_profile":        newWeekProfile,
}

// Names returns the names in Models in alphabetical order.
func Names() []string {
	names := make([]string, 0, len(Models))
	for name := range Models {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// New makes the model with the given name in Models. decode fills the model's
// parameter struct; nil leaves the defaults.
func New(name string, decode func(any) error) (Forecaster, error) {
	factory, ok := Models[name]
	if !ok {
		return nil, fmt.Errorf("model %q is unknown, want one of %s", name, strings.Join(Names(), ", "))
	}
	if decode == nil {
		decode = func(any) error { return nil }
	}
	f, err := factory(decode)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	return eventful{civil{f}}, nil
}
