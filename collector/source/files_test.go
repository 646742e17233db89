package source

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// show writes a file's series as name|labels|step|time=value …, a line each.
func show(f File) string {
	var b strings.Builder
	for _, s := range f.Series {
		fmt.Fprintf(&b, "%s|%s|%d", s.Name, s.Labels, s.Step)
		for i, t := range s.Times {
			fmt.Fprintf(&b, " %d=%g", t, s.Values[i])
		}
		b.WriteByte('\n')
	}
	for _, w := range f.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	return b.String()
}

func TestRead(t *testing.T) {
	f := func(name, in, want string) {
		t.Helper()
		got, err := Read("x", strings.NewReader(in))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if s := show(got); s != want {
			t.Errorf("%s:\n got %s\nwant %s", name, s, want)
		}
		// However the bytes arrive, the content is the same.
		got, err = Read("x", iotest.OneByteReader(strings.NewReader(in)))
		if s := show(got); err != nil || s != want {
			t.Errorf("%s byte by byte:\n got %s (%v)\nwant %s", name, s, err, want)
		}
	}
	f("single", "timestamp,value\n60,1\n120,2.5\n",
		"value|{__name__=\"value\"}|60000 60000=1 120000=2.5\n")
	f("wide, empty cells, no newline at the end", "timestamp,a,b\n0,1,\n60,,4\n120,5,6",
		"a|{__name__=\"a\"}|60000 0=1 60000=NaN 120000=5\nb|{__name__=\"b\"}|60000 0=NaN 60000=4 120000=6\n")
	f("rfc 3339 with zone and fraction, spaces, CRLF, BOM", "\ufefftimestamp , value\r\n2026-01-01T00:00:00Z, 1\r\n\r\n2026-01-01T01:00:00.5+01:00 ,2\r\n",
		"value|{__name__=\"value\"}|500 1767225600000=1 1767225600500=2\n")
	f("not finite", "timestamp,a,b\n0,1,+Inf\n60,NaN,nan\n120,2,-inf\n",
		"a|{__name__=\"a\"}|60000 0=1 60000=NaN 120000=2\nb|{__name__=\"b\"}|60000 0=NaN 60000=NaN 120000=NaN\nwarning: 4 values are NaN or infinite: taken as missing\n")
	f("times without a zone", "series,timestamp,value\na,2026-01-01 00:00:00,1\na,2026-01-01T01:00:00.5,2\na, 2026-01-01 02:00,3\na,2026-01-02,4\na,2026-01-03T00:00:00Z,5\n",
		"a|{__name__=\"a\"}|3600500 1767225600000=1 1767229200500=2 1767232800000=3 1767312000000=4 1767398400000=5\nwarning: 4 timestamps have no time zone: taken as UTC\n")
	f("fractions of a second", "timestamp,value\n1.5,1\n2.25,2\n3,3\n1e1,4\n",
		"value|{__name__=\"value\"}|750 1500=1 2250=2 3000=3 10000=4\n")
	f("timestamp in another column", "cpu,timestamp\n1,0\n2,10\n",
		"cpu|{__name__=\"cpu\"}|10000 0=1 10000=2\n")
	f("unsorted, repeated: the last wins", "timestamp,value\n120,3\n60,1\n60,2\n120,\n0,0\n",
		"value|{__name__=\"value\"}|60000 0=0 60000=2 120000=NaN\n"+
			"warning: 2 rows repeat a timestamp of their series: the last one counts\n")
	f("long, any column order, order of appearance", "value,series,timestamp\n1,b,0\n2,a,0\n3,b,60\n4,a,60\n",
		"b|{__name__=\"b\"}|60000 0=1 60000=3\na|{__name__=\"a\"}|60000 0=2 60000=4\n")
	f("long with labels, an empty one is absent", "series,timestamp,value,pod,ns\nup,0,1,a,\nup,60,2,a,\nup,0,3,,x\nup,60,4,,x\nup,0,5,,\nup,60,6,,\n,0,7,b,\n,60,8,b,\n",
		"up{pod=\"a\"}|{__name__=\"up\", pod=\"a\"}|60000 0=1 60000=2\n"+
			"up{ns=\"x\"}|{__name__=\"up\", ns=\"x\"}|60000 0=3 60000=4\n"+
			"up|{__name__=\"up\"}|60000 0=5 60000=6\n"+
			"{pod=\"b\"}|{pod=\"b\"}|60000 0=7 60000=8\n")
	f("one name, written in two ways", "series,timestamp,value,b\na,0,1,c\n\"a{b=\"\"c\"\"}\",60,2,\n",
		"a{b=\"c\"}|{__name__=\"a\", b=\"c\"}|60000 0=1 60000=2\n")
	f("quotes", "series,timestamp,value\n\"a,\"\"b\"\"\nc\",\"0\",1\n\"a,\"\"b\"\"\nc\",60,\"2\"\n",
		"a,\"b\"\nc|{__name__=\"a,\\\"b\\\"\\nc\"}|60000 0=1 60000=2\n")
	f("one point beside others", "series,timestamp,value\na,0,1\na,60,2\nb,0,3\n",
		"a|{__name__=\"a\"}|60000 0=1 60000=2\nb|{__name__=\"b\"}|60000 0=3\n"+
			"warning: 1 series have one point only: their step is taken to be that of the others, 60 s\n")
	f("points closer than the step", "timestamp,value\n0,1\n60,2\n61,3\n120,4\n180,5\n",
		"value|{__name__=\"value\"}|59000 0=1 60000=2 61000=3 120000=4 180000=5\n"+
			"warning: 1 points are closer to the point before them than the median step: on the grid the later one counts\n")
	f("prometheus json, keys in any order", `{"data":{"result":[{"values":[[0,"1"],[60,"2"]],"metric":{"b":"c","__name__":"up"}},
		{"metric":{},"values":[[0,"3"],[60.5,null],[121,"1e3"]]}],"resultType":"matrix"},"status":"success"}`,
		"up{b=\"c\"}|{__name__=\"up\", b=\"c\"}|60000 0=1 60000=2\n{}|{}|60500 0=3 60500=NaN 121000=1000\n")
	f("prometheus json, not finite, partial, warnings", `{"status":"success","isPartial":true,"warnings":["cut"],"data":{"resultType":"matrix","result":[{"metric":{"__name__":"a"},"values":[[0,"NaN"],[60,"+Inf"],[120,"1"]]}]}}`,
		"a|{__name__=\"a\"}|60000 0=NaN 60000=NaN 120000=1\nwarning: 2 samples are NaN or infinite: taken as missing\nwarning: the answer is partial\nwarning: cut\n")
}

