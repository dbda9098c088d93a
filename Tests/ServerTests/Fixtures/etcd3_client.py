"""The etcd3 client of PyPI, unchanged: keys, transactions, watches, leases, locks, members.

usage: etcd3_client.py HOST PORT
"""
import sys
import threading

import etcd3

client = etcd3.client(host=sys.argv[1], port=int(sys.argv[2]), timeout=20)
client.put("k", "v")
assert client.get("k")[0] == b"v"
assert [value for value, _ in client.get_prefix("k")] == [b"v"]

lease = client.lease(30)
client.put("leased", "x", lease)
assert client.get_lease_info(lease.id).grantedTTL == 30
assert list(client.get_lease_info(lease.id).keys) == [b"leased"]
assert lease.refresh()[0].TTL == 30

done, _ = client.transaction(
    compare=[client.transactions.value("k") == "v"],
    success=[client.transactions.put("k", "w"), client.transactions.get("k")],
    failure=[])
assert done and client.get("k")[0] == b"w"
assert client.replace("k", "w", "u") and not client.replace("k", "w", "t")

events, cancel = client.watch_prefix("w/")
found = []
reader = threading.Thread(target=lambda: found.extend(next(events) for _ in range(3)))
reader.start()
client.put("w/1", "1")
client.put("w/2", "2")
client.delete("w/1")
reader.join(20)
cancel()
names = [(type(event).__name__, event.key) for event in found]
assert names == [("PutEvent", b"w/1"), ("PutEvent", b"w/2"), ("DeleteEvent", b"w/1")], names

lock = client.lock("lock", ttl=30)
assert lock.acquire(timeout=20) and lock.is_acquired()
other = client.lock("lock", ttl=30)
assert not other.acquire(timeout=1)
assert lock.release() and other.acquire(timeout=20) and other.release()

lease.revoke()
assert client.get("leased")[0] is None
assert client.status().version == "3.5.1" and list(client.members)[0].name
client.compact(2)
print("etcd3 works")
