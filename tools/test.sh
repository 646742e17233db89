#!/usr/bin/env bash
# Runs every test with the race detector, then measures the statement coverage of
# the library packages over their own tests, all packages together. The two runs
# are separate because counting under the race detector slows numeric code
# tenfold. Whatever runs without the race detector, make vet before and the program
# that tests start included, is compiled as make build does it, so that a machine
# which has nothing compiled yet compiles the dependencies twice, not four times.
set -euo pipefail
goal=$1
library=./collector/...,./forecast/...,./detect/...,./rules/...

# The race detector links with C.
compiler=$(go env CC)
if ! command -v "${compiler%% *}" >/dev/null; then
  if ! command -v apt-get >/dev/null; then
    echo "The race detector needs a C compiler and there is no $compiler: install one." >&2
    exit 1
  fi
  echo "installing gcc for the race detector"
  root=$(dirname "$0")/as_root.sh
  install=(env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends gcc libc6-dev)
  "$root" "${install[@]}" >/dev/null 2>&1 || { "$root" apt-get update -qq; "$root" "${install[@]}" >/dev/null; }
fi

# The dashboard is looked at in a real terminal.
if ! command -v tmux >/dev/null && command -v apt-get >/dev/null; then
  echo "installing tmux for the test of the dashboard"
  root=$(dirname "$0")/as_root.sh
  install=(env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends tmux)
  "$root" "${install[@]}" >/dev/null 2>&1 || { "$root" apt-get update -qq && "$root" "${install[@]}" >/dev/null; } ||
    echo "tmux could not be installed: the dashboard's test in a terminal is skipped"
fi
# Tests in parallel are those that wait for real servers. make vet has looked already.
CGO_ENABLED=1 go test -race -vet=off -parallel 3 -timeout 28m ./...

# shellcheck disable=SC2086
CGO_ENABLED=0 go test -trimpath -vet=off -short -timeout 10m -coverpkg="$library" -coverprofile=coverage.out ${library//,/ } | sed -u -E 's/[[:space:]]coverage: .*//'

# Statements by first directory; a block counts once, however many test binaries
# ran it. The test servers are test code.
awk -v goal="$goal" '
  NR == 1 || /\/testserver\// { next }
  { n[$1] = $2; if ($3 > 0) hit[$1] = 1 }
  END {
    for (b in n) {
      d = b; sub(/.*upid\/upid\//, "", d); sub(/\/.*/, "", d)
      total[d] += n[b]; if (b in hit) covered[d] += n[b]
    }
    bad = 0
    print "\nstatement coverage (goal " goal " %)"
    split("collector forecast detect rules", order, " ")
    for (i = 1; i <= 4; i++) {
      d = order[i]; c = 100 * covered[d] / total[d]
      printf "  %-10s %5.1f %%%s\n", d, c, c < goal ? "  MISSED" : ""
      if (c < goal) bad = 1
    }
    exit bad
  }' coverage.out
