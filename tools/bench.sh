#!/usr/bin/env bash
# Runs the benchmarks that have a goal and prints each figure beside it. Fails if a
# goal is missed. Decoding, scoring and forecasting run on one core. The last part
# runs the real binary with 10,000 series for five minutes.
set -euo pipefail
dir=$(mktemp -d)
out=$dir/out
trap 'rm -rf "$dir"' EXIT
bench() { # package, pattern
  go test -run '^$' -bench "$2" -benchtime 2s "./$1" | tee /dev/stderr >>"$out"
}
export GOMAXPROCS=1
bench collector/source '^BenchmarkDecode$'
bench collector/source '^BenchmarkReadLongCSV$'
bench detect '^BenchmarkStep$'
bench forecast '^BenchmarkAuto$'
bench collector/signal '^BenchmarkStep$'
unset GOMAXPROCS
bench collector '^Benchmark(Render|Scrape)$'
bench cmd/upid '^BenchmarkStart$'
bench collector/views '^BenchmarkWrite$'

missed=0
awk '
  # value returns the figure before a unit in the line of a benchmark.
  function value(unit,  i) { for (i = 2; i <= NF; i++) if ($i == unit) return $(i-1); return "" }
  function row(what, got, unit, goal, low,  ok) {
    ok = low ? got <= goal : got >= goal
    printf "%-46s %14s %-10s goal %s %s  %s\n", what, got, unit, low ? "<=" : ">=", goal, ok ? "ok" : "MISSED"
    if (!ok) bad = 1
  }
  /^pkg:/ { pkg = $2 }
  /^BenchmarkDecode\/plain/ { row("decode, one core", value("samples/s"), "samples/s", 2000000, 0); row("decode, garbage beside the result (8 B)", value("B/sample") - 8, "B/sample", 32, 1) }
  /^BenchmarkStep/ && pkg ~ /detect/ { row("score one point", value("ns/op"), "ns", 1000, 1); row("score one point, garbage", value("B/op"), "B", 0, 1); row("state of a series", value("B/series"), "B", 5120, 1) }
  /^BenchmarkAuto/ { row("forecast 672 points, 168 ahead", value("ns/op") / 1e6, "ms", 2.0, 1); row("forecast, garbage", value("B/op"), "B", 1024, 1) }
  /^BenchmarkRender\/tasks=1[-\t ]/ { row("render 300,000 samples", value("ms/op"), "ms", 100, 1); row("render, garbage", value("B/op") / 1e6, "MB", 5, 1) }
  /^BenchmarkStart/ { row("warm start, 10,000 series to their scores", value("warm-s"), "s", 5, 1); row("cold start, the same on a day of minutes", value("cold-s"), "s", 600, 1) }
  /^BenchmarkWrite\/series=10000[-\t ]/ { row("note 10,000 results for the API", value("ns/op") / 1e6, "ms", 10, 1) }
  END { exit bad }
' "$out" || missed=1

CGO_ENABLED=0 go build -trimpath -o "$dir/upid" ./cmd/upid
go build -o "$dir/bench10k" ./tools/bench10k
"$dir/bench10k" -upid "$dir/upid" || missed=1
exit $missed
