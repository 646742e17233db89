package main

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/upid/upid/cmd/upid/config"
)

// bareDuration reads a duration, or a number without a unit as so many units.
func bareDuration(s string, unit time.Duration) (time.Duration, error) {
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		d := n * float64(unit)
		if !(d >= 0) || d > float64(math.MaxInt64)/2 {
			return 0, fmt.Errorf("%s is out of range", s)
		}
		return time.Duration(d), nil
	}
	d, err := config.ParseDuration(s)
	if err != nil {
		return 0, err
	}
	if d < 0 {
		return 0, fmt.Errorf("%s is negative", s)
	}
	return d, nil
}
