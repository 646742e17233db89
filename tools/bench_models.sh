#!/usr/bin/env bash
# Times learned models on one core and prints each figure beside its goal; fails if one
# is missed. Times of training are CPU seconds, so that what else the machine does
# does not count; those of whole processes are wall time.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export GOMAXPROCS=1

missed=0
row() { # what, figure, unit, goal
  awk -v what="$1" -v got="$2" -v unit="$3" -v goal="$4" 'BEGIN {
    ok = got <= goal
    printf "%-52s %10.3f %-8s goal <= %s  %s\n", what, got, unit, goal, ok ? "ok" : "MISSED"
    exit !ok }' || missed=1
}

go test -c -o "$dir/learn.test" ./forecast/learn
go test -c -o "$dir/models.test" ./collector/models
TIMEFORMAT='%U %S'
for algorithm in trees network; do
  cpu=$({ time "$dir/learn.test" -test.run '^$' -test.bench "^BenchmarkTrain\$/^$algorithm\$" -test.benchtime 1x -test.benchmem >"$dir/$algorithm"; } 2>&1 | awk '{ print $1 + $2 }')
  row "train $algorithm: 100,000 x 18, 100 epochs, 1 run" "$cpu" "CPU s" 30
  awk -v a="$algorithm" '/^BenchmarkTrain/ { for (i = 2; i <= NF; i++) if ($i == "B/op") printf "%-52s %10.1f MB\n", "train " a ": allocated", $(i-1) / 1e6 }' "$dir/$algorithm"
done
"$dir/models.test" -test.run '^$' -test.bench '^BenchmarkPredict$' -test.benchtime 2s >"$dir/predict"
row "predict in the server, 4 targets, JSON to JSON" "$(awk '/^BenchmarkPredict/ { print $3 / 1e6 }' "$dir/predict")" "ms" 1

upid=$PWD/upid
cp docs/examples/data.json docs/examples/features.json "$dir"
cd "$dir"
"$upid" train resource_prediction --training-data data.json --epochs 100 >/dev/null 2>&1
# The share of held-out values in intervals that are to hold 50 to 95 %, over all targets.
"$upid" performance resource_prediction -o yaml >"$dir/performance"
row "reliability on held-out rows, 4 targets, largest miss" "$(awk '
  /said:/ { said = $NF }
  /"was":/ { was[said] += $NF; n[said]++ }
  END { for (s in was) { d = was[s] / n[s] - s; if (d < 0) d = -d; if (d > most) most = d }; print most }' "$dir/performance")" "" 0.05
awk '/said:/ { said = $NF } /"was":/ { d = $NF - said; if (d < 0) d = -d; if (d > most) most = d }
  END { printf "%-52s %10.3f\n", "reliability: largest miss of one target", most }' "$dir/performance"
TIMEFORMAT='%R'
for _ in $(seq 100); do
  { time "$upid" predict --model-type resource_prediction --features features.json >/dev/null 2>&1; } 2>>"$dir/times"
done
row "predict, whole process, 99th percentile of 100" "$(sort -n "$dir/times" | awk 'NR == 99 { print 1000 * $1 }')" "ms" 100
exit $missed
