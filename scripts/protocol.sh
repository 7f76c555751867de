#!/usr/bin/env bash
# Generates the Swift code of protocol/*.proto anew. The result is committed: building the generators takes minutes.
# Needs protoc (Debian: protobuf-compiler), and the two generators of the package's own dependencies, which it builds.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in protoc-gen-swift protoc-gen-grpc-swift-2; do
  if ! command -v "$tool" >/dev/null; then
    echo "building $tool" >&2
    swift build --product "$tool" >&2
  fi
done
PATH="$PATH:$(swift build --show-bin-path)"
generate() {  # FILE TARGET SERVER
  local out="Sources/$2/Generated"
  mkdir -p "$out"
  protoc -I protocol --swift_out="$out" --swift_opt=Visibility="$4" \
    --grpc-swift-2_out="$out" --grpc-swift-2_opt=Visibility="$4",Server="$3" "protocol/$1.proto"
}
generate discovery WeftProtocol true Public
generate etcd WeftStore false Internal
