#!/usr/bin/env python3
"""A service of the demo: answers with its name and version, and with what the services say that it calls first.

usage: service.py NAME PORT [--version V] [--calls SERVICE ... --outbound PORT]

It calls others by their names through the sidecar beside it, whose outbound listener is on PORT, and knows nothing of
where they are, of TLS or of certificates. x-served-by lists who took part in an answer, as NAME-VERSION.
"""
import argparse
import http.client
import http.server
import json
import socketserver

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("name")
parser.add_argument("port", type=int)
parser.add_argument("--version", default="v1")
parser.add_argument("--calls", nargs="*", default=[])
parser.add_argument("--outbound", type=int, default=15001)
options = parser.parse_args()
OWN = f"{options.name}-{options.version}"


def call(service):
    """What another service answers: its status, what it says, and who served it."""
    connection = http.client.HTTPConnection("127.0.0.1", options.outbound, timeout=20)
    try:
        connection.request("GET", "/", headers={"host": service})
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            return answer.status, text.strip(), []
        return 200, json.loads(text), answer.headers.get("x-served-by", "").split()
    finally:
        connection.close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body, served, status = {"service": options.name, "version": options.version}, [OWN], 200
        for service in options.calls:
            try:
                code, said, others = call(service)
            except (OSError, ValueError, http.client.HTTPException) as error:
                code, said, others = 502, f"{type(error).__name__}: {error}", []
            body[service] = said
            served += others
            if code != 200:
                status = 502
        content = (json.dumps(body, indent=2) + "\n").encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.send_header("x-served-by", " ".join(served))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128


Server(("127.0.0.1", options.port), Handler).serve_forever()
