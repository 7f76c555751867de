#!/usr/bin/env bash
# Installs the Debian packages that are missing. `deps.sh` alone: for building and testing; `deps.sh bench`: the peers
# to compare with; `deps.sh bench-check`: what counting instructions takes.
set -euo pipefail

build=(libssl-dev liblua5.4-dev libc-ares-dev libnghttp2-dev libpcre2-dev libyaml-dev zlib1g-dev pkg-config)
test=(curl etcd-server faketime iproute2 nftables nghttp2-client nghttp2-server openssl python3 python3-grpcio python3-h2 python3-websockets prometheus skopeo)
bench=(nginx libnginx-mod-http-lua haproxy wrk nghttp2-client valgrind)

packages=("${build[@]}" "${test[@]}")
[ "${1:-}" = bench-check ] && packages=(nginx nghttp2-client openssl valgrind)
[ "${1:-}" = bench ] && packages=("${bench[@]}")

if ! command -v swift >/dev/null; then
  echo "Weft needs a Swift 6.3 toolchain, and there is no 'swift' on the PATH: see https://www.swift.org/install/" >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

if ! command -v apt-get >/dev/null; then
  echo "These packages are missing, and this system has no apt-get to install them with: ${missing[*]}" >&2
  exit 1
fi
sudo=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "These packages are missing: ${missing[*]}" >&2
    echo "Install them as root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  sudo=(sudo)
fi
echo "Installing ${missing[*]}"
# Services of these packages (a Prometheus server, nginx) are not wanted here, only their programs.
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 bash -c '
  apt-get update -q >/dev/null && apt-get install -y -q --no-install-recommends "$@" >/dev/null' apt "${missing[@]}" || {
  echo "Installing failed. Try it by hand: apt-get update && apt-get install ${missing[*]}" >&2
  exit 1
}
