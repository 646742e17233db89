package rules

import (
	"encoding/json"
	"errors"
	"testing"
	"time"
)

func TestParseBudget(t *testing.T) {
	f := func(in string, period time.Duration, count int, perWeek float64) {
		t.Helper()
		b, err := ParseBudget(in)
		if err != nil {
			t.Fatal(err)
		}
		if b.Period() != period || b.Count != count || b.PerWeek() != perWeek {
			t.Errorf("%q: %v, %d, %v a week; want %v, %d, %v", in, b.Period(), b.Count, b.PerWeek(), period, count, perWeek)
		}
		if again, err := ParseBudget(b.String()); err != nil || again != b {
			t.Errorf("%q does not come back from %q: %v", in, b.String(), err)
		}
	}
	f("1/week", 7*24*time.Hour, 1, 1)
	f("2/day", 24*time.Hour, 2, 14)
	f("3/month", 30*24*time.Hour, 3, 0.7) // 3 · 7/30
	f("1/hour", time.Hour, 1, 168)
	f(" 4 / week ", 7*24*time.Hour, 4, 4)
}

func TestParseBudgetRefuses(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		_, err := ParseBudget(in)
		if err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", in, err, want)
		}
	}
	f("", `budget "": want COUNT/PERIOD, as in 1/week`)
	f("1", `budget "1": want COUNT/PERIOD, as in 1/week`)
	f("0/week", `budget "0/week": count is "0", want a whole number from 1 to 10000`)
	f("-1/week", `budget "-1/week": count is "-1", want a whole number from 1 to 10000`)
	f("0.5/week", `budget "0.5/week": count is "0.5", want a whole number from 1 to 10000`)
	f("99999/week", `budget "99999/week": count is "99999", want a whole number from 1 to 10000`)
	f("1/year", `budget "1/year": period is "year", want hour, day, week or month`)
}

func TestBudgetZero(t *testing.T) {
	var b Budget
	if !b.IsZero() || b.PerWeek() != 0 || b.Period() != 0 || b.String() != "" {
		t.Errorf("zero budget: %v, %v, %v, %q", b.IsZero(), b.PerWeek(), b.Period(), b.String())
	}
}

func TestBudgetDecodes(t *testing.T) {
	var b Budget
	yaml := func(v any) error { *v.(*string) = "2/day"; return nil }
	if err := b.UnmarshalYAML(yaml); err != nil || b != (Budget{Count: 2, Per: "day"}) {
		t.Errorf("yaml: %+v, %v", b, err)
	}
	if v, err := b.MarshalYAML(); err != nil || v != "2/day" {
		t.Errorf("yaml out: %v, %v", v, err)
	}
	wrong := errors.New("not a string")
	if err := b.UnmarshalYAML(func(any) error { return wrong }); !errors.Is(err, wrong) {
		t.Errorf("yaml of another type: %v", err)
	}
	var c struct{ Budget Budget }
	if err := json.Unmarshal([]byte(`{"Budget":"1/week"}`), &c); err != nil || c.Budget.PerWeek() != 1 {
		t.Errorf("json: %+v, %v", c, err)
	}
	if out, err := json.Marshal(c); err != nil || string(out) != `{"Budget":"1/week"}` {
		t.Errorf("json out: %s, %v", out, err)
	}
	if err := json.Unmarshal([]byte(`{"Budget":"often"}`), &c); err == nil {
		t.Error(`json: "often" was accepted`)
	}
}

func TestRuleWithinBudget(t *testing.T) {
	r := Default(time.Minute, "warning")
	for b, want := range map[string]time.Duration{"1/day": 24 * time.Hour, "1/week": 24 * time.Hour, "10/month": 24 * time.Hour, "1/month": 24 * time.Hour * 30 / 7} {
		budget, err := ParseBudget(b)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Within(budget).Rest; (got - want).Abs() > time.Second {
			t.Errorf("%s: %v, want %v", b, got, want)
		}
	}
	if r.Within(Budget{}) != r {
		t.Error("no budget changes the rule")
	}
}
