#!/usr/bin/env bash
# The main job, on this machine: two backends, a proxy with a chain of filters, traffic, and a filter that is edited
# while the traffic flows. Leaves nothing behind. Ends with 1 if anything did not go as it should.
set -euo pipefail
cd "$(dirname "$0")/.."
weft=.build/release/weft
work=$(mktemp -d)
pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
say() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
fail() { echo "the demo failed: $*" >&2; [ -f "$work/weft.log" ] && tail -20 "$work/weft.log" >&2; exit 1; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
wait_for() { for _ in $(seq 100); do "$@" >/dev/null 2>&1 && return 0; sleep 0.1; done; fail "waited in vain for: $*"; }

one=$(free_port) two=$(free_port) port=$(free_port) admin=$(free_port)
cp -R examples/quickstart "$work/config"
sed -i "s/port: 8080/port: $port/; s/127.0.0.1:9001/127.0.0.1:$one/; s/127.0.0.1:9002/127.0.0.1:$two/" "$work/config/gateway.yaml"

say "Two backends, on ports $one and $two"
python3 examples/backend.py "$one" backend-1 & pids+=($!)
python3 examples/backend.py "$two" backend-2 & pids+=($!)
wait_for curl -sf "http://127.0.0.1:$one/"
wait_for curl -sf "http://127.0.0.1:$two/"

say "weft check -f examples/quickstart/gateway.yaml"
"$weft" check -f "$work/config/gateway.yaml"

say "weft run -f examples/quickstart/gateway.yaml"
"$weft" run -f "$work/config/gateway.yaml" --admin "127.0.0.1:$admin" >"$work/weft.log" 2>&1 & proxy=$!
pids+=("$proxy")
wait_for curl -sf "http://127.0.0.1:$admin/readyz"
cat "$work/weft.log"

say "One request through the chain: header modifier, rate limit, Lua"
curl -si "http://127.0.0.1:$port/hello" | tr -d '\r'
curl -si "http://127.0.0.1:$port/hello" | grep -qi '^x-greeting: hello' || fail "the Lua filter did not run"

say "16 connections of traffic, and meanwhile the Lua filter is edited"
coproc traffic { python3 scripts/traffic.py "$port" 16; }
to=${traffic[1]} from=${traffic[0]}
sleep 1
sed -i 's/response:settings().greeting)/response:settings().greeting .. ", edited while traffic flows")/' "$work/config/filters/greeting/main.lua"
new_code() { curl -si "http://127.0.0.1:$port/hello" | grep -qi 'edited while traffic flows'; }
wait_for new_code
echo "the next request ran the new code:"
curl -si "http://127.0.0.1:$port/hello" | tr -d '\r' | grep -i '^x-greeting'
sleep 1

say "A broken edit is refused, and the last good code stays in force"
echo 'this is no Lua' >>"$work/config/filters/greeting/main.lua"
refused() { curl -s "http://127.0.0.1:$admin/config" | grep -q '"succeeded":false'; }
wait_for refused
grep -h 'main.lua' "$work/weft.log" | tail -1
new_code || fail "the last good filter is not in force"

eval "exec $to>&-"
result=$(cat <&"$from")
say "What the traffic saw"
echo "$result" | python3 -c '
import json, sys
counts = json.loads(sys.stdin.readlines()[-1])
width = max(len(k) for k in counts)
for kind, n in sorted(counts.items()): print(f"  {kind:<{width}}  {n:>8}")
failed = sum(n for kind, n in counts.items() if kind.startswith("failed"))
print(f"  failed requests: {failed}")
sys.exit(1 if failed or len(counts) < 2 else 0)' || fail "requests failed"

say "SIGTERM drains"
kill -TERM "$proxy"
wait "$proxy" && echo "exit code 0"
tail -1 "$work/weft.log"
say "That was Weft. Next: docs/README.md, or write a filter of your own: docs/lua.md"
