package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/prometheus/prometheus/model/labels"
)

var testLimits = limits{labels: 40, nameBytes: 256, valueBytes: 1024, text: 2048}

// recorder writes down what a decoder hands out.
type recorder struct {
	line string
	out  strings.Builder
}

func (r *recorder) point(ms int64, v float64) error {
	r.line += fmt.Sprintf(" %d=%g", ms, v)
	return nil
}

func (r *recorder) series(ls labels.Labels, reason string) error {
	fmt.Fprintf(&r.out, "%s%s%s\n", ls, reason, r.line)
	r.line = ""
	return nil
}

// record decodes in, whole and byte by byte, and returns what came out, an
// error included.
func record(t *testing.T, in string) (string, answer) {
	t.Helper()
	run := func(r io.Reader) (string, answer) {
		var rec recorder
		ans, err := decode(r, testLimits, &rec)
		if err != nil {
			return "error: " + err.Error(), ans
		}
		return rec.out.String(), ans
	}
	whole, ans := run(strings.NewReader(in))
	if slow, _ := run(iotest.OneByteReader(strings.NewReader(in))); slow != whole {
		t.Errorf("decode(%.200q) byte by byte:\n%s\nwhole:\n%s", in, slow, whole)
	}
	return whole, ans
}

func matrixBody(series string) string {
	return `{"status":"success","data":{"resultType":"matrix","result":[` + series + `]}}`
}

func TestDecode_values(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got, _ := record(t, in); got != want {
			t.Errorf("decode(%q):\n got %s\nwant %s", in, got, want)
		}
	}
	f(matrixBody(``), "")
	f(matrixBody(`{"metric":{"__name__":"up","a":"b"},"values":[[1,"1"],[1.5,"-0"],[2.25,"1e3"],[1435781430.781,"NaN"],[3,"+Inf"],[4,"-Inf"]]}`),
		"{__name__=\"up\", a=\"b\"} 1000=1 1500=-0 2250=1000 1435781430781=NaN 3000=+Inf 4000=-Inf\n")
	// Sorted labels, empty ones gone, escapes.
	f(matrixBody(`{"metric":{"z":"1","a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00","e":""},"values":[[1,"1"]]}`),
		"{a=\"\\\"\\\\/\\b\\f\\n\\r\\té😀\", z=\"1\"} 1000=1\n")
	// White space and unknown keys everywhere.
	f(" {\n\"data\" : { \"x\":[1,{\"y\":[true,false,null,-1.5e+3,\"]\"]},[],{}], \"result\" : [ { \"values\" : [ [ 1 , \"2\" ] , [ 2 , \"3\" ] ] ,\"metric\" : { \"a\" : \"b\" } } ] } } \n",
		"{a=\"b\"} 1000=2 2000=3\n")
	// Instant vector, scalar, null.
	f(`{"data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1.5,"2"]}]}}`, "{a=\"b\"} 1500=2\n")
	f(`{"data":{"resultType":"scalar","result":[1.5,"2"]}}`, "{} 1500=2\n")
	f(`{"data":null,"warnings":null}`, "")
	f(`{"data":{"result":null}}`, "")
	f(matrixBody(`{"metric":{},"values":[[1,null],[2,3]]}`), "{} 1000=NaN 2000=3\n")
	// Series that cannot be used.
	f(matrixBody(`{"metric":{"a":"b","a":"c"},"values":[[1,"1"]]},{"metric":{"x":"y"},"values":[[1,"2"]]}`), "{}invalid 1000=1\n{x=\"y\"} 1000=2\n")
	f(matrixBody(`{"metric":{"":"b"},"values":[[1,"1"]]}`), "{}invalid 1000=1\n")
	f(matrixBody(`{"metric":{"a":"`+"\xff"+`"},"values":[[1,"1"]]}`), "{}utf8 1000=1\n")
	f(matrixBody(`{"metric":{"a":"\ud83d"},"values":[[1,"1"]]}`), "{}utf8 1000=1\n")
	f(matrixBody(`{"metric":{"a":"\ud83dx"},"values":[[1,"1"]]}`), "{}utf8 1000=1\n")
	f(matrixBody(`{"metric":{"a":"\ud83d\u0041"},"values":[[1,"1"]]}`), "{}utf8 1000=1\n")
	f(matrixBody(`{"metric":{"a":"`+strings.Repeat("x", 1024)+`"},"values":[[1,"1"]]}`), "{a=\""+strings.Repeat("x", 1024)+"\"} 1000=1\n")
	f(matrixBody(`{"metric":{"a":"`+strings.Repeat("x", 1025)+`"},"values":[[1,"1"]]}`), "{}label_length 1000=1\n")
	f(matrixBody(`{"metric":{"`+strings.Repeat("x", 257)+`":"a"},"values":[[1,"1"]]}`), "{}label_length 1000=1\n")
	f(matrixBody(`{"metric":{"a":"`+strings.Repeat("x", 1<<20)+`"},"values":[[1,"1"]]}`), "{}label_length 1000=1\n")
	var many []string
	for i := range 41 {
		many = append(many, fmt.Sprintf(`"l%02d":"v"`, i))
	}
	f(matrixBody(`{"metric":{`+strings.Join(many, ",")+`},"values":[[1,"1"]]}`), "{}label_length 1000=1\n")
}

