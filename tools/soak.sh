#!/usr/bin/env bash
# Fuzzes every target of the module for the time given, one after another, then kills
# what saves versions and state 1,000 times, and upid 50 times beside real servers, at
# random moments.
set -euo pipefail
time=$1
for pkg in $(go list ./...); do
  for target in $(go test -list '^Fuzz' "$pkg" | grep '^Fuzz' || true); do
    echo "== $pkg $target"
    # By default up to a minute of the time goes into making one input smaller.
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 2s "$pkg"
  done
done

echo "== kill -9 while versions and state are saved, 1,000 times; 100,000 versions"
UPID_KILLS=1000 UPID_MODELS=100000 go test -count=1 -v -timeout 60m -run '^TestFault_D1(2)?$' ./collector/store

tools/servers.sh .tools
. .tools/servers.env
echo "== kill -9, 50 times"
UPID_KILLS=50 UPID_REQUIRE_SERVERS=1 go test -count=1 -v -timeout 20m -run '^TestKilledAtAnyMoment$' ./cmd/upid | grep -v caller=
echo "== a model that is no good is demoted"
UPID_SOAK=1 UPID_REQUIRE_SERVERS=1 go test -count=1 -v -timeout 20m -run '^TestBrokenModelIsDemotedLive$' ./cmd/upid | grep -v caller=
