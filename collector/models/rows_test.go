package models

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestReadRows(t *testing.T) {
	want := &Rows{
		Features: []string{"cpu", "mem"}, Columns: [][]float64{{1, 2}, {math.NaN(), 5}},
		Targets: []string{"x", "y"}, Values: [][]float64{{3, 4}, {math.NaN(), 6}}, Times: []int64{10_000, 86_400_000}, N: 2,
	}
	for name, text := range map[string]string{
		"objects": `[{"series":"a","timestamp":10,"features":{"cpu":1,"mem":null},"target_x":3,"target_y":null},
			{"timestamp":"1970-01-02T00:00:00Z","features":{"cpu":2,"mem":5},"targets":{"x":4,"y":6}}]`,
		"flat":  `[{"timestamp":10,"cpu":1,"mem":null,"target_x":3,"target_y":null},{"timestamp":86400,"target_y":6,"mem":5,"cpu":2,"target_x":4}]`,
		"lines": "{\"timestamp\":10,\"cpu\":1,\"mem\":null,\"target_x\":3,\"target_y\":null}\n\n{\"timestamp\":86400,\"cpu\":2,\"mem\":5,\"target_x\":4,\"target_y\":6}\n",
		"csv":   "\ufefftimestamp,cpu,mem,target_x,target_y\n10,1,,3,\n1970-01-02T00:00:00Z,2,5, 4,6\n",
	} {
		var zipped bytes.Buffer
		z := gzip.NewWriter(&zipped)
		_, _ = z.Write([]byte(text))
		_ = z.Close()
		for _, in := range []string{text, zipped.String()} {
			got, err := ReadRows(strings.NewReader(in))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if !reflect.DeepEqual(got.Features, want.Features) || !reflect.DeepEqual(got.Targets, want.Targets) || !reflect.DeepEqual(got.Times, want.Times) ||
				!same(got.Columns, want.Columns) || !same(got.Values, want.Values) {
				t.Errorf("%s: %+v", name, got)
			}
		}
	}
	one, err := ReadRows(strings.NewReader(`{"a":1,"b":true,"target":false}`))
	if err != nil || one.N != 1 || one.Columns[1][0] != 1 || one.Targets[0] != "target" || one.Values[0][0] != 0 || one.Times != nil {
		t.Errorf("%+v, %v", one, err)
	}
}

func same(a, b [][]float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		for k := range a[i] {
			if len(a[i]) != len(b[i]) || a[i][k] != b[i][k] && !(math.IsNaN(a[i][k]) && math.IsNaN(b[i][k])) {
				return false
			}
		}
	}
	return true
}

func TestReadRowsRefuses(t *testing.T) {
	for text, says := range map[string]string{
		"":                                "it is empty",
		"[]":                              "there is no row",
		"cpu\n":                           "there is no row",
		`[{"a":1},{"a":"x"}]`:             `row 2: a is "x", want a number`,
		`[{"a":1},{"a":1e999}]`:           "row 2: a is 1e999, want a finite number",
		"a,b\n1,NaN\n":                    "row 1: b is NaN, want a finite number",
		"a,b\n1,Inf\n":                    "b is Inf",
		"a,a\n1,2\n":                      "comes twice",
		"a,b\n1\n":                        "row",
		`[{"a":1,"a":2}]`:                 "a is given twice",
		`[{"a":[1]}]`:                     "a is not a number",
		`[{"features":{"a":{"b":1}}}]`:    "a is not a number",
		`[1]`:                             "1 where an object is wanted",
		`[[{"a":1}]]`:                     "an array where",
		`[{"a":1}] x`:                     "goes on",
		`[{"a":1}`:                        "unexpected EOF",
		`[{"timestamp":"no","a":1}]`:      "timestamp is",
		`[{"timestamp":1,"a":1},{"a":2}]`: "1 of 2 rows have a timestamp",
		`[{"":1}]`:                        "a name of 0 characters",

		`[{"timestamp":1,"a":1},{"timestamp":2,"time":3,"a":1}]`: "row 2: the timestamp is given twice",
		"timestamp,time,a\n1,2,3\n":                              "row 1: the timestamp is given twice",
		`[{"a":1},{"features":{"a":1},"a":2}]`:                   "row 2: a is given twice",
		`[{"a":1},{"a":null,"features":{"a":1}}]`:                "row 2: a is given twice",
		`[{"a":1,"target_x":1,"targets":{"x":1}}]`:               "row 1: x is given twice",
		"a,target,target_target\n1,2,3\n":                        "row 1: target is given twice",
	} {
		_, err := ReadRows(strings.NewReader(text))
		if !errors.Is(err, ErrRows) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}

// TestReadRowsWithin: small bodies whose rows would be large in memory are refused while
// they are read.
func TestReadRowsWithin(t *testing.T) {
	var names []string
	for i := range 50 {
		names = append(names, fmt.Sprintf(`"f%d":1`, i))
	}
	wide, limits := "{"+strings.Join(names, ",")+"}", Limits{Rows: 100, Cells: 1000}
	for text, says := range map[string]string{
		"[" + wide + strings.Repeat(",{}", 19) + "]":                  "",
		"[" + wide + strings.Repeat(",{}", 20) + "]":                  "row 21: more than 1000 cells: 21 rows of 50 names",
		"[" + wide + strings.Repeat(",{}", 20) + " and no more":       "more than 1000 cells",
		"[" + strings.Repeat("{},", 20) + wide + "]":                  "row 21: more than 1000 cells: 21 rows of 48 names",
		strings.Repeat(`{"a":1}`, 100):                                "",
		strings.Repeat(`{"a":1}`, 101):                                "more than 100 rows",
		"a,target\n" + strings.Repeat("1,2\n", 101):                   "more than 100 rows",
		"a,target\n" + strings.Repeat("1,2\n", 100):                   "",
		"[" + strings.Repeat("{},", 100) + `{"a":1}]`:                 "more than 100 rows",
		`[{"a":1,"b":2}` + strings.Repeat(`,{"a":1,"b":2}`, 99) + `]`: "",
	} {
		_, err := ReadRowsWithin(strings.NewReader(text), limits)
		if says == "" && err != nil || says != "" && (!errors.Is(err, ErrRows) || !strings.Contains(err.Error(), says)) {
			t.Errorf("%.60s: %v, want %q", text, err, says)
		}
	}
}

func FuzzReadRows(f *testing.F) {
	f.Add([]byte(`[{"features":{"a":1},"target":2}]`))
	f.Add([]byte("timestamp,a,target_x\n1,2,3\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, err := ReadRows(bytes.NewReader(b))
		if err != nil {
			return
		}
		for _, c := range append(rows.Columns, rows.Values...) {
			if len(c) != rows.N {
				t.Fatalf("%d values in %d rows", len(c), rows.N)
			}
			for _, v := range c {
				if math.IsInf(v, 0) {
					t.Fatal("an infinite value")
				}
			}
		}
	})
}
