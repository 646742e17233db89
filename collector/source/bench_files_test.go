package source

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"
)

// longCSV returns long CSV of n series with rows hourly points each, in the
// order of the series.
func longCSV(n, rows int) []byte {
	var b bytes.Buffer
	b.WriteString("series,timestamp,value\n")
	for s := range n {
		for r := range rows {
			fmt.Fprintf(&b, "http_requests_%05d,%d,%s\n", s, 1767225600+3600*r,
				strconv.FormatFloat(float64(s)*1.37+float64(r*r%97)/7, 'g', 9, 64))
		}
	}
	return b.Bytes()
}

// BenchmarkReadLongCSV reads 10,000 series of 28 days hourly: 6,720,000 rows.
func BenchmarkReadLongCSV(b *testing.B) {
	const series, rows = 10000, 672
	in := longCSV(series, rows)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		f, err := Read("bench", bytes.NewReader(in))
		if err != nil || len(f.Series) != series {
			b.Fatalf("%d series, %v", len(f.Series), err)
		}
	}
	b.ReportMetric(series*rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
