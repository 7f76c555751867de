"""Single requests to look at answers, and connections that idle."""
import http.client
import os
import socket
import ssl
import subprocess
import time

from .loads import AGENT, write_body
from .peers import program
from .process import Failed


def get(port, path="/", tls=False):
    """One request; returns status, header fields by lower-case name, and body."""
    if tls:
        # What matters here is the time that it takes: the certificate was made for this run.
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"User-Agent": AGENT})
        response = connection.getresponse()
        body = response.read()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, body.decode("latin-1")
    finally:
        connection.close()


def curl_http2(port, load, folder):
    """What curl says of one request of a load over HTTP/2 in the clear: version, status, length of the body."""
    command = [program("curl"), "-s", "--max-time", "10", "--http2-prior-knowledge", "-A", AGENT, "-o", os.devnull,
               "-w", "%{http_version} %{http_code} %{size_download}", f"http://127.0.0.1:{port}{load.path}"]
    for name, value in load.headers:
        command += ["-H", f"{name}: {value}"]
    if load.body:
        command += ["--data-binary", f"@{write_body(load, folder)}"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    return tuple(done.stdout.split())


class IdleConnections:
    """Keep-alive connections that have each made one request."""

    _REQUEST = f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: {AGENT}\r\n\r\n".encode()
    # So many requests are under way at a time.
    _BATCH = 64

    def __init__(self, port, body):
        self._port = port
        self._body = body.encode()
        self._open = []

    def grow(self, count):
        """Opens connections until there are `count`."""
        while len(self._open) < count:
            batch = []
            for _ in range(min(self._BATCH, count - len(self._open))):
                connection = socket.create_connection(("127.0.0.1", self._port), timeout=10)
                self._open.append(connection)
                batch.append(connection)
            for connection in batch:
                connection.sendall(self._REQUEST)
            for connection in batch:
                self._read_response(connection)

    def _read_response(self, connection):
        received = b""
        end = time.monotonic() + 10
        while not received.endswith(self._body):
            piece = connection.recv(4096)
            received += piece
            if not piece or len(received) > 4096 or time.monotonic() > end:
                raise Failed(f"wrong answer on a connection that is to idle: {received[:100]!r}")
        if not received.startswith(b"HTTP/1.1 200"):
            raise Failed(f"wrong answer on a connection that is to idle: {received[:100]!r}")

    def still_open(self):
        """How many connections the proxy has not closed."""
        count = 0
        for connection in self._open:
            connection.setblocking(False)
            try:
                count += connection.recv(1) != b""
            except BlockingIOError:
                count += 1
            except OSError:
                pass
        return count

    def close(self):
        for connection in self._open:
            connection.close()
        self._open.clear()
