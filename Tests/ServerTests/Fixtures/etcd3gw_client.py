"""The etcd3gw client of PyPI, unchanged: it speaks to the JSON gateway.

usage: etcd3gw_client.py HOST PORT
"""
import itertools
import sys
import threading

from etcd3gw.client import Etcd3Client

client = Etcd3Client(host=sys.argv[1], port=int(sys.argv[2]), api_path="/v3/", timeout=20)
assert client.put("key", "value") and client.get("key") == [b"value"]
assert client.create("new", "1") and not client.create("new", "2")
assert client.replace("new", "1", "2")

lease = client.lease(ttl=30)
client.put("leased", "1", lease=lease)
assert lease.keys() == [b"leased"] and lease.refresh() == 30 and lease.ttl() > 0
with client.lock("lock", ttl=30) as lock:
    assert lock.is_acquired()

events, cancel = client.watch("watched")
found = []
reader = threading.Thread(target=lambda: found.extend(itertools.islice(events, 1)))
reader.start()
client.put("watched", "1")
reader.join(20)
cancel()
assert found[0]["kv"]["key"] == b"watched", found

lease.revoke()
assert client.get("leased") == []
assert client.status()["version"] == "3.5.1" and client.members()[0]["name"]
print("etcd3gw works")
