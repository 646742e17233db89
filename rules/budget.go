package rules

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Budget is how many alerts a signal may raise: "1/week". The zero value is
// not a budget; IsZero tells.
type Budget struct {
	Count int    // at least 1
	Per   string // hour, day, week or month
}

const week = 7 * 24 * time.Hour

// period returns the length of what a budget can count over, 0 for any other
// word. A month has 30 days.
func period(per string) time.Duration {
	switch per {
	case "hour":
		return time.Hour
	case "day":
		return 24 * time.Hour
	case "week":
		return week
	case "month":
		return 30 * 24 * time.Hour
	}
	return 0
}

// maxCount bounds a budget; more than that is not a budget.
const maxCount = 10000

// ParseBudget reads a budget such as "1/week", "2/day" or "3/month".
func ParseBudget(s string) (Budget, error) {
	count, per, ok := strings.Cut(s, "/")
	if !ok {
		return Budget{}, fmt.Errorf("budget %q: want COUNT/PERIOD, as in 1/week", s)
	}
	n, err := strconv.Atoi(strings.TrimSpace(count))
	if err != nil || n < 1 || n > maxCount {
		return Budget{}, fmt.Errorf("budget %q: count is %q, want a whole number from 1 to %d", s, count, maxCount)
	}
	per = strings.TrimSpace(per)
	if period(per) == 0 {
		return Budget{}, fmt.Errorf("budget %q: period is %q, want hour, day, week or month", s, per)
	}
	return Budget{Count: n, Per: per}, nil
}

// IsZero reports whether b was never set.
func (b Budget) IsZero() bool { return b == Budget{} }

// Period returns the time b counts over; 0 for the zero value.
func (b Budget) Period() time.Duration { return period(b.Per) }

// PerWeek returns the alerts b allows a week; 0 for the zero value.
func (b Budget) PerWeek() float64 {
	p := b.Period()
	if p == 0 {
		return 0
	}
	return float64(b.Count) * float64(week) / float64(p)
}

// String returns b as ParseBudget reads it; "" for the zero value.
func (b Budget) String() string {
	if b.IsZero() {
		return ""
	}
	return strconv.Itoa(b.Count) + "/" + b.Per
}

// UnmarshalText implements encoding.TextUnmarshaler, which command lines and
// JSON use.
func (b *Budget) UnmarshalText(text []byte) error {
	v, err := ParseBudget(string(text))
	if err != nil {
		return err
	}
	*b = v
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (b Budget) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalYAML reads b from a string node. It is the function form, which
// keeps a decoder strict.
func (b *Budget) UnmarshalYAML(unmarshal func(any) error) error {
	var s string
	if err := unmarshal(&s); err != nil {
		return err
	}
	return b.UnmarshalText([]byte(s))
}

// MarshalYAML returns the string form.
func (b Budget) MarshalYAML() (any, error) { return b.String(), nil }
