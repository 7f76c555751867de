"""Requests: a single one to look at the answer, a load by wrk, and connections that idle."""
import http.client
import json
import os
import socket
import ssl
import subprocess
import time

from .peers import CONFIGS, program
from .process import Failed

AGENT = "bench"
_SCRIPT = os.path.join(CONFIGS, "load", "report.lua")


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


def run_wrk(port, cpu, connections, seconds, routes, halfway, tls=False, closes=False):
    """Loads the port for that many seconds, calls `halfway` shortly before the end, and returns wrk's numbers."""
    close = ["-H", "Connection: close"] if closes else []
    command = [program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", _SCRIPT,
               "-H", f"User-Agent: {AGENT}", *close, f"http{'s' if tls else ''}://127.0.0.1:{port}/", "--", str(routes)]
    load = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
    try:
        try:
            load.wait(seconds * 0.8)
        except subprocess.TimeoutExpired:
            halfway()
        output, _ = load.communicate(timeout=seconds + 15)
    except subprocess.TimeoutExpired as error:
        raise Failed("wrk did not end in time") from error
    finally:
        if load.poll() is None:
            load.kill()
            load.wait()
    for line in output.splitlines():
        if line.startswith("RESULT "):
            result = json.loads(line[7:])
            break
    else:
        raise Failed(f"wrk failed: {output.strip()[-300:]}")
    failures = {kind: result[kind] for kind in ("connect", "read", "write", "timeout", "status") if result[kind]}
    if failures or not result["requests"]:
        said = ", ".join(f"{count} {kind}" for kind, count in failures.items()) or "no request was answered"
        raise Failed(f"requests failed under load: {said}")
    return result


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
