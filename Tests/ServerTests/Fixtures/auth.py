"""Users, roles and permissions through the clients of PyPI, unchanged.

usage: auth.py CLIENT HOST PORT, where CLIENT is etcd3 or aetcd
"""
import asyncio
import json
import sys
import threading
import urllib.error
import urllib.request

kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])


def call(path, token=None, **body):
    headers = {"Authorization": token} if token else {}
    request = urllib.request.Request(
        f"http://{host}:{port}/v3{path}", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        return json.load(error)


def code(path, token=None, **body):
    return call(path, token, **body).get("code", 0)


call("/auth/user/add", name="root", password="secret")
call("/auth/user/grant", user="root", role="root")
call("/auth/role/add", name="team")
# [team/, team0) in base64.
call("/auth/role/grant", name="team",
     perm={"permType": "READWRITE", "key": "dGVhbS8=", "range_end": "dGVhbTA="})
# [/locks/, /locks0): where etcd3 keeps its locks.
call("/auth/role/grant", name="team",
     perm={"permType": "READWRITE", "key": "L2xvY2tzLw==", "range_end": "L2xvY2tzMA=="})
call("/auth/user/add", name="ann", password="pw")
call("/auth/user/grant", user="ann", role="team")
call("/auth/enable")

assert code("/kv/range", key="YQ==") == 3, "no token"
assert code("/kv/range", token="wrong", key="YQ==") == 16
assert code("/auth/authenticate", name="ann", password="wrong") == 3
assert code("/auth/authenticate", name="nobody", password="pw") == 3
token = call("/auth/authenticate", name="ann", password="pw")["token"]
assert code("/kv/range", token=token, key="YQ==") == 7
assert code("/kv/put", token=token, key="dGVhbS9h", value="MQ==") == 0
assert code("/auth/disable", token=token) == 7
assert code("/maintenance/alarm", token=token, action="ACTIVATE", alarm="NOSPACE") == 7
for path in ["/maintenance/hashkv", "/maintenance/defragment", "/maintenance/transfer-leadership",
             "/cluster/member/add", "/cluster/member/remove", "/kv/compaction", "/auth/user/list"]:
    assert code(path, token=token) == 7, path
    assert code(path) == 3, path
assert code("/lease/grant", TTL=30) == 3 and code("/lease/grant", token=token, TTL=30) == 0
assert call("/auth/user/get", token=token, name="ann")["roles"] == ["team"]


def with_etcd3():
    import etcd3

    client = etcd3.client(host=host, port=port, timeout=20)
    # Of itself it sends a token over TLS alone.
    client.metadata = (("token", token),)
    client.put("team/k", "v")
    assert client.get("team/k")[0] == b"v"
    assert client.transaction(
        compare=[client.transactions.value("team/k") == "v"],
        success=[client.transactions.put("team/k", "w")], failure=[])[0]
    lease = client.lease(30)
    client.put("team/l", "x", lease)
    lease.refresh()
    with client.lock("lock", ttl=30):
        pass
    from etcd3.etcdrpc import rpc_pb2

    def renew_as_nobody():
        # The stream stays open: it has to end by itself, not with its requests.
        def requests():
            yield rpc_pb2.LeaseKeepAliveRequest(ID=lease.id)
            threading.Event().wait(5)

        next(iter(client.leasestub.LeaseKeepAlive(requests(), timeout=10)))

    try:
        renew_as_nobody()
    except Exception as error:
        assert "user name is empty" in str(error), error
    else:
        raise AssertionError("a stranger has renewed a lease")
    for denied in [lambda: client.put("other", "v"), lambda: client.get("other"),
                   lambda: client.delete_prefix("t")]:
        try:
            denied()
        except Exception as error:
            assert "permission denied" in str(error) or "PERMISSION_DENIED" in repr(error), repr(error)
        else:
            raise AssertionError("that was allowed")


async def with_aetcd():
    import aetcd

    async with aetcd.Client(host=host, port=port, username="ann", password="pw", timeout=20) as client:
        await client.put(b"team/k", b"v")
        assert (await client.get(b"team/k")).value == b"v"
        try:
            await client.put(b"other", b"v")
        except Exception as error:
            assert "permission denied" in str(error).lower(), repr(error)
        else:
            raise AssertionError("that was allowed")


with_etcd3() if kind == "etcd3" else asyncio.run(with_aetcd())
print("auth works")
