package detect_test

import (
	"fmt"
	"math"
	"time"

	"github.com/upid/upid/detect"
)

// Four days of a daily wave, then one minute with twice the expected value.
func Example() {
	s, err := detect.New("stream", detect.Options{Step: time.Minute, Budget: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	minute := time.Minute.Milliseconds()
	day := 24 * 60
	wave := func(i int) float64 {
		return 100 + 40*math.Sin(2*math.Pi*float64(i)/float64(day)) + float64(i%7)
	}
	for i := range 4 * day {
		s.Step(int64(i)*minute, wave(i))
	}
	sc := s.Step(int64(4*day)*minute, 2*wave(4*day))
	fmt.Printf("observed %.0f, expected about %.0f\n", sc.Observed, math.Round(sc.Expected/5)*5)
	fmt.Println(sc.Type, sc.Value > 1)
	// Output:
	// observed 212, expected about 105
	// spike true
}
