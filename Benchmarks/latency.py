#!/usr/bin/env python3
"""How long a commit takes from the forge to a service that watches.

Makes a repository of 10,000 files, served by nginx before `git http-backend`, a cluster of three members (configsync, or a real etcd
3.5 with --etcd), a reconciler (`configsync run`, release build) and a watcher. Commits then change ten keys each;
as soon as one is pushed a webhook is sent, and the clock runs until the watcher has the change. Prints the median
and the 99th percentile of the whole and of its parts: what the webhook and Git's fetch took, compiling, the
store's commit, and the rest, which is above all the watch. At the end one commit changes 10,000 keys, and another
reverts it: each has to be one revision.

usage: Benchmarks/latency.py [--commits N] [--files N] [--etcd]
"""
import argparse
import base64
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import bench

PROGRAM = os.path.join(bench.ROOT, ".build", "release", "configsync")
# Of each file; a commit changes two files.
KEYS = 5
SECRET = "a secret of the webhooks"
IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com", "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com", "GIT_CONFIG_GLOBAL": "/dev/null"}


def git(folder, *arguments):
    return subprocess.run(
        ["git", "-C", folder, *arguments], check=True, capture_output=True, text=True,
        env={**os.environ, **IDENTITY}).stdout.strip()


class Origin:
    """A repository with a working tree, and the bare one that is served."""

    def __init__(self, folder, files):
        self.work, self.bare = os.path.join(folder, "work"), os.path.join(folder, "srv", "config.git")
        os.makedirs(self.work)
        git(self.work, "init", "-q", "-b", "main")
        for number in range(files):
            self.write(number, 0)
        self.commit("first")
        git(folder, "clone", "-q", "--bare", self.work, self.bare)
        git(self.work, "remote", "add", "origin", self.bare)
        self.port = bench.free_ports(1)[0]
        self.servers = self.serve(folder)

    def serve(self, folder):
        """Smart HTTP, as forges do it."""
        socket, scratch = os.path.join(folder, "fcgi.sock"), os.path.join(folder, "nginx")
        os.mkdir(scratch)
        with open(os.path.join(scratch, "nginx.conf"), "w") as file:
            file.write(f"""
                daemon off; pid {scratch}/pid; error_log {scratch}/log; {"user root;" if os.getuid() == 0 else ""}
                events {{}}
                http {{
                  access_log off; tcp_nodelay on; keepalive_timeout 60;
                  client_body_temp_path {scratch}/body; proxy_temp_path {scratch}/proxy;
                  fastcgi_temp_path {scratch}/fastcgi; uwsgi_temp_path {scratch}/uwsgi;
                  scgi_temp_path {scratch}/scgi;
                  server {{
                    listen 127.0.0.1:{self.port};
                    location / {{
                      include /etc/nginx/fastcgi_params; fastcgi_pass unix:{socket};
                      fastcgi_param SCRIPT_FILENAME /usr/lib/git-core/git-http-backend;
                      fastcgi_param GIT_PROJECT_ROOT {folder}/srv; fastcgi_param GIT_HTTP_EXPORT_ALL 1;
                      fastcgi_param PATH_INFO $uri; fastcgi_param GIT_PROTOCOL $http_git_protocol;
                    }}
                  }}
                }}""")
        path = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"}
        return [
            subprocess.Popen(command, stderr=subprocess.DEVNULL, env=path, start_new_session=True)
            for command in (
                ["fcgiwrap", "-s", "unix:" + socket, "-c", "2"],
                ["nginx", "-c", f"{scratch}/nginx.conf", "-p", scratch, "-e", f"{scratch}/log"])]

    def stop(self):
        for server in self.servers:
            os.killpg(server.pid, 15)
            server.wait()

    def write(self, number, value, keys=KEYS):
        folder = os.path.join(self.work, f"n{number % 100}")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"f{number}.yaml"), "w") as file:
            file.write("".join(f"k{key}: {value}\n" for key in range(keys)))

    def commit(self, message):
        git(self.work, "add", "-A")
        git(self.work, "commit", "-q", "-m", message)

    def push(self):
        git(self.work, "push", "-q", "origin", "main")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/config.git"


class Watcher(threading.Thread):
    """Watches all keys of the namespaces over the JSON gateway, and remembers when each value came."""

    def __init__(self, endpoint):
        super().__init__(daemon=True)
        self.changed = threading.Condition()
        self.seen = {}
        self.revisions = {}
        host, port = endpoint.split(":")
        self.connection = http.client.HTTPConnection(host, int(port))
        encode = lambda text: base64.b64encode(text).decode()
        self.connection.request("POST", "/v3/watch", json.dumps(
            {"create_request": {"key": encode(b"/n"), "range_end": encode(b"/o")}}))
        self.response = self.connection.getresponse()
        self.start()

    def run(self):
        while line := self.response.readline():
            now = time.perf_counter()
            result = json.loads(line).get("result", {})
            with self.changed:
                for event in result.get("events", []):
                    item = event["kv"]
                    value = base64.b64decode(item.get("value", "")).decode()
                    self.seen[(item["key"], value)] = now
                    revision = int(item["mod_revision"])
                    self.revisions[revision] = self.revisions.get(revision, 0) + 1
                self.changed.notify_all()

    def wait(self, key, value, seconds=120):
        key = base64.b64encode(key.encode()).decode()
        with self.changed:
            if not self.changed.wait_for(lambda: (key, value) in self.seen, seconds):
                sys.exit(f"latency: {key} = {value} did not come")
            return self.seen[(key, value)]


