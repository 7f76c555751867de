#!/usr/bin/env bash
# Runs the end-to-end tests against a binary built with a sanitizer (address or thread), in a build folder of its own:
# all of them, or those that a second argument names as `swift test --filter` has it. Ends with 1 if a test fails or the
# sanitizer has anything to say, leaks included.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:?address or thread}
filter=${2:-EndToEnd}
folder=.build-$kind
for product in weft weft-mesh; do
  swift build --sanitize="$kind" --scratch-path "$folder" --product "$product"
done
reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
case $kind in
  address)
    export ASAN_OPTIONS="detect_leaks=1:halt_on_error=1:log_path=$reports/report"
    export LSAN_OPTIONS="suppressions=$PWD/scripts/lsan.supp:print_suppressions=0"
    ;;
  thread) export TSAN_OPTIONS="halt_on_error=0:second_deadlock_stack=1:log_path=$reports/report" ;;
esac
status=0
WEFT_SANITIZER=$kind WEFT_BINARY="$PWD/$folder/debug/weft" swift test --filter "$filter" 2>&1 | tee "$reports/tests" ||
  status=$?
if ! grep -Eq 'Test run with [1-9][0-9]* tests' "$reports/tests"; then
  echo "no test has run" >&2
  status=1
fi
if compgen -G "$reports/report*" >/dev/null; then
  head -c 100000 "$reports"/report*
  echo "the $kind sanitizer found something in $(compgen -G "$reports/report*" | wc -l) processes; see above" >&2
  status=1
fi
exit $status
