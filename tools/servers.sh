#!/usr/bin/env bash
# Finds or unpacks the real servers that the tests start, and writes their paths
# to DIR/servers.env. Debian's packages are unpacked, not installed: no service is
# started.
set -euo pipefail
tools=$(cd "$(dirname "$0")" && pwd)
dir=$1
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
env=$dir/servers.env

missing=
for p in prometheus:prometheus promtool:prometheus prometheus-alertmanager:prometheus-alertmanager; do
  command -v "${p%%:*}" >/dev/null || [ -x "$dir/deb/usr/bin/${p%%:*}" ] || missing="$missing ${p##*:}"
done
if [ -n "$missing" ]; then
  if command -v apt-get >/dev/null && command -v dpkg >/dev/null; then
    packages=$(tr ' ' '\n' <<<"${missing# }" | sort -u | paste -sd ' ')
    echo "unpacking $packages into $dir/deb"
    mkdir -p "$dir/deb"
    (
      cd "$dir"
      # shellcheck disable=SC2086
      apt-get download -q $packages >/dev/null 2>&1 || { "$tools/as_root.sh" apt-get update -qq; apt-get download -q $packages >/dev/null; }
      for deb in ./*.deb; do dpkg -x "$deb" deb; rm "$deb"; done
    )
  else
    echo "No Prometheus and Alertmanager here and no apt-get to fetch them: tests that need them are skipped."
    echo "Put prometheus, promtool and alertmanager on the PATH to run them."
    : >"$env"
    exit 0
  fi
fi
# Debian's Alertmanager reads its templates from this path and does not start
# without them: the one file that has to be put outside of DIR.
templates=usr/share/prometheus/alertmanager
if [ -e "$dir/deb/$templates/default.tmpl" ] && [ ! -e "/$templates/default.tmpl" ]; then
  echo "copying Alertmanager's templates to /$templates"
  "$tools/as_root.sh" mkdir -p "/$templates"
  "$tools/as_root.sh" cp "$dir/deb/$templates"/*.tmpl "/$templates/"
fi
path() { command -v "$1" || echo "$dir/deb/usr/bin/$1"; }
{
  echo "export UPID_TEST_PROMETHEUS=$(path prometheus)"
  echo "export UPID_TEST_PROMTOOL=$(path promtool)"
  echo "export UPID_TEST_ALERTMANAGER=$(path prometheus-alertmanager)"
  echo "export UPID_REQUIRE_SERVERS=1"
} >"$env"
