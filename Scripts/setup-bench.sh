#!/usr/bin/env bash
# What the benchmarks need beside what setup.sh installs; without it they say so and leave it out.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

sudo=""
[ "$(id -u)" = 0 ] || sudo=sudo

# It makes the syncs of a program slow, to see who waits for them.
command -v strace >/dev/null || $sudo apt-get install -y -qq strace >/dev/null \
  || echo "strace could not be installed: who waits for the disk is not looked at" >&2

# etcd 3.4 is Debian's, unpacked and not installed: its package would start a server.
if ! Scripts/etcd34.sh >/dev/null; then
  folder=$(mktemp -d)
  (cd "$folder" && apt-get download -qq etcd-server 2>/dev/null) \
    && dpkg -x "$folder"/etcd-server_*.deb .build-etcd/debian \
    || echo "Debian's etcd could not be had: there is no comparison with it" >&2
  rm -rf "$folder"
fi
