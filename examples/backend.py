#!/usr/bin/env python3
"""A small backend to try things with: answers every request with what it received.

usage: backend.py PORT [NAME]
"""
import http.server
import socketserver
import sys

NAME = sys.argv[2] if len(sys.argv) > 2 else f"backend-{sys.argv[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length) if length else b""
        text = f"{NAME} got {self.command} {self.path}\n"
        text += "".join(f"  {name}: {value}\n" for name, value in self.headers.items())
        content = text.encode() + body
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.send_header("content-length", str(len(content)))
        self.send_header("x-backend", NAME)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = answer

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