func TestDecode_envelope(t *testing.T) {
	_, a := record(t, `{"isPartial":true,"status":"error","errorType":"bad_data","error":"bo\u00f6m","warnings":["w1","w2"],"infos":["i"],"stats":{"a":1}}`)
	if a.status != "error" || a.errorType != "bad_data" || a.message != "boöm" || !a.partial {
		t.Errorf("answer = %+v", a)
	}
	if strings.Join(a.warnings, ",") != "w1,w2" || strings.Join(a.infos, ",") != "i" {
		t.Errorf("warnings %q, infos %q", a.warnings, a.infos)
	}
	_, a = record(t, matrixBody(`{"metric":{},"histograms":[[1,{"count":"1","buckets":[[0,"1","2","3"]]}]]}`))
	if a.histograms != 1 || a.samples != 0 {
		t.Errorf("histograms = %d, samples = %d", a.histograms, a.samples)
	}
	_, a = record(t, `{"warnings":[`+strings.Repeat(`"w",`, 500)+`"w"],"errorType":422,"error":"`+strings.Repeat("x", 5000)+`"}`)
	if len(a.warnings) != maxTexts || len(a.message) != testLimits.text {
		t.Errorf("%d warnings, %d bytes of message", len(a.warnings), len(a.message))
	}
}

func TestDecode_refused(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got, _ := record(t, in); got != "error: "+want {
			t.Errorf("decode(%.80q) = %s, want error: %s", in, got, want)
		}
	}
	f(``, "the answer ends before it is complete")
	f(`<html>`, `byte 0: found '<', want {`)
	f(`{"a"}`, `byte 4: found '}', want :`)
	f(`{"a":1,}`, `byte 7: comma before '}'`)
	f(`{"a":[1,]}`, `byte 8: comma before ']'`)
	f(`{"a":[1 2]}`, `byte 8: found '2', want a comma or ]`)
	f(`{"a":tru}`, `byte 9: found '}' in true`)
	f(`{"a":x}`, `byte 5: found 'x', want true, false or null`)
	f(`{"a":"\x"}`, `byte 8: unknown escape \x in a string`)
	f(`{"a":"\u00g0"}`, `byte 11: 'g' in a \u escape`)
	f("{\"a\":\"\n\"}", `byte 6: control character '\n' in a string`)
	f(`{} {}`, `byte 3: found '{' after the end of the answer`)
	f(`{"a":`+strings.Repeat("1", 70)+`}`, `byte 69: a number of more than 64 bytes`)
	f(`{"a":`+strings.Repeat("[", 200)+`}`, `byte 106: more than 100 values inside each other`)
	f(matrixBody(`{"metric":{},"values":[[x,"1"]]}`), `byte 84: found 'x', want a number`)
	f(matrixBody(`{"metric":{},"values":[[1,"1x"]]}`), `byte 90: value "1x" is not a number`)
	f(matrixBody(`{"metric":{},"values":[[1,true]]}`), `byte 86: found 't', want a number`)
	f(matrixBody(`{"metric":{},"values":[[1,1e999]]}`), `byte 91: value "1e999" is not a number`)
	f(matrixBody(`{"metric":{},"values":[[1e30,"1"]]}`), `byte 88: "1e30" is not a time in seconds`)
	f(matrixBody(`{"metric":{},"values":[[1,"1",2]]}`), `byte 89: found ',', want ]`)
	f(matrixBody(`{"metric":{},"values":[[1]]}`), `byte 85: found ']', want ,`)
	f(matrixBody(`{"metric":{"a":1}}`), `byte 75: found '1', want "`)
	f(matrixBody(`1`), `byte 61: found ']', want ,`)
}

// TestDecode_truncated: no prefix of an answer passes for an answer.
func TestDecode_truncated(t *testing.T) {
	in := matrixBody(`{"metric":{"a":"b\u00e9"},"values":[[1,"1"],[2.5,"NaN"]]},{"metric":{},"histograms":[[1,{"b":[true,null,-1]}]]}`)
	for n := range len(in) {
		if got, _ := record(t, in[:n]); !strings.HasPrefix(got, "error: ") {
			t.Errorf("the first %d bytes decode without an error", n)
		}
	}
}