func TestRead_refused(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		_, err := Read("in.csv", strings.NewReader(in))
		if err == nil || err.Error() != "in.csv: "+want {
			t.Errorf("Read(%.60q) = %v, want in.csv: %s", in, err, want)
		}
	}
	f("", "the file is empty")
	f(" \n\r\n", "the file is empty")
	f("\xff\xfet\x00", "line 1: UTF-16 text: save it as UTF-8")
	f("timestamp,value\n", "no data: there is a header but no row")
	f("time,value\n1,2\n", `line 1: the header is "time,value", want timestamp,NAME,… or series,timestamp,value`)
	f("timestamp;value\n1;2\n", "line 1: the columns are not separated by commas")
	f("timestamp\n1\n", "line 1: the header has no column beside timestamp")
	f("timestamp,a,\n1,2,3\n", "line 1: column 3 has no name")
	f("timestamp,a,a\n1,2,3\n", `line 1: column "a" is there twice`)
	f("timestamp,\xff\n1,2\n", "line 1: the name of column 2 is not UTF-8")
	f("timestamp,value\n1,2\n2,3,4\n", "line 3: 3 fields, the header has 2")
	f("timestamp,value\n1,2\n\n3,x\n", `line 4: column "value": value "x" is not a number`)
	f("timestamp,value\n1,1e999\n", `line 2: column "value": value "1e999" is beyond the range of a number`)
	f("timestamp,value\n1,0x10\n", `line 2: column "value": value "0x10" is not a number`)
	f("timestamp,value\n01.01.2026,1\n", `line 2: timestamp "01.01.2026" is neither RFC 3339 (2006-01-02T15:04:05Z) nor Unix seconds`)
	f("timestamp,value\n,1\n", `line 2: timestamp "" is neither RFC 3339 (2006-01-02T15:04:05Z) nor Unix seconds`)
	f("timestamp,value\n1767225600000,1\n", `line 2: timestamp "1767225600000" is beyond the year 9999: milliseconds? Write Unix seconds`)
	f("timestamp,value\n1,"+strings.Repeat("a", 50)+"\n", `line 2: column "value": value "`+strings.Repeat("a", 40)+`"… is not a number`)
	f("timestamp,value\n1,\"2\n", "line 2: a quoted field is not closed")
	f("timestamp,value\n1,2\"\n", "line 2: a quote inside an unquoted field: quote the field and double the quotes in it")
	f("timestamp,value\n1,\"2\"3\n", "line 2: text after the closing quote of a field")
	f("timestamp,value\n1,2\n", "no series has two points at different times, so the step is unknown")
	f("timestamp,value\n1,2\n1,3\n", "no series has two points at different times, so the step is unknown")
	f("series,timestamp,value\n,1,2\n", "line 2: the series has no name")
	f("series,timestamp,value\n\xff,1,2\n", `line 2: column "series" is not UTF-8`)
	f("series,timestamp,value,pod\na,1,2,\xff\n", `line 2: column "pod" is not UTF-8`)
	f("series,timestamp,value,__name__\na,1,2,b\n", `line 2: column "__name__": the name of a series is in the series column`)
	f("series,timestamp,value\na,1,\"\n\nx\"\n", `line 2: value "x" is not a number`)
	f("series,timestamp,value\na,1,\"\n\n2\"\na,2,x\n", `line 5: value "x" is not a number`)
	f("series,timestamp,value\na,x,1\n", `line 2: timestamp "x" is neither RFC 3339 (2006-01-02T15:04:05Z) nor Unix seconds`)

	f("timestamp,value\n0,1\n1,2\n2,3\n99999999,4\n", `series "value": 100000000 points of 1 s from 1970-01-01T00:00:00Z to 1973-03-03T09:46:39Z: more than 20000000; is a timestamp wrong?`)

	f("[1]", "line 1: a JSON array, want the body of a Prometheus range query: an object with status and data")
	f("{}", "no data.result: want the body of a Prometheus range query")
	f(`{"status":"error","errorType":"bad_data","error":"boom"}`, "the body is an error answer: bad_data: boom")
	f(`{"status":"error","error":"boom"}`, "the body is an error answer: boom")
	f(`{"status":"success","data":{"resultType":"matrix","result":[]}}`, "no data: the result is empty")
	f(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"2"]}]}}`,
		`resultType is "vector", want matrix: ask /api/v1/query_range, not /api/v1/query`)
	f("{\n\"data\":{\"resultType\":\"matrix\",\n\"result\":[{\"metric\":{},\n\"values\":[[1,\"x\"]]}]}}", `line 4: byte 73: value "x" is not a number`)
	f("{\"data\":", "line 1: the answer ends before it is complete")
	f(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[]}]}}`, "line 1: series {} has no values")
	f(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"":"a"},"values":[[1,"2"]]}]}}`, "line 1: series 1 cannot be used: a label has no name or is there twice")
	f(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[1,"2"]],"histograms":[[1,{}]]}]}}`, errHistogram.Error())
}

