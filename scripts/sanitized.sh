#!/usr/bin/env bash
# Runs the end-to-end tests against a binary built with a sanitizer (address or thread), in a build folder of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:?address or thread}
folder=.build-$kind
swift build --sanitize="$kind" --scratch-path "$folder" --product weft
reports=$(mktemp -d)
case $kind in
  address) export ASAN_OPTIONS="detect_leaks=1:halt_on_error=1:log_path=$reports/report" ;;
  thread) export TSAN_OPTIONS="halt_on_error=0:second_deadlock_stack=1:log_path=$reports/report" ;;
esac
status=0
WEFT_BINARY="$PWD/$folder/debug/weft" swift test --filter EndToEnd || status=$?
if compgen -G "$reports/report*" >/dev/null; then
  cat "$reports"/report*
  echo "the $kind sanitizer found something; see above" >&2
  exit 1
fi
rm -rf "$reports"
exit $status