func TestDecode_limits(t *testing.T) {
	in := matrixBody(`{"metric":{},"values":[[1,"1"],[2,"2"],[3,"3"]]}`)
	lim := testLimits
	lim.samples = 2
	if _, err := decode(strings.NewReader(in), lim, &recorder{}); !errors.Is(err, errTooManySamples) {
		t.Errorf("3 samples of 2: %v", err)
	}
	lim = testLimits
	for lim.bytes = 1; lim.bytes < int64(len(in)); lim.bytes++ {
		if _, err := decode(strings.NewReader(in), lim, &recorder{}); !errors.Is(err, errTooManyBytes) {
			t.Errorf("%d bytes of %d: %v", len(in), lim.bytes, err)
		}
	}
	lim.bytes = int64(len(in))
	if _, err := decode(strings.NewReader(in), lim, &recorder{}); err != nil {
		t.Errorf("exactly the limit: %v", err)
	}
	boom := errors.New("boom")
	_, err := decode(io.MultiReader(strings.NewReader(in[:70]), iotest.ErrReader(boom)), testLimits, &recorder{})
	if !errors.Is(err, boom) {
		t.Errorf("a failing reader: %v", err)
	}
	if _, err := decode(stuck{}, testLimits, &recorder{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader that gives nothing: %v", err)
	}
}

// stuck is a reader that breaks its contract.
type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// failing refuses points or series.
type failing struct{ point_, series_ error }

func (f failing) point(int64, float64) error         { return f.point_ }
func (f failing) series(labels.Labels, string) error { return f.series_ }

func TestDecode_receiverFails(t *testing.T) {
	boom := errors.New("boom")
	for _, in := range []string{matrixBody(`{"metric":{},"values":[[1,"1"]]}`), `{"data":{"result":[1,"1"]}}`} {
		for _, f := range []failing{{boom, nil}, {nil, boom}} {
			if _, err := decode(strings.NewReader(in), testLimits, f); !errors.Is(err, boom) {
				t.Errorf("decode(%s) = %v, want boom", in, err)
			}
		}
	}
}

// TestDecode_likeEncodingJSON decodes random answers in two ways.
func TestDecode_likeEncodingJSON(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		type sample [2]any
		type one struct {
			Metric map[string]string `json:"metric"`
			Values []sample          `json:"values"`
		}
		var result []one
		var want strings.Builder
		for range rng.IntN(5) {
			o := one{Metric: map[string]string{}, Values: []sample{}}
			for range rng.IntN(4) {
				o.Metric[randomText(rng)+"x"] = randomText(rng) + "y"
			}
			line := labels.FromMap(o.Metric).String()
			for range rng.IntN(20) {
				ms := rng.Int64N(1 << 42)
				v := math.Float64frombits(rng.Uint64())
				text := strconv.FormatFloat(v, 'g', -1, 64)
				if math.IsInf(v, 1) {
					text = "+Inf"
				}
				o.Values = append(o.Values, sample{json.Number(strconv.FormatFloat(float64(ms)/1000, 'f', -1, 64)), text})
				line += fmt.Sprintf(" %d=%g", ms, v)
			}
			result = append(result, o)
			want.WriteString(line + "\n")
		}
		in, err := json.Marshal(map[string]any{"status": "success", "data": map[string]any{"resultType": "matrix", "result": result}})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := record(t, string(in)); got != want.String() {
			t.Fatalf("decode(%s):\n got %s\nwant %s", in, got, want.String())
		}
	}
}

func randomText(rng *rand.Rand) string {
	const alphabet = "ab\"\\\n\t/é😀<>\u2028 0"
	rs := []rune(alphabet)
	b := make([]rune, rng.IntN(6))
	for i := range b {
		b[i] = rs[rng.IntN(len(rs))]
	}
	return string(b)
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(matrixBody(`{"metric":{"a":"b\u00e9"},"values":[[1,"1"],[2.5,"NaN"]]}`)))
	f.Add([]byte(`{"status":"error","errorType":"bad_data","error":"x","warnings":["a"]}`))
	f.Add([]byte(`{"data":{"resultType":"scalar","result":[1,"2"]},"isPartial":true}`))
	f.Add([]byte(`{"data":{"result":[{"metric":{},"histograms":[[1,{}]]}]}}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		run := func(r io.Reader) (string, error) {
			lim := testLimits
			lim.bytes, lim.samples = 1<<16, 1<<12
			var rec recorder
			_, err := decode(r, lim, &rec)
			return rec.out.String(), err
		}
		whole, err := run(bytes.NewReader(in))
		slow, err2 := run(iotest.HalfReader(bytes.NewReader(in)))
		if (err == nil) != (err2 == nil) || err == nil && whole != slow {
			t.Fatalf("whole %q %v, in pieces %q %v", whole, err, slow, err2)
		}
		if err == nil && !json.Valid(in) && !hasLoose(in) {
			t.Fatalf("accepted invalid JSON %q", in)
		}
	})
}

// hasLoose reports whether in may hold what we let pass and encoding/json does
// not: numbers with leading zeros or signs in odd places, and bytes beyond
// ASCII.
func hasLoose(in []byte) bool {
	for _, c := range in {
		if isDigit(c) || c == '-' || c >= 0x80 {
			return true
		}
	}
	return false
}
