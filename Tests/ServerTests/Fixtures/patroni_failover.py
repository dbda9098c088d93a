"""Patroni with its etcd3 backend: two PostgreSQL servers, one primary, and a failover when that is killed.

usage: patroni_failover.py HOST:PORT
"""
import importlib.util
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ENDPOINT = sys.argv[1]
SECONDS = 240


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def bin_folder():
    """PostgreSQL's programs, which the package pgserver of PyPI carries."""
    found = importlib.util.find_spec("pgserver")
    folder = found and os.path.join(os.path.dirname(found.origin), "pginstall", "bin")
    if not folder or not os.path.isdir(folder):
        print("PostgreSQL is not installed: skipped")
        sys.exit(0)
    return folder


class Node:
    """A Patroni daemon and the PostgreSQL server that it keeps."""

    def __init__(self, name, folder, account):
        self.name, self.folder, self.account = name, os.path.join(folder, name), account
        os.mkdir(self.folder)
        self.rest, self.port = free_port(), free_port()
        settings = {
            "scope": "demo",
            "name": name,
            "restapi": {"listen": f"127.0.0.1:{self.rest}", "connect_address": f"127.0.0.1:{self.rest}"},
            "etcd3": {"hosts": [ENDPOINT]},
            "bootstrap": {
                "dcs": {"ttl": 20, "loop_wait": 2, "retry_timeout": 5, "postgresql": {"use_pg_rewind": False}},
                "initdb": [{"encoding": "UTF8"}],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{self.port}",
                "connect_address": f"127.0.0.1:{self.port}",
                "data_dir": os.path.join(self.folder, "data"),
                "bin_dir": bin_folder(),
                "pgpass": os.path.join(self.folder, "pgpass"),
                "authentication": {
                    "replication": {"username": "rep", "password": "rep"},
                    "superuser": {"username": "postgres", "password": "pg"},
                },
                "pg_hba": [
                    "host all all 127.0.0.1/32 trust",
                    "host replication rep 127.0.0.1/32 trust",
                    "local all all trust",
                ],
                "parameters": {"unix_socket_directories": self.folder, "shared_buffers": "16MB"},
            },
        }
        self.file = os.path.join(self.folder, "patroni.json")
        with open(self.file, "w") as file:
            json.dump(settings, file)
        if account:
            for path in (self.folder, self.file):
                os.chown(path, account.pw_uid, account.pw_gid)
        self.process = None

    def start(self):
        log = open(os.path.join(self.folder, "log"), "w")
        # PostgreSQL does not run as root. A group of its own, so that all of it can be killed.
        user = {"user": self.account.pw_uid, "group": self.account.pw_gid} if self.account else {}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "patroni", self.file], stdout=log, stderr=log, cwd=self.folder,
            start_new_session=True, **user)

    def role(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.rest}/patroni", timeout=2) as answer:
                return json.load(answer).get("role")
        except OSError as error:
            body = getattr(error, "read", lambda: b"")()
            try:
                return json.loads(body).get("role") if body else None
            except ValueError:
                return None

    def query(self, text):
        done = subprocess.run(
            [os.path.join(bin_folder(), "psql"), "-X", "-t", "-A", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-c", text],
            capture_output=True, text=True, env={**os.environ, "PGPASSWORD": "pg"})
        return done.stdout.strip() if done.returncode == 0 else None

    def kill(self):
        """As a machine that loses power: the daemon and its server."""
        if not self.process:
            return
        pids = [self.process.pid]
        try:
            with open(os.path.join(self.folder, "data", "postmaster.pid")) as file:
                pids.append(int(file.readline()))
        except (OSError, ValueError):
            pass
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.process = None

    def log(self):
        try:
            with open(os.path.join(self.folder, "log")) as file:
                return "".join(file.readlines()[-15:])
        except FileNotFoundError:
            return "not started\n"


def wait_for(what, condition, nodes):
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.3)
    for node in nodes:
        print(f"--- {node.name}\n{node.log()}")
    sys.exit(f"never seen: {what}")


def primary(nodes):
    found = [node for node in nodes if node.process and node.role() in ("primary", "master")]
    return found[0] if len(found) == 1 else None


def main():
    account = pwd.getpwnam("nobody") if os.getuid() == 0 else None
    if account:
        try:
            subprocess.run(
                [sys.executable, "-c", "import patroni"], user=account.pw_uid, group=account.pw_gid,
                cwd="/", capture_output=True, check=True)
        except (PermissionError, subprocess.CalledProcessError):
            print("the user nobody can't read Patroni where it is installed: skipped")
            return
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    nodes = [Node("pg1", folder, account), Node("pg2", folder, account)]
    try:
        nodes[0].start()
        wait_for("a primary", lambda: primary(nodes), nodes)
        nodes[1].start()
        first = wait_for("a table", lambda: primary(nodes) and nodes[0].query(
            "CREATE TABLE IF NOT EXISTS t(n int); INSERT INTO t VALUES (7); SELECT 1") and nodes[0], nodes)
        other = nodes[1]
        wait_for("a replica that has the row", lambda: other.query("SELECT max(n) FROM t") == "7", nodes)
        first.kill()
        wait_for("the replica as primary", lambda: primary(nodes) is other, nodes)
        wait_for("a write there", lambda: other.query("INSERT INTO t VALUES (8); SELECT 1"), nodes)
        first.start()
        wait_for("the former primary as a replica", lambda: first.query("SELECT max(n) FROM t") == "8", nodes)
        print("Patroni has failed over and taken the former primary back")
    finally:
        for node in nodes:
            node.kill()
        shutil.rmtree(folder, ignore_errors=True)


main()
