package output

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// odd is a series name with everything that needs quoting.
const odd = `up{a="x,y",b="é
z"}`

func render(t *testing.T, format Format, records int) string {
	t.Helper()
	s := NewSchema(format, "series", "timestamp", "value", "n", "type")
	var b strings.Builder
	w := NewWriter(&b, s)
	names := []string{"cpu", odd, " padded"}
	for i := range records {
		rows := s.Rows(nil)
		rows.Text(names[i])
		rows.Time(1700000000000 + int64(i)*500)
		rows.Number([]float64{1.5, math.NaN(), math.Inf(1)}[i])
		rows.Int(i)
		rows.TextOrNull([]string{"spike", "", ""}[i])
		if err := w.Write(rows.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Write(nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWriter_csv(t *testing.T) {
	got := render(t, CSV, 3)
	want := "series,timestamp,value,n,type\n" +
		"cpu,1700000000,1.5,0,spike\n" +
		"\"up{a=\"\"x,y\"\",b=\"\"é\nz\"\"}\",1700000000.5,,1,\n" +
		"\" padded\",1700000001,,2,\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	rows, err := csv.NewReader(strings.NewReader(got)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if rows[2][0] != odd || rows[3][0] != " padded" {
		t.Errorf("names read back as %q and %q", rows[2][0], rows[3][0])
	}
	if got := render(t, CSV, 0); got != "series,timestamp,value,n,type\n" {
		t.Errorf("no records: %q", got)
	}
}

type record struct {
	Series    string   `json:"series" yaml:"series"`
	Timestamp float64  `json:"timestamp" yaml:"timestamp"`
	Value     *float64 `json:"value" yaml:"value"`
	N         int      `json:"n" yaml:"n"`
	Type      *string  `json:"type" yaml:"type"`
}

func checkRecords(t *testing.T, rs []record) {
	t.Helper()
	if len(rs) != 3 {
		t.Fatalf("%d records, want 3", len(rs))
	}
	if r := rs[0]; r.Series != "cpu" || r.Timestamp != 1700000000 || r.Value == nil || *r.Value != 1.5 || r.Type == nil || *r.Type != "spike" {
		t.Errorf("first record is %+v", r)
	}
	if r := rs[1]; r.Series != odd || r.Timestamp != 1700000000.5 || r.Value != nil || r.N != 1 || r.Type != nil {
		t.Errorf("second record is %+v", r)
	}
	if r := rs[2]; r.Series != " padded" || r.Value != nil {
		t.Errorf("third record is %+v", r)
	}
}

func TestWriter_json(t *testing.T) {
	got := render(t, JSON, 3)
	var rs []record
	if err := json.Unmarshal([]byte(got), &rs); err != nil {
		t.Fatalf("%v in\n%s", err, got)
	}
	checkRecords(t, rs)
	if got, want := render(t, JSON, 1), "[\n  {\"series\":\"cpu\",\"timestamp\":1700000000,\"value\":1.5,\"n\":0,\"type\":\"spike\"}\n]\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := render(t, JSON, 0); got != "[]\n" {
		t.Errorf("no records: %q", got)
	}
}

func TestWriter_yaml(t *testing.T) {
	got := render(t, YAML, 3)
	var rs []record
	if err := yaml.Unmarshal([]byte(got), &rs); err != nil {
		t.Fatalf("%v in\n%s", err, got)
	}
	checkRecords(t, rs)
	if got := render(t, YAML, 0); got != "[]\n" {
		t.Errorf("no records: %q", got)
	}
}

func TestNewSchema_table(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a table has no records, want a panic")
		}
	}()
	NewSchema(Table, "a")
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestWriter_error(t *testing.T) {
	full := errors.New("disk full")
	w := NewWriter(failing{full}, NewSchema(CSV, "a"))
	if err := w.Close(); !errors.Is(err, full) {
		t.Errorf("Close returned %v, want %v", err, full)
	}
}

func BenchmarkRows(b *testing.B) {
	s := NewSchema(CSV, "series", "timestamp", "value", "lower", "upper", "model", "confidence")
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		rows := s.Rows(buf)
		for i := range 168 {
			rows.Text("node_load1")
			rows.Time(1700000000000 + int64(i)*3600000)
			rows.Number(1.0 / float64(i+3))
			rows.Number(1.0 / float64(i+4))
			rows.Number(1.0 / float64(i+2))
			rows.Text("auto")
			rows.Number(0.71)
		}
		buf = rows.Bytes()
	}
	b.ReportMetric(168*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// TestCSVControls: a terminal is not told what to do by the name of a series.
func TestCSVControls(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := string(appendCSV(nil, in)); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	f("plain name", "plain name")
	f("Ünicode ✓", "Ünicode ✓")
	f("\x1b[2Jname", `\u001b[2Jname`)
	f("a\rb,\x7f\u009b", `"a\u000db,\u007f\u009b"`)
	f("a\u202eb\u2028c", `a\u202eb\u2028c`)
	f("two\nlines\t\"q\"", "\"two\nlines\t\"\"q\"\"\"")
}
