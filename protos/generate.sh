#!/usr/bin/env bash
# Regenerates Sources/EtcdProtos from protos/*.proto. With --check it only compares.
# Needs protoc (Debian: protobuf-compiler); the two plugins are built from the packages.
set -euo pipefail
cd "$(dirname "$0")/.."
target=Sources/EtcdProtos
output=$(mktemp -d)
trap 'rm -rf "$output"' EXIT
swift build --product protoc-gen-swift >&2
swift build --product protoc-gen-grpc-swift-2 >&2
bin=$(swift build --show-bin-path)
options=Visibility=Public,UseAccessLevelOnImports=true
protoc -Iprotos protos/*.proto \
  --plugin="$bin/protoc-gen-swift" --plugin="$bin/protoc-gen-grpc-swift-2" \
  --swift_out="$output" --swift_opt=$options \
  --grpc-swift-2_out="$output" --grpc-swift-2_opt=$options,Server=false
if [ "${1:-}" = --check ]; then
  diff -r "$output" "$target" || {
    echo "Sources/EtcdProtos is not what protos/generate.sh makes: run it and commit." >&2
    exit 1
  }
else
  rm -f "$target"/*.swift
  cp "$output"/*.swift "$target"/
  # What `make check` compares, where protoc and its plugins are not at hand.
  sha256sum protos/*.proto "$target"/*.swift > protos/generated.sha256
fi
