"""Passes connections on, and cuts, stalls or corrupts what comes back after so many bytes.

usage: fault_proxy.py PORT TARGET-PORT (cut|stall|corrupt):BYTES
"""
import socket
import sys
import threading

port, target = int(sys.argv[1]), int(sys.argv[2])
fault, count = sys.argv[3].split(":")
count = int(count)


def pump(source, sink, is_answer):
    passed = 0
    try:
        while data := source.recv(4096):
            if is_answer and passed + len(data) > count:
                place = max(count - passed, 0)
                if fault == "corrupt":
                    changed = bytearray(data)
                    changed[place] ^= 0x55
                    data = bytes(changed)
                else:
                    sink.sendall(data[:place])
                    if fault == "stall":
                        threading.Event().wait()
                    return
            sink.sendall(data)
            passed += len(data)
    except OSError:
        pass
    finally:
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


listener = socket.create_server(("127.0.0.1", port))
while True:
    client, _ = listener.accept()
    try:
        server = socket.create_connection(("127.0.0.1", target))
    except OSError:
        client.close()
        continue
    for arguments in ((client, server, False), (server, client, True)):
        threading.Thread(target=pump, args=arguments, daemon=True).start()
