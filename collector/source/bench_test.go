package source

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"testing"
)

// rangeBody returns the answer to a range query with n series of m points at
// start, start+step, … (ms).
func rangeBody(n, m int, start, step int64) []byte {
	var b bytes.Buffer
	b.WriteString(`{"status":"success","data":{"resultType":"matrix","result":[`)
	for s := range n {
		if s > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"metric":{"__name__":"http_request_duration_seconds","instance":"10.0.%d.%d:9100","job":"node","handler":"/api/v1/%d"},"values":[`, s/256, s%256, s%17)
		for i := range m {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `[%s,"%s"]`, seconds(start+int64(i)*step), strconv.FormatFloat(float64(s+1)*0.37+float64(i*i%97)/7, 'g', -1, 64))
		}
		b.WriteString(`]}`)
	}
	b.WriteString(`]}}`)
	return b.Bytes()
}

// BenchmarkDecode decodes 500 series of 4,032 points (14 days of 5 minutes,
// most values with 16 or 17 digits) into series on their grid. B/sample is all
// that is allocated, of which 8 are the result.
func BenchmarkDecode(b *testing.B) {
	const n, m = 500, 4032
	const start, step = 1767225600000, 300000
	plain := rangeBody(n, m, start, step)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(plain); err != nil {
		b.Fatal(err)
	}
	if err := z.Close(); err != nil {
		b.Fatal(err)
	}
	lim := testLimits
	lim.bytes, lim.samples = 256<<20, 50_000_000
	run := func(name string, open func() io.Reader) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for b.Loop() {
				c := newChunk(start, step, 0, m, 50000)
				ans, err := decode(open(), lim, c)
				if err != nil || ans.samples != n*m {
					b.Fatalf("%d samples, %v", ans.samples, err)
				}
				j := newJoin(start, step, m, 50000, 50_000_000)
				if err := j.addAnswer(c, ans); err != nil {
					b.Fatal(err)
				}
				if d, err := j.finish(); err != nil || len(d.Series) != n {
					b.Fatalf("%d series, %v", len(d.Series), err)
				}
			}
			runtime.ReadMemStats(&after)
			samples := float64(n*m) * float64(b.N)
			b.ReportMetric(samples/b.Elapsed().Seconds(), "samples/s")
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/samples, "B/sample")
		})
	}
	run("plain", func() io.Reader { return bytes.NewReader(plain) })
	run("gzip", func() io.Reader {
		z, err := gzip.NewReader(bytes.NewReader(zipped.Bytes()))
		if err != nil {
			b.Fatal(err)
		}
		return z
	})
}
