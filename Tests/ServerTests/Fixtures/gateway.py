"""Asks a member over HTTP/1.1 what no gRPC client asks: the JSON gateway, health and metrics.

usage: gateway.py HOST:PORT
"""
import base64
import http.client
import json
import re
import socket
import sys
import threading
import time

address = sys.argv[1]


def ask(method, path, body=None, headers={}):
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    return response.status, response.read().decode()


def post(path, **fields):
    status, text = ask("POST", path, json.dumps(fields))
    return status, json.loads(text)


def encoded(text):
    return base64.b64encode(text.encode()).decode()


# Waits for a leader: the check reads through a majority.
while ask("GET", "/readyz")[0] != 200:
    pass
assert ask("GET", "/version")[1] == '{"etcdserver":"3.5.1","etcdcluster":"3.5.0"}'
assert ask("GET", "/health") == (200, '{"health":"true","reason":""}')
assert ask("GET", "/livez") == (200, "ok\n")
assert "[+]linearizable_read ok\n" in ask("GET", "/readyz?verbose")[1]
assert ask("GET", "/readyz/non_learner") == (200, "ok\n")
assert ask("GET", "/nothing")[0] == 404 and ask("POST", "/v3/nothing", "{}")[0] == 404
assert ask("GET", "/v3/kv/range")[0] == 405 and ask("POST", "/version", "")[0] == 405


def metrics():
    """Every sample by its name and labels; each family announces itself once, before its samples."""
    samples, families = {}, {}
    for line in ask("GET", "/metrics")[1].splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in families, f"{name} twice"
            families[name] = kind
        elif not line.startswith("# HELP "):
            name, value = re.fullmatch(r"([a-z_]+(?:\{[^{}]*\})?) (\S+)", line).groups()
            family = re.sub(r"\{.*|_(bucket|sum|count)(\{.*)?$", "", name)
            assert family in families or name.split("{")[0] in families, line
            samples[name] = float(value)
    return samples


before = metrics()
assert before["etcd_server_has_leader"] == 1 and before["etcd_server_leader_changes_seen_total"] == 1
assert before['etcd_server_version{server_version="3.5.1"}'] == 1
assert before["process_resident_memory_bytes"] > 1 << 20 and before["process_open_fds"] > 3
assert 0 <= time.time() - before["process_start_time_seconds"] < 86_400
status, put = post("/v3/kv/put", key=encoded("g1"), value=encoded("one"))
assert status == 200 and set(put) == {"header"}, put
revision = int(put["header"]["revision"])
# Proto names or camel case, numbers as numbers or strings, also under the older prefix.
for body in [
    {"key": encoded("g1"), "revision": revision}, {"key": encoded("g1"), "revision": str(revision)},
    {"key": encoded("g"), "range_end": encoded("h")}, {"key": encoded("g"), "rangeEnd": encoded("h")},
    {"key": encoded("g1"), "unknown": 1},
]:
    status, text = ask("POST", "/v3beta/kv/range", json.dumps(body))
    found = json.loads(text)
    assert status == 200 and found["count"] == "1", text
    assert found["kvs"][0]["value"] == encoded("one") and "lease" not in found["kvs"][0], text

labels = '{grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"}'
ok = '{grpc_code="OK",grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"}'
after = metrics()
for name, more in [
    ("etcd_mvcc_put_total", 1), ("etcd_mvcc_delete_total", 0), ("etcd_debugging_mvcc_current_revision", 1),
    ("grpc_server_started_total" + labels, 1),
]:
    assert after[name] - before[name] == more, (name, before[name], after[name])
assert after["grpc_server_handled_total" + ok] == 1
fsyncs = "etcd_disk_wal_fsync_duration_seconds"
assert after[fsyncs + "_count"] > before[fsyncs + "_count"]
assert after[fsyncs + '_bucket{le="+Inf"}'] == after[fsyncs + "_count"] >= after[fsyncs + '_bucket{le="0.001"}']

