package forecast

import (
	"encoding/csv"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
)

// The files are written by testdata/reference.R, with R 4.2.2 and its package forecast 8.20.
func referenceRows(t *testing.T, name string) [][]string {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
	}
	return rows[1:]
}

func column(t *testing.T, rows [][]string, i int) []float64 {
	t.Helper()
	out := make([]float64, len(rows))
	for k, row := range rows {
		out[k] = number(t, row[i])
	}
	return out
}

// The seasons of stl are those of R's stl, on odd and even periods and on lengths that are no whole number of them.
func TestSTLReference(t *testing.T) {
	rows := referenceRows(t, "stl.csv")
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n][0] == rows[0][0] {
			n++
		}
		m, _ := strconv.Atoi(rows[0][0])
		window, _ := strconv.Atoi(rows[0][1])
		y, want := column(t, rows[:n], 2), column(t, rows[:n], 3)
		got := make([]float64, n)
		stl(got, y, m, window, new(Scratch))
		for i := range got {
			if math.Abs(got[i]-want[i]) > 1e-6 {
				t.Fatalf("period %d, window %d, point %d: %v, R has %v", m, window, i, got[i], want[i])
			}
		}
		rows = rows[n:]
	}
}

// The forecast of mstl is the last short and the last long season of R's mstl on top
// of what damped_ets makes of the rest.
func TestMSTLReference(t *testing.T) {
	rows := referenceRows(t, "mstl.csv")
	y, short, long := column(t, rows, 0), column(t, rows, 1), column(t, rows, 2)
	n, g := len(y), grid{season: 6, long: 42, step: hour}
	rest := make([]float64, n)
	for i := range rest {
		rest[i] = y[i] - short[i] - long[i]
	}
	want := [][]float64{make([]float64, 60)}
	DampedETS{}.project(want, rest, []int{n}, grid{season: 1, long: 0, step: hour}, new(Scratch))
	got := make([]float64, 60)
	MSTL{}.one(got, y, g, new(Scratch))
	for h := range got {
		w := want[0][h] + short[n-6+h%6] + long[n-42+h%42]
		if math.Abs(got[h]-w) > 1e-6 {
			t.Fatalf("step %d: %v, with the seasons of R %v", h, got[h], w)
		}
	}
}

// With given parameters the filter is R's ets(A,Ad,N); the parameters found are as good as
// the best R's optim finds.
func TestDampedETSReference(t *testing.T) {
	values := map[string][]float64{}
	for _, row := range referenceRows(t, "damped_ets.csv") {
		values[row[0]] = append(values[row[0]], number(t, row[1]))
	}
	y := values["y"]
	logit := func(p float64) float64 { return math.Log(p / (1 - p)) }
	f := damped{first: mean(y[:4])}
	q := []float64{logit(0.35), logit(0.1 / 0.35), logit((0.9 - 0.8) / 0.18)}
	closeTo(t, f.run(q, y), values["sse"][0], 1e-9)
	got := make([]float64, 6)
	f.forecast(got, q, y)
	for h, want := range values["forecast"] {
		closeTo(t, got[h], want, 1e-9)
	}

	q = []float64{0, -3, 1}
	f.fit(q, y, coldIterations, new(Scratch))
	if got, least := f.run(q, y), values["least_sse"][0]; got > least*1.00001 {
		t.Errorf("Σ ε² = %v, the least R finds is %v", got, least)
	}
	f.forecast(got, q, y)
	for h, want := range values["least_forecast"] {
		closeTo(t, got[h], want, 0.01)
	}
}
