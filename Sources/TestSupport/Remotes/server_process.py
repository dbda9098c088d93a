"""Runs a server in a process group of its own until it ends, or until standard input does: then the whole group ends.

usage: server_process.py PROGRAM [ARGUMENT...]
"""
import os
import signal
import subprocess
import sys
import threading

# A thread that has started this process may have blocked them.
signal.pthread_sigmask(signal.SIG_SETMASK, [])
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)


def watch():
    while os.read(0, 4096):
        pass
    try:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=3)
    except (OSError, subprocess.TimeoutExpired):
        pass
    try:
        os.killpg(server.pid, signal.SIGKILL)
    except OSError:
        pass


threading.Thread(target=watch, daemon=True).start()
sys.exit(server.wait() & 0xFF)
