#!/usr/bin/env bash
# Format and generated code; imports, sizes and words are held by TidyTests.
set -euo pipefail
cd "$(dirname "$0")/.."
swift format lint --strict --configuration .swift-format "$@"
if command -v protoc >/dev/null && [ "${CHECK_PROTOS:-}" = 1 ]; then protos/generate.sh --check; fi
for proto in protos/*.proto; do
  generated=Sources/EtcdProtos/$(basename "$proto" .proto).pb.swift
  hash=$(sha256sum "$proto" | cut -d' ' -f1)
  grep -q "$hash" protos/generated.sha256 || {
    echo "$proto has changed since $generated was made: run 'make protos' and commit." >&2
    exit 1
  }
done
sha256sum --quiet -c protos/generated.sha256
echo "check: format and generated code are right"
