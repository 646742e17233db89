#!/usr/bin/env bash
# Fuzzes every target of the module for the time given, one after another, then
# kills upid 50 times at random moments beside real servers.
set -euo pipefail
time=$1
for pkg in $(go list ./...); do
  for target in $(go test -list '^Fuzz' "$pkg" | grep '^Fuzz' || true); do
    echo "== $pkg $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$pkg"
  done
done

tools/servers.sh .tools
. .tools/servers.env
echo "== kill -9, 50 times"
UPID_KILLS=50 UPID_REQUIRE_SERVERS=1 go test -count=1 -v -timeout 20m -run '^TestKilledAtAnyMoment$' ./cmd/upid | grep -v caller=