status, error = post("/v3/kv/range", key=encoded("g1"), revision=revision + 99)
text = "etcdserver: mvcc: required revision is a future revision"
assert status == 400 and error == {"error": text, "message": text, "code": 11}, error
assert post("/v3/lease/revoke", ID=4711)[0] == 404
status, text = ask("POST", "/v3/kv/put", "{nonsense")
assert status == 400 and json.loads(text)["code"] == 3, text

status, result = post(
    "/v3/kv/txn",
    compare=[{"key": encoded("g1"), "target": "VALUE", "result": "EQUAL", "value": encoded("one")}],
    success=[{"request_put": {"key": encoded("g2"), "value": encoded("two")}}])
assert status == 200 and result["succeeded"] is True, result

assert post("/v3/lease/grant", ID="77", TTL=60)[1]["TTL"] == "60"
status, text = ask("POST", "/v3/lease/keepalive", '{"ID": 77}')
assert json.loads(text)["result"]["TTL"] == "60", text

# Locks and elections wait in line: the second gets its turn when the first has left.
def later(path, **fields):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(post(path, **fields)))
    thread.start()
    return thread, answers


for lease in [1001, 1002]:
    post("/v3/lease/grant", ID=lease, TTL=60)
for wait, leave in [("lock/lock", "lock/unlock"), ("election/campaign", "election/resign")]:
    status, first = post("/v3/" + wait, name=encoded("n"), lease=1001)
    assert status == 200, first
    thread, second = later("/v3/" + wait, name=encoded("n"), lease=1002)
    again = post("/v3/" + wait, name=encoded("n"), lease=1001)[1]
    assert again.get("key") == first.get("key") and again.get("leader") == first.get("leader")
    if "leader" in first:
        assert post("/v3/election/leader", name=encoded("n"))[1]["kv"]["lease"] == "1001"
        assert post("/v3/election/proclaim", leader=first["leader"], value=encoded("x"))[0] == 200
    assert not second
    post("/v3/" + leave, **{key: first[key] for key in first if key != "header"})
    thread.join(20)
    assert second[0][0] == 200, second
    post("/v3/" + leave, **{key: second[0][1][key] for key in second[0][1] if key != "header"})
assert post("/v3/election/leader", name=encoded("n")) == (
    500, {"error": "election: no leader", "message": "election: no leader", "code": 2})
status, error = post("/v3/lock/lock", name=encoded("n"), lease=4711)
assert status == 500 and error["message"] == "etcdserver: requested lease not found", error

# A watch is a line an answer, each at once.
watching = http.client.HTTPConnection(address, timeout=20)
watching.request(
    "POST", "/v3/watch", json.dumps({"create_request": {"key": encoded("g3"), "prev_kv": True}}))
lines = watching.getresponse()
assert json.loads(lines.readline())["result"]["created"] is True
post("/v3/kv/put", key=encoded("g3"), value=encoded("three"))
event = json.loads(lines.readline())["result"]["events"][0]
assert event["kv"]["value"] == encoded("three") and "type" not in event, event
post("/v3/kv/deleterange", key=encoded("g3"))
event = json.loads(lines.readline())["result"]["events"][0]
assert event["type"] == "DELETE" and event["prev_kv"]["value"] == encoded("three"), event
watching.close()

# A connection serves one request after the other, and one that makes no sense is closed.
several = http.client.HTTPConnection(address, timeout=20)
for _ in range(3):
    several.request("GET", "/health")
    assert several.getresponse().read() == b'{"health":"true","reason":""}'
# HEAD has no body, and two requests in one packet are answered in their order.
raw = socket.create_connection(address.split(":"), timeout=20)
raw.sendall(
    b"HEAD /version HTTP/1.1\r\nhost: x\r\n\r\nGET /version HTTP/1.1\r\nhost: x\r\n\r\n"
    b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
answers = b""
while part := raw.recv(65536):
    answers += part
assert answers.count(b"HTTP/1.1 200 OK") == 3 and answers.count(b"etcdserver") == 1, answers
assert answers.endswith(b"ok\n"), answers

# A watch whose client leaves does not go on, nor does a request that waits behind it.
for _ in range(3):
    raw = socket.create_connection(address.split(":"), timeout=20)
    raw.sendall(b"POST /v3/watch HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}" * 2)
    raw.close()
print("every answer is right")
