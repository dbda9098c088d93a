#!/usr/bin/env bash
# Prints where Debian's etcd 3.4 is, which setup-bench.sh has unpacked.
found=$(dirname "$0")/../.build-etcd/debian/usr/bin/etcd
[ -x "$found" ] && realpath "$found"
