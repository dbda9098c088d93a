#!/usr/bin/env bash
# The main job, end to end, on this machine: ends non-zero if any step is not as it should be.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$PWD/.build/debug/configsync
work=$(mktemp -d)
declare -A pids=()

cleanup() {
  local status=$?
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  if [ $status -ne 0 ]; then
    echo "demo failed; the members' logs:" >&2
    tail -n 5 "$work"/*.log >&2 || true
  fi
  rm -rf "$work"
}
trap cleanup EXIT

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
fail() { echo "demo: $*" >&2; exit 1; }
# Repeats a command until it succeeds, for 20 seconds at most.
eventually() {
  for _ in $(seq 100); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.2
  done
  fail "this never succeeded: $*"
}

free_ports() {
  python3 - <<'PYTHON'
import socket
sockets = [socket.socket() for _ in range(6)]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in sockets])
PYTHON
}
read -r c1 c2 c3 p1 p2 p3 <<<"$(free_ports)"
cluster="one=http://127.0.0.1:$p1,two=http://127.0.0.1:$p2,three=http://127.0.0.1:$p3"
export CONFIGSYNC_ENDPOINTS="http://127.0.0.1:$c1,http://127.0.0.1:$c2,http://127.0.0.1:$c3"

start_member() { # NAME CLIENT_PORT PEER_PORT
  "$program" server --name "$1" --data-dir "$work/$1" --initial-cluster "$cluster" \
    --listen-client-urls "http://127.0.0.1:$2" --listen-peer-urls "http://127.0.0.1:$3" \
    >>"$work/$1.log" 2>&1 &
  pids[$1]=$!
}

step "A configuration repository"
"$program" init "$work/config"
repo=$work/config
git -C "$repo" config user.name "Ada Lovelace"
git -C "$repo" config user.email ada@example.com
git -C "$repo" add -A
git -C "$repo" commit -qm "First configuration"
"$program" validate --repo "$repo"

step "A cluster of three processes"
start_member one "$c1" "$p1"
start_member two "$c2" "$p2"
start_member three "$c3" "$p3"
eventually "$program" get --prefix /
"$program" apply --repo "$repo"
"$program" status

step "A commit of several changes reaches a watcher as one revision"
"$program" watch --prefix /production/ --count 1 >"$work/watch.out" &
pids[watch]=$!
sleep 2
sed -i 's/replicas: 3/replicas: 5/; s/level: warning/level: info/' "$repo/config/production/api.yaml"
git -C "$repo" commit -qam "More replicas, more log"
"$program" apply --repo "$repo"
wait "${pids[watch]}" || fail "the watcher failed"
unset 'pids[watch]'
cat "$work/watch.out"
grep -q '^revision 3: 2 changes$' "$work/watch.out" || fail "the watcher did not get one revision"

step "The leader is killed, and the next commit applies all the same"
leader=$("$program" status -o json | jq -r '.members[] | select(.isLeader) | .endpoint')
case $leader in
  *:$c1) killed=one port=$c1 peer=$p1 ;;
  *:$c2) killed=two port=$c2 peer=$p2 ;;
  *:$c3) killed=three port=$c3 peer=$p3 ;;
  *) fail "there is no leader" ;;
esac
echo "killing member '$killed'"
kill -9 "${pids[$killed]}"
wait "${pids[$killed]}" 2>/dev/null || true
unset "pids[$killed]"
sed -i 's/replicas: 5/replicas: 6/' "$repo/config/production/api.yaml"
git -C "$repo" commit -qam "One more replica"
eventually "$program" apply --repo "$repo"
[ "$("$program" get /production/api/replicas)" = 6 ] || fail "the commit was not applied"
echo "applied: /production/api/replicas = 6"
start_member "$killed" "$port" "$peer"
eventually "$program" get --endpoints "http://127.0.0.1:$port" /production/api/replicas

step "A broken file is refused whole, with its place"
printf 'replicas: 7\nlog: [warning\n' >"$repo/config/production/api.yaml"
git -C "$repo" commit -qam "A bracket is missing"
if "$program" apply --repo "$repo"; then fail "a broken commit was applied"; fi
if "$program" status; then fail "status hides the refusal"; fi
[ "$("$program" get /production/api/replicas)" = 6 ] || fail "a refused commit changed the store"

step "The revert applies"
"$program" rollback --repo "$repo" HEAD
"$program" apply --repo "$repo"
"$program" status

step "Who did what"
"$program" log
"$program" blame /production/
"$program" history /production/api/replicas

echo
echo "demo: everything as it should be"
