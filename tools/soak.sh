#!/usr/bin/env bash
# Fuzzes every target of the module for the time given, one after another.
set -euo pipefail
time=$1
for pkg in $(go list ./...); do
  for target in $(go test -list '^Fuzz' "$pkg" | grep '^Fuzz' || true); do
    echo "== $pkg $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$pkg"
  done
done
