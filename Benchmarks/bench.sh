#!/usr/bin/env bash
# Puts and ranges a second of a three-member cluster, beside etcd's on the same machine in the same
# run. The load comes from h2load (nghttp2): the same bytes to both. Prints a ratio.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$PWD/.build/release/configsync
etcd=$(Scripts/etcd35.sh etcd || command -v etcd || true)
[ -n "$etcd" ] || { echo "bench: etcd is not installed; run 'make setup'" >&2; exit 1; }
command -v h2load >/dev/null || { echo "bench: h2load is not installed" >&2; exit 1; }
# Requests of one round: several rounds of each, in turn, and the best counts.
puts=${PUTS:-20000} ranges=${RANGES:-40000} rounds=${ROUNDS:-3} clients=10 streams=10
work=$(mktemp -d)
pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT

read -r -a ports <<<"$(python3 - <<'PYTHON'
import socket
sockets = [socket.socket() for _ in range(12)]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in sockets])
PYTHON
)"

start() { # KIND FIRST_PORT_INDEX
  local kind=$1 at=$2 cluster="" index
  for index in 0 1 2; do
    cluster+="${cluster:+,}m$index=http://127.0.0.1:${ports[at + 3 + index]}"
  done
  for index in 0 1 2; do
    local client=http://127.0.0.1:${ports[at + index]} peer=http://127.0.0.1:${ports[at + 3 + index]}
    local flags=(--name "m$index" --data-dir "$work/$kind$index" --initial-cluster "$cluster"
      --listen-client-urls "$client" --advertise-client-urls "$client"
      --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer")
    if [ "$kind" = etcd ]; then
      "$etcd" "${flags[@]}" --log-level error >"$work/$kind$index.log" 2>&1 &
    else
      "$program" server "${flags[@]}" --log-level error >"$work/$kind$index.log" 2>&1 &
    fi
    pids+=($!)
  done
}

# gRPC messages: a flag, a length, and the protobuf of a put of 16 + 256 bytes and of its range.
python3 - "$work" <<'PYTHON'
import struct, sys
def field(number, value): return bytes([number << 3 | 2]) + varint(len(value)) + value
def varint(n):
    out = b""
    while n > 127: out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])
def frame(message): return b"\0" + struct.pack(">I", len(message)) + message
key = b"/bench/key-00001"
open(sys.argv[1] + "/put", "wb").write(frame(field(1, key) + field(2, b"x" * 256)))
open(sys.argv[1] + "/range", "wb").write(frame(field(1, key)))
PYTHON

load() { # PORT METHOD BODY COUNT -> requests a second
  h2load -n "$4" -c $clients -m $streams -t 1 -d "$work/$3" -H 'content-type: application/grpc' \
    -H 'te: trailers' "http://127.0.0.1:$1/etcdserverpb.KV/$2" 2>/dev/null |
    awk '/^finished in/ { gsub(",", ""); print int($4) } /^status codes/ { if ($3 + 0 < 1) exit 1 }'
}
leader_port() { # FIRST_PORT_INDEX
  local index
  for index in 0 1 2; do
    if ETCDCTL_API=3 etcdctl --endpoints "127.0.0.1:${ports[$1 + index]}" endpoint status -w json \
      2>/dev/null | jq -e '.[0].Status | .leader == .header.member_id' >/dev/null; then
      echo "${ports[$1 + index]}"
      return
    fi
  done
}
best() { sort -n | tail -1; }

start etcd 0
start ours 6
for _ in $(seq 60); do
  etcd_port=$(leader_port 0) ours_port=$(leader_port 6)
  [ -n "$etcd_port" ] && [ -n "$ours_port" ] && break
  sleep 0.5
done
[ -n "$etcd_port" ] && [ -n "$ours_port" ] || { echo "bench: a cluster did not start" >&2; exit 1; }

for round in $(seq "$rounds"); do
  for what in "Put put $puts" "Range range $ranges"; do
    read -r method body count <<<"$what"
    load "$etcd_port" "$method" "$body" "$count" >>"$work/etcd.$body"
    load "$ours_port" "$method" "$body" "$count" >>"$work/ours.$body"
  done
done
printf '%-28s %12s %12s %8s\n' "three members, best of $rounds" etcd configsync ratio
for body in put range; do
  theirs=$(best <"$work/etcd.$body") ours=$(best <"$work/ours.$body")
  printf '%-28s %10s/s %10s/s %8s\n' "$body" "$theirs" "$ours" \
    "$(awk "BEGIN { printf \"%.2f\", $ours / $theirs }")"
done
