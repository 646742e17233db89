package forecast

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	dayMillis  = int64(24 * time.Hour / time.Millisecond)
	weekMillis = 7 * dayMillis
)

// Season is the length of a season, given either as a duration ("1d", "7d",
// "12h") or as a number of points (24). The zero value is one day.
type Season struct {
	Length time.Duration // 0 if the season is given in points
	Points int           // 0 if the season is given as a duration
}

// UnmarshalYAML reads a number of points or a duration. It has the func form, so
// that it needs no YAML package and stays strict.
func (s *Season) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if err := unmarshal(&text); err != nil {
		return err
	}
	parsed, err := ParseSeason(text)
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}

// ParseSeason reads a positive number of points ("24") or a positive duration:
// Go's syntax, or a whole number of days ("7d") or weeks ("2w").
func ParseSeason(text string) (Season, error) {
	if n, err := strconv.Atoi(text); err == nil {
		if n < 1 {
			return Season{}, fmt.Errorf("season is %d points, want at least 1", n)
		}
		return Season{Length: 0, Points: n}, nil
	}
	unit := time.Duration(0)
	switch {
	case strings.HasSuffix(text, "d"):
		unit = 24 * time.Hour
	case strings.HasSuffix(text, "w"):
		unit = 7 * 24 * time.Hour
	}
	var d time.Duration
	if unit > 0 {
		n, err := strconv.ParseInt(text[:len(text)-1], 10, 32)
		if err != nil {
			return Season{}, fmt.Errorf("season %q: want points or a duration", text)
		}
		d = time.Duration(n) * unit
	} else {
		var err error
		if d, err = time.ParseDuration(text); err != nil {
			return Season{}, fmt.Errorf("season %q: want points or a duration", text)
		}
	}
	if d <= 0 {
		return Season{}, fmt.Errorf("season is %s, want more than 0", text)
	}
	return Season{Length: d, Points: 0}, nil
}

// points returns the season in points of a grid with the given step in
// milliseconds, rounded to the nearest whole point and at least 1.
func (s Season) points(step int64) int {
	if s.Points > 0 {
		return s.Points
	}
	length := s.Length.Milliseconds()
	if length == 0 {
		return gridOf(step).season
	}
	return max(1, int(math.Round(float64(length)/float64(step))))
}

// grid says how many points make the seasons of a series.
type grid struct {
	season int   // a day; a week where a day is not a whole number of points; else 1
	long   int   // a week where season is a day, else 0
	step   int64 // milliseconds
}

// gridOf returns the seasons of a grid with the given step in milliseconds. A
// day or week that is not a whole number of points is no season: forecasting
// with a rounded one would drift through the phases.
func gridOf(step int64) grid {
	switch {
	case step > 0 && step < dayMillis && dayMillis%step == 0:
		return grid{season: int(dayMillis / step), long: int(weekMillis / step), step: step}
	case step > 0 && step < weekMillis && weekMillis%step == 0:
		return grid{season: int(weekMillis / step), long: 0, step: step}
	}
	return grid{season: 1, long: 0, step: step}
}

// day returns the points of a day, or of the season where that is no day.
func (g grid) day() int {
	if g.long > 0 && int64(g.long)*g.step == dayMillis {
		return g.long
	}
	return g.season
}

// perHour returns how many points make an hour where there are several and a whole
// number of them, else 1.
func (g grid) perHour() int {
	const hour = dayMillis / 24
	if g.step > 0 && g.step < hour && hour%g.step == 0 && g.long > 0 {
		return int(hour / g.step)
	}
	return 1
}

// block returns the number of points by which horizons and rolling origins are
// counted: a season, or 7 points where there is none.
func (g grid) block() int {
	if g.season > 1 {
		return g.season
	}
	return 7
}

// NaiveSeason returns the season, in points, of the default seasonal naive
// forecast on a grid with the given step in milliseconds: a day if it is a whole
// number of points, else a week, else 1.
func NaiveSeason(step int64) int { return gridOf(step).season }
