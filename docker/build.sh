#!/bin/sh
# build.sh [lite|full [OPTION...]] - builds an image from this checkout, with its version, revision and time in the
# labels; the options are of `docker build`.
# Tags: edge:lite and edge:0.1.0-lite, or edge:full and edge:0.1.0.
set -eu
target=${1:-lite}
[ $# -eq 0 ] || shift
cd "$(dirname "$0")/.."
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' edge/__init__.py)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
source=$(git remote get-url origin 2>/dev/null || echo unknown)
case $target in
  lite) tag=edge:$version-lite ;;
  full) tag=edge:$version ;;
  *) echo "build.sh: lite or full, not $target" >&2; exit 2 ;;
esac
# The digest of the base, if it was pulled from a registry.
base=$(docker image inspect -f '{{index .RepoDigests 0}}' python:3.13-slim 2>/dev/null | sed 's/.*@//' || true)
# An engine from 25 on (API 1.44) also looks every 500 ms while the service starts: "healthy" follows "ready" at once.
# Older builders do not know the word, so it is not in the Dockerfile.
start_interval=
api=$(docker version -f '{{.Server.APIVersion}}')
if [ "$(printf '%s\n' 1.44 "$api" | sort -V | head -1)" = 1.44 ]; then start_interval=--start-interval=500ms; fi
sed "s/^HEALTHCHECK /HEALTHCHECK $start_interval /" Dockerfile | docker build -f - --target "$target" -t "edge:$target" -t "$tag" \
  --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "SOURCE=$source" \
  --build-arg "CREATED=$(date -u +%Y-%m-%dT%H:%M:%SZ)" --build-arg "BASE_DIGEST=${base:-unknown}" "$@" .