func TestRead_gzip(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, "timestamp,value\n0,1\n60,2\n"); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := Read("x", bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if want := "value|{__name__=\"value\"}|60000 0=1 60000=2\n"; show(got) != want {
		t.Errorf("got %s, want %s", show(got), want)
	}
	// What a file holds counts, not what it is called; the two are said to differ.
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"x.csv.gz", b.String(), nil},
		{"x.csv", b.String(), nil},
		{"x.csv.gz", "timestamp,value\n0,1\n60,2\n", []string{"it is not gzipped, whatever its name says: read as plain text"}},
	} {
		got, err := Read(c.name, strings.NewReader(c.text))
		if err != nil || !slices.Equal(got.Warnings, c.want) || len(got.Series) != 1 {
			t.Errorf("%s: %v, warnings %q, want %q", c.name, err, got.Warnings, c.want)
		}
	}
	// A cut file is an error, never a shorter series.
	for n := 2; n < b.Len(); n++ {
		if _, err := Read("x", bytes.NewReader(b.Bytes()[:n])); err == nil || !strings.Contains(err.Error(), "the gzip file was cut off") {
			t.Errorf("the first %d of %d bytes: %v", n, b.Len(), err)
		}
	}
}

func TestRead_damagedGzip(t *testing.T) {
	if _, err := Read("x", strings.NewReader("\x1f\x8b\x00damaged")); err == nil || !strings.HasPrefix(err.Error(), "x: gzip: ") {
		t.Errorf("%v", err)
	}
}