def send_webhook(port, number):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request(
        "POST", "/hooks/default", json.dumps({"push": number}), {"x-gitlab-token": SECRET})
    status = connection.getresponse().status
    if status != 202:
        sys.exit(f"latency: the webhook was answered with {status}")


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def timings(log):
    """The parts of each run that took commits, in milliseconds."""
    parts = []
    for line in open(log):
        line = line.strip()
        if not line.startswith("{"):
            continue
        entry = json.loads(line)
        if entry.get("message") == "took new commits":
            parts.append({name: float(entry[name + "-ms"]) for name in ("fetch", "compile", "commit")})
    return parts


def measure(origin, watcher, port, commits, files, log):
    totals = []
    before = len(timings(log))
    for number in range(commits):
        place, other = number * 7919 % files, (number * 7919 + 1) % files
        origin.write(place, f"v{number}")
        origin.write(other, f"v{number}")
        origin.commit(f"change {number}")
        origin.push()
        start = time.perf_counter()
        send_webhook(port, number)
        totals.append(
            (watcher.wait(f"/n{place % 100}/f{place}/k4", f"v{number}") - start) * 1000)
    # The last line of the log comes after the watcher has its change.
    for _ in range(50):
        parts = timings(log)[before:]
        if len(parts) >= commits:
            break
        time.sleep(0.1)
    if len(parts) != commits:
        sys.exit(f"latency: {len(parts)} runs for {commits} commits")
    rows = [(name, [part[name] for part in parts]) for name in ("fetch", "compile", "commit")]
    rows.append(("rest", [total - sum(part.values()) for total, part in zip(totals, parts)]))
    rows.append(("from the push to the watcher", totals))
    print(f"\n{'part':30} {'p50':>9} {'p99':>9}")
    for name, values in rows:
        print(f"{name:30} {statistics.median(values):6.1f} ms {percentile(values, 0.99):6.1f} ms")


def large(origin, watcher, port):
    keys = 10_000
    origin.write(1_000_000, "a", keys)
    for what in ("a commit of 10,000 keys", "its revert"):
        if what == "its revert":
            git(origin.work, "revert", "--no-edit", "HEAD")
        else:
            origin.commit(what)
        origin.push()
        before = set(watcher.revisions)
        start = time.perf_counter()
        send_webhook(port, what)
        value = "a" if what != "its revert" else ""
        end = watcher.wait("/n0/f1000000/k9999", value)
        new = {revision: count for revision, count in watcher.revisions.items() if revision not in before}
        if len(new) != 1 or list(new.values()) != [keys]:
            sys.exit(f"latency: {what} came as {new}")
        print(f"{what:30} {end - start:6.2f} s   one revision, {keys:,} events")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commits", type=int, default=200)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--etcd", action="store_true", help="reconcile into a real etcd")
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="configsync-latency-")
    origin = cluster = daemon = None
    try:
        origin = Origin(folder, arguments.files)
        command = [bench.etcd_program(), "--max-txn-ops", "100000", "--max-request-bytes", "67108864"] \
            if arguments.etcd else [PROGRAM, "server"]
        cluster = bench.Cluster("etcd" if arguments.etcd else "configsync", command, 3, folder)
        leader = cluster.leader()
        port = bench.free_ports(1)[0]
        secret, log = os.path.join(folder, "secret"), os.path.join(folder, "run.log")
        with open(secret, "w") as file:
            file.write(SECRET)
        daemon = subprocess.Popen(
            [PROGRAM, "run", "--repo", origin.url, "--branch", "main", "--interval", "3600",
             "--mirror-dir", os.path.join(folder, "mirrors"), "--listen-webhooks", f"127.0.0.1:{port}",
             "--webhook-forge", "gitlab", "--webhook-secret-file", secret, "--log-format", "json",
             "--endpoints", ",".join(f"http://{endpoint}" for endpoint in cluster.endpoints)],
            stdout=open(log, "w"), stderr=subprocess.STDOUT)
        watcher = Watcher(leader)
        print(f"{arguments.files:,} files, {arguments.files * KEYS:,} keys; three members of {cluster.name}")
        watcher.wait("/n0/f0/k4", "0")
        # The line of that run comes after the watcher has its keys.
        while not timings(log):
            time.sleep(0.1)
        measure(origin, watcher, port, arguments.commits, arguments.files, log)
        large(origin, watcher, port)
    finally:
        if daemon:
            daemon.terminate()
            daemon.wait()
        if cluster:
            cluster.stop()
        if origin:
            origin.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
