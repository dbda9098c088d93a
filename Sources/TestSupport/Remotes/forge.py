"""A forge that takes whatever is posted, and writes each request as a line of JSON.

usage: forge.py PORT LOG [CERTIFICATE KEY]

What a path says is done: /busy answers 503 the first time, /moved redirects, /no refuses, /echo refuses with all headers,
/denied and /exhausted refuse for a while, /same answers as GitLab does where a commit has the status already.
"""
import http.server
import json
import ssl
import sys
import time

port, log = int(sys.argv[1]), sys.argv[2]
seen = set()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        with open(log, "a") as lines:
            lines.write(json.dumps({"path": self.path, "headers": headers, "body": body}) + "\n")
        status, answer = 201, "{}"
        if "/busy" in self.path and self.path not in seen:
            seen.add(self.path)
            status = 503
        elif "/moved" in self.path:
            status = 302
        elif "/no" in self.path:
            status, answer = 422, "No commit found for SHA"
        elif "/echo" in self.path:
            status, answer = 400, json.dumps(headers)
        elif "/denied" in self.path:
            status = 401
        elif "/exhausted" in self.path:
            status = 403
        elif "/same" in self.path:
            status, answer = 400, '{"message":"Cannot transition status via :run from :running"}'
        self.send_response(status)
        if status == 302:
            self.send_header("Location", f"http://127.0.0.1:{port}/elsewhere")
        if status == 503:
            self.send_header("Retry-After", "0")
        if status == 403:
            self.send_header("x-ratelimit-remaining", "0")
            self.send_header("x-ratelimit-reset", str(int(time.time()) + 90))
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
if len(sys.argv) > 3:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[3], sys.argv[4])
    server.socket = tls.wrap_socket(server.socket, server_side=True)
server.serve_forever()