func TestRead_failingReader(t *testing.T) {
	boom := errors.New("boom")
	for _, head := range []string{"", "timestamp,value\n1,2\n", `timestamp,value` + "\n" + `1,"2`, `{"status":`} {
		_, err := Read("x", io.MultiReader(strings.NewReader(head), iotest.ErrReader(boom)))
		if !errors.Is(err, boom) {
			t.Errorf("after %q: %v, want boom", head, err)
		}
	}
}

func TestReadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(path, []byte("timestamp,value\n0,1\n60,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := ReadFile(path)
	if err != nil || len(f.Series) != 1 || f.Series[0].Step != 60000 {
		t.Errorf("ReadFile = %+v, %v", f, err)
	}
	if _, err := ReadFile(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("timestamp,value\nx,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); err == nil || !strings.HasPrefix(err.Error(), path+": line 2: ") {
		t.Errorf("ReadFile = %v, want the file and line 2", err)
	}
	in := os.Stdin
	t.Cleanup(func() { os.Stdin = in })
	if os.Stdin, err = os.Open(path); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile("-"); err == nil || !strings.HasPrefix(err.Error(), "<stdin>: line 2: ") {
		t.Errorf("ReadFile(-) = %v, want <stdin> and line 2", err)
	}
}

func TestFileSeries_Grid(t *testing.T) {
	f := func(step int64, times []int64, values, want []float64) {
		t.Helper()
		g := FileSeries{Step: step, Times: times, Values: values}.Grid()
		wantFloats(t, fmt.Sprintf("Grid(%v)", times), g.Values, want)
		if len(times) > 0 && (g.Start != times[0] || g.Step != step) {
			t.Errorf("Grid(%v) starts at %d step %d", times, g.Start, g.Step)
		}
	}
	f(10, nil, nil, nil)
	f(10, []int64{5}, []float64{1}, []float64{1})
	f(10, []int64{0, 10, 30}, []float64{1, 2, 3}, []float64{1, 2, nan, 3})
	f(10, []int64{0, 9, 21, 30}, []float64{1, 2, 3, 4}, []float64{1, 2, 3, 4}) // jitter
	f(10, []int64{0, 14, 15, 26}, []float64{1, 2, 3, 4}, []float64{1, 2, 3, 4})
	f(10, []int64{0, 4, 10}, []float64{1, 2, 3}, []float64{2, 3}) // one cell: the later counts
}

func TestMedianStep(t *testing.T) {
	f := func(want int64, times ...int64) {
		t.Helper()
		if got := medianStep(times); got != want {
			t.Errorf("medianStep(%v) = %d, want %d", times, got, want)
		}
	}
	f(0)
	f(0, 7)
	f(3, 0, 3)
	f(10, 0, 10, 20, 100)
	f(10, 0, 10, 30) // of two the lower
}

// TestRead_shared reads real inputs: the labelled anomaly corpora are single
// CSV, gzipped.
func TestRead_shared(t *testing.T) {
	paths, err := filepath.Glob("../../../shared/data/anomaly/*/*.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Skip("../shared/data/anomaly is not there: it is not part of the repository")
	}
	slices.Sort(paths)
	for i := 0; i < len(paths); i += 10 {
		f, err := ReadFile(paths[i])
		if err != nil {
			t.Error(err)
			continue
		}
		if len(f.Series) != 1 || len(f.Series[0].Times) < 100 || f.Series[0].Step <= 0 {
			t.Errorf("%s: %d series, %d points, step %d", paths[i], len(f.Series), len(f.Series[0].Times), f.Series[0].Step)
		}
	}
}

// TestCSVReader_likeEncodingCSV splits random records in two ways.
func TestCSVReader_likeEncodingCSV(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	const alphabet = "ab\",\n \r\"\"é"
	for range 20_000 {
		b := make([]byte, 0, 30)
		for range rng.IntN(25) {
			b = append(b, alphabet[rng.IntN(len(alphabet))])
		}
		checkCSV(t, b)
	}
}

// checkCSV compares csvReader with encoding/csv, which differs in how it takes
// \r in the middle of a line.
func checkCSV(t *testing.T, in []byte) {
	t.Helper()
	std := csv.NewReader(bytes.NewReader(in))
	std.FieldsPerRecord = -1
	want, wantErr := std.ReadAll()
	c := &csvReader{r: bufio.NewReaderSize(bytes.NewReader(in), 16)}
	var got [][]string
	var err error
	for {
		var fields [][]byte
		if fields, err = c.next(); err != nil {
			break
		}
		record := make([]string, len(fields))
		for i, f := range fields {
			record[i] = string(f)
		}
		got = append(got, record)
	}
	if errors.Is(err, io.EOF) != (wantErr == nil) {
		t.Fatalf("%q: %v, encoding/csv %v", in, err, wantErr)
	}
	if errors.Is(err, io.EOF) && fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Fatalf("%q: %q, encoding/csv %q", in, got, want)
	}
}

func TestCSVReader_longLines(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	in := "timestamp," + long + "\n0,1\n60," + strings.Repeat("0", 90_000) + "2\n"
	f, err := Read("x", strings.NewReader(in))
	if err != nil || len(f.Series) != 1 || f.Series[0].Name != long || f.Series[0].Values[1] != 2 {
		t.Errorf("%d series, %v", len(f.Series), err)
	}
	endless := io.LimitReader(zeros{}, maxRecord+1<<20)
	if _, err := Read("x", endless); err == nil || !strings.Contains(err.Error(), "line 1: a line is longer than 16 MiB") {
		t.Errorf("an endless line: %v", err)
	}
}

// zeros is a reader of '0' without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("timestamp,value\n0,1\n60,2\n"))
	f.Add([]byte("series,timestamp,value,pod\na,2026-01-01T00:00:00Z,1,\"x,\"\"\"\na,2026-01-01T00:01:00Z,,y\n"))
	f.Add([]byte(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[0,"1"],[60,"NaN"]]}]}}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := Read("x", bytes.NewReader(in))
		if err != nil {
			return
		}
		if len(got.Series) == 0 {
			t.Fatal("no series and no error")
		}
		names := map[string]bool{}
		for _, s := range got.Series {
			if names[s.Name] || s.Step <= 0 || len(s.Times) == 0 || len(s.Times) != len(s.Values) {
				t.Fatalf("series %q (seen: %v): step %d, %d times, %d values", s.Name, names[s.Name], s.Step, len(s.Times), len(s.Values))
			}
			names[s.Name] = true
			for i := 1; i < len(s.Times); i++ {
				if s.Times[i-1] >= s.Times[i] {
					t.Fatalf("times %v", s.Times)
				}
			}
			if s.cell(len(s.Times)-1) < 1<<20 {
				if g := s.Grid(); g.Start != s.Times[0] || g.Step != s.Step {
					t.Fatalf("grid %+v", g)
				}
			}
		}
	})
}
