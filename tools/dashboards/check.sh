#!/usr/bin/env bash
# Compiles dashboards against the types of @grafana/schema: check.sh DIR FILE...
# DIR is a working directory, in which the pinned packages stay for the next time.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift
rm -f "$dir"/*.ts
cp "$here"/{package.json,package-lock.json,tsconfig.json,types.ts} "$dir"
for file in "$@"; do
  name=$(basename "$file" .json)
  {
    echo "import type { UpidDashboard } from './types';"
    echo "export const dashboard = ("
    cat "$file"
    echo ") satisfies UpidDashboard;"
  } >"$dir/$name.ts"
done
cd "$dir"
# The packages are there if the lock file is the one they were installed by.
cmp -s package-lock.json node_modules/.installed || {
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  cp package-lock.json node_modules/.installed
}
exec node node_modules/typescript/bin/tsc --pretty false -p .
