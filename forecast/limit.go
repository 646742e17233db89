package forecast

import (
	"fmt"
	"math"

	"github.com/upid/upid/collector/series"
)

// Limit cuts point and bounds of dst at most, which the values of y cannot exceed, such
// as 1 for the share of a disk that is used. A value of y above most says that there is no
// such limit: then nothing is cut, and dst says so. NaN bounds stay NaN. O(n).
func Limit(dst *series.Forecast, y series.Series, most float64) {
	for _, v := range y.Values {
		if v > most && !math.IsInf(v, 1) {
			dst.Warnings = append(dst.Warnings, fmt.Errorf("there was a value of %g, above the limit of %g, which is therefore not applied", v, most))
			return
		}
	}
	for k := range dst.Point {
		dst.Point[k] = min(dst.Point[k], most)
		dst.Lower[k], dst.Upper[k] = min(dst.Lower[k], most), min(dst.Upper[k], most)
	}
}
