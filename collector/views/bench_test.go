package views

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/upid/upid/collector/series"
)

// many returns n results in a slot, those of the same series each time.
func many(n int, f *series.Forecast) []series.Result {
	rs := make([]series.Result, n)
	for i := range rs {
		rs[i] = result(fmt.Sprintf("pod-%06d", i), noon, f)
	}
	return rs
}

// BenchmarkWrite is a slot of series that were there before: 10,000 are to take
// less than 10 ms.
func BenchmarkWrite(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("series=%d", n), func(b *testing.B) {
			v, rs := one(0), many(n, forecast(1, 0.5))
			next := slices.Clone(rs) // a slot has results of its own, with the labels of the one before
			slot := noon
			_ = v.Write(context.Background(), "cpu", slot, rs)
			b.ReportAllocs()
			for b.Loop() {
				slot += minute
				rs, next = next, rs
				_ = v.Write(context.Background(), "cpu", slot, rs)
			}
		})
	}
}

// BenchmarkWriteIncident has an open finding in every series.
func BenchmarkWriteIncident(b *testing.B) {
	v, rs := one(0), many(10_000, forecast(1, 0.5))
	for i := range rs {
		rs[i].Findings = []series.Finding{finding(fmt.Sprint(i), series.TypeSpike, noon, 0)}
	}
	slot := noon
	b.ReportAllocs()
	for b.Loop() {
		slot += minute
		_ = v.Write(context.Background(), "cpu", slot, rs)
	}
}

// BenchmarkWriteFit has a new forecast for every series.
func BenchmarkWriteFit(b *testing.B) {
	v, rs := one(0), many(10_000, forecast(1, 0.5))
	slot := noon
	b.ReportAllocs()
	for b.Loop() {
		slot += minute
		f := forecast(1, 0.5)
		for i := range rs {
			rs[i].Forecast = f
		}
		_ = v.Write(context.Background(), "cpu", slot, rs)
	}
}

// BenchmarkPage is the last page of the predictions of 100,000 series.
func BenchmarkPage(b *testing.B) {
	v := one(0)
	_ = v.Write(context.Background(), "cpu", noon, many(100_000, forecast(1, 0.5)))
	b.ReportAllocs()
	for b.Loop() {
		v.Predictions(PredictionFilter{Limit: MaxLimit, Offset: 199_000})
	}
}
