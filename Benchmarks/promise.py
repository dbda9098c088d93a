"""Who answers a put before its log is on the disk.

strace holds up every fdatasync of all members; a server that keeps its promise answers no sooner than that.
etcd before 3.5.5 and 3.4.21 does, where it is the only member (etcd-io/etcd issue 14370).
"""
import os
import shutil
import subprocess
import time

DELAY_SECONDS = 0.3
# The first put finds the log idle; one that comes while an earlier one is synced may wait for that.
ATTEMPTS = 3


def seconds_of_a_put(processes, endpoint):
    """The fastest of some puts while each sync takes `DELAY_SECONDS` longer; None if that can't be tried."""
    if not shutil.which("strace"):
        return None
    tracers = [
        subprocess.Popen(
            ["strace", "-f", "-q", "-o", "/dev/null", "-e", "trace=fdatasync", "-e",
             f"inject=fdatasync:delay_enter={int(DELAY_SECONDS * 1e6)}", "-p", str(process.pid)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for process in processes]
    # Until all threads are held.
    time.sleep(1)
    isHeld = all(tracer.poll() is None for tracer in tracers)
    times = []
    try:
        for _ in range(ATTEMPTS if isHeld else 0):
            begin = time.monotonic()
            subprocess.run(
                ["etcdctl", "--endpoints", endpoint, "put", "/promise", "kept"], check=True,
                stdout=subprocess.DEVNULL, env={**os.environ, "ETCDCTL_API": "3"})
            times.append(time.monotonic() - begin)
            time.sleep(4 * DELAY_SECONDS)
    finally:
        for tracer in tracers:
            tracer.terminate()
        for tracer in tracers:
            tracer.wait()
    return min(times, default=None)
