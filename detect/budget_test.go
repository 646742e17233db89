package detect

import (
	"encoding/csv"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// spend counts the findings that open after warm points.
func spend(t *testing.T, o Options, y []float64, warm int) int {
	t.Helper()
	s := mustNew(t, o)
	r := rules.Default(o.Step, series.SeverityWarning)
	var a rules.Alert
	n := 0
	for i, v := range y {
		at := t0 + int64(i)*o.Step.Milliseconds()
		was := a.Active()
		a = r.Next(a, s.Step(at, v), at)
		if a.Active() && !was && i >= warm {
			n++
		}
	}
	return n
}

// perBudgetWeek are the budgets of the budget tests, in alerts a week.
var perBudgetWeek = []struct {
	name string
	week float64
}{{"1/day", 7}, {"1/week", 1}, {"1/month", 7 / 30.0}}

// On series in which nothing ever happens, each family of twelve for six weeks after
// two to learn from, findings keep to 1.2 times the budget of all series together.
func TestBudgetOnNormalSeries(t *testing.T) {
	const (
		seeds = 12
		weeks = 6
		point = 7 * 288
	)
	wave := func(i int) float64 { return 100 + 40*math.Sin(2*math.Pi*float64(i)/288) }
	families := []struct {
		name string
		make func(rng *rand.Rand) func(i int) float64
	}{
		{"white noise", func(rng *rand.Rand) func(int) float64 {
			return func(int) float64 { return rng.NormFloat64() }
		}},
		{"a daily wave", func(rng *rand.Rand) func(int) float64 {
			return func(i int) float64 { return wave(i) + 3*rng.NormFloat64() }
		}},
		{"noise that remembers", func(rng *rand.Rand) func(int) float64 {
			x := 0.0
			return func(int) float64 { x = 0.9*x + rng.NormFloat64(); return x }
		}},
		{"noise with the size of a daily wave", func(rng *rand.Rand) func(int) float64 {
			return func(i int) float64 { return wave(i) * math.Exp(0.1*rng.NormFloat64()) }
		}},
		{"skewed noise", func(rng *rand.Rand) func(int) float64 {
			return func(int) float64 { return math.Exp(0.5 * rng.NormFloat64()) }
		}},
		{"a random walk with a home", func(rng *rand.Rand) func(int) float64 {
			x := 0.0
			return func(int) float64 { x = 0.995*x + rng.NormFloat64(); return 50 + x }
		}},
		{"integers", func(rng *rand.Rand) func(int) float64 {
			return func(i int) float64 { return math.Round(wave(i)/10 + rng.NormFloat64()) }
		}},
	}
	for _, b := range perBudgetWeek {
		total := 0
		for _, f := range families {
			n := 0
			for seed := range uint64(seeds) {
				next := f.make(rand.New(rand.NewPCG(51, seed)))
				y := fill((2+weeks)*point, next)
				n += spend(t, Options{Step: 5 * time.Minute, Budget: b.week}, y, 2*point)
			}
			total += n
			t.Logf("budget %s, %s: %.3f a week", b.name, f.name, float64(n)/(seeds*weeks))
		}
		all := float64(seeds * weeks * len(families))
		if got := float64(total) / all; got > 1.2*b.week {
			t.Errorf("budget %s: %.3f alerts a week on normal series, want at most 1.2 × %.3f", b.name, got, b.week)
		}
	}
}

// On the two real series that come with the program, outside what NAB labels, two
// weeks each, one of them to learn from.
func TestBudgetOnRealSeries(t *testing.T) {
	// Windows of NAB's combined labels (labels/combined_labels.json at 03bbb335), in
	// Unix seconds.
	labels := map[string][][2]int64{
		"elb_request_count.csv":   {{1397294040, 1397354040}, {1398165240, 1398225240}},
		"ec2_request_latency.csv": {{1394767860, 1394808060}, {1395162360, 1395202560}, {1395350760, 1395373260}},
	}
	for _, b := range perBudgetWeek {
		n, weeks := 0, 0.0
		for file, windows := range labels {
			a, w := quietTime(t, filepath.Join("..", "cmd", "upid", "testdata", "nab", file), b.week, windows)
			n, weeks = n+a, weeks+w
		}
		t.Logf("budget %s: %d alerts in %.1f weeks", b.name, n, weeks)
		// So short a time holds a whole alert more or less.
		if float64(n) > 1.2*b.week*weeks+1 {
			t.Errorf("budget %s: %d alerts in %.1f weeks", b.name, n, weeks)
		}
	}
}

// quietTime replays a file and counts the alerts outside the windows, and the weeks.
func quietTime(t *testing.T, path string, budget float64, windows [][2]int64) (alerts int, weeks float64) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Step: 5 * time.Minute, Budget: budget}
	s := mustNew(t, o)
	r := rules.Default(o.Step, series.SeverityWarning)
	var a rules.Alert
	for i, row := range rows[1:] {
		sec, err := strconv.ParseInt(row[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		v := math.NaN()
		if row[1] != "" {
			if v, err = strconv.ParseFloat(row[1], 64); err != nil {
				t.Fatal(err)
			}
		}
		was := a.Active()
		a = r.Next(a, s.Step(sec*1000, v), sec*1000)
		quiet := i >= 7*288
		for _, w := range windows {
			quiet = quiet && (sec < w[0]-3600 || sec > w[1]+3600)
		}
		if !quiet {
			continue
		}
		weeks += 1.0 / (7 * 288)
		if a.Active() && !was {
			alerts++
		}
	}
	return alerts, weeks
}
