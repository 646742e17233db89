package source

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
)

func readCounters(t *testing.T, name, text string) (File, string) {
	t.Helper()
	f, err := ReadCounters(name, strings.NewReader(text))
	if err != nil {
		return f, err.Error()
	}
	var b strings.Builder
	for _, s := range f.Series {
		fmt.Fprintln(&b, s.Labels, s.Times, s.Values)
	}
	return f, b.String()
}

func TestReadCounters(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"long": {
			"ts,metric,host,result,value\n60,ssh_total,a,failed,1\n120,ssh_total,a,ok,4\n180,ssh_total,a,failed,2\n",
			`{__name__="ssh_total", host="a", result="failed"} [60000 180000] [1 2]` + "\n" + `{__name__="ssh_total", host="a", result="ok"} [120000] [4]` + "\n",
		},
		"another order, times as text, unsorted, repeated, empty": {
			"value,timestamp,metric\n5,2026-01-01T00:01:00Z,m\n3,2026-01-01T00:00:00Z,m\n6,2026-01-01T00:01:00Z,m\n,2026-01-01T00:02:00Z,m\n",
			`{__name__="m"} [1767225600000 1767225660000] [3 6]` + "\n",
		},
		"single": {"ts,sent_bytes_total\n300,7\n600,9\n", `{__name__="sent_bytes_total", entity="pod-1"} [300000 600000] [7 9]` + "\n"},
		"JSON": {
			`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"m","a":"b"},"values":[[60,"1"],[120,"2"]]}]}}`,
			`{__name__="m", a="b"} [60000 120000] [1 2]` + "\n",
		},
		"negative":        {"ts,m\n60,-1\n", `x/pod-1.csv.gz: series "m": -1 at 1970-01-01T00:01:00Z: a counter is never negative`},
		"no number":       {"ts,m\n60,1\n120,many\n", `x/pod-1.csv.gz: line 3: value "many" is not a number`},
		"no time":         {"when,m\n60,1\n", `x/pod-1.csv.gz: line 1: want ts,metric,LABEL,…,value or ts,METRIC: the header is "when,m", want timestamp,NAME,… or series,timestamp,value`},
		"no metric":       {"ts,value\n60,1\n", `x/pod-1.csv.gz: line 1: the header is "timestamp,value", want ts,metric,LABEL,…,value or ts,METRIC`},
		"many columns":    {"ts,a,b\n60,1,2\n", `x/pod-1.csv.gz: line 1: the header is "timestamp,a,b", want ts,metric,LABEL,…,value or ts,METRIC`},
		"short row":       {"ts,m\n60\n", "x/pod-1.csv.gz: line 2: 1 fields, the header has 2"},
		"only missing":    {"ts,m\n60,\n", "x/pod-1.csv.gz: no data: there is a header but no value"},
		"nothing":         {"", "x/pod-1.csv.gz: the file is empty"},
		"only the header": {"ts,metric,value\n", "x/pod-1.csv.gz: no data: there is a header but no value"},
	} {
		if _, got := readCounters(t, "x/pod-1.csv.gz", c.text); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
	f, _ := readCounters(t, "m.csv", "ts,m\n60,1\n60,2\n120,NaN\n")
	if got := strings.Join(f.Warnings, "; "); got != "1 rows repeat a timestamp of their series: the last one counts; 1 values are missing, NaN or infinite: the counter keeps its last value" {
		t.Errorf("warnings %s", got)
	}
}

func TestReadCounters_gzip(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	fmt.Fprint(z, "ts,m\n60,1\n")
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if f, err := ReadCounters("a.csv.gz", &b); err != nil || f.Series[0].Labels.Get(StemLabel) != "a" {
		t.Error(f, err)
	}
}

func FuzzReadCounters(f *testing.F) {
	f.Add("ts,metric,user,value\n1,m,\"a\nb\",2\n")
	f.Add("ts,m\n1,2\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := ReadCounters("f.csv", strings.NewReader(text))
		if err != nil {
			return
		}
		for _, s := range file.Series {
			for i, v := range s.Values {
				if !(v >= 0) || i > 0 && s.Times[i] <= s.Times[i-1] {
					t.Fatalf("%v %v", s.Times, s.Values)
				}
			}
		}
	})
}
