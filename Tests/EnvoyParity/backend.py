"""The service behind both proxies. It answers by path, and keeps what it received."""
import socket
import threading
import time

from http1 import Reader

_PLAIN = [("x-backend", "yes"), ("x-many", "1"), ("x-many", "2"), ("content-type", "text/plain")]


class Backend:
    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._requests = []
        threading.Thread(target=self._accept, daemon=True).start()

    def count(self):
        with self._lock:
            return len(self._requests)

    def take(self):
        """What came since the last time, in an order that does not depend on which came first."""
        with self._lock:
            taken, self._requests = self._requests, []
        return sorted(taken, key=lambda request: (request.start, request.body))

    def _accept(self):
        while True:
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        reader = Reader(connection)
        try:
            while True:
                request = reader.message()
                with self._lock:
                    self._requests.append(request)
                if not self._answer(connection, request):
                    return
        except (EOFError, OSError, ValueError):
            pass
        finally:
            connection.close()

    def _answer(self, connection, request):
        method, target, _ = request.start.split(" ")
        path = target.split("?")[0]
        if path == "/close":
            return False
        if path == "/slow":
            time.sleep(1.5)
        if path.startswith("/chunks"):
            self._send_chunks(connection, ["one", "two", "three"], [])
        elif path == "/trailers":
            self._send_chunks(connection, ["with", "trailers"], [("x-sum", "5"), ("x-gone", "1")])
        elif path == "/none":
            self._send(connection, method, 200, _PLAIN, "")
        elif path.startswith("/status/"):
            self._send(connection, method, int(path[8:]), _PLAIN, f"status {path[8:]}\n")
        elif path.startswith("/body"):
            self._send(connection, method, 200, _PLAIN, request.body.decode("latin-1"))
        else:
            self._send(connection, method, 200, _PLAIN, f"backend {path}\n")
        return True

    @staticmethod
    def _head(status, fields):
        return f"HTTP/1.1 {status} Fine\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields)

    def _send(self, connection, method, status, fields, body):
        body = "" if status in (204, 304) else body
        length = [] if status in (204, 304) else [("content-length", len(body))]
        head = self._head(status, fields + length) + "\r\n"
        connection.sendall((head + ("" if method == "HEAD" else body)).encode("latin-1"))

    def _send_chunks(self, connection, chunks, trailers):
        fields = _PLAIN + [("transfer-encoding", "chunked")]
        connection.sendall((self._head(200, fields) + "\r\n").encode())
        for chunk in chunks:
            time.sleep(0.02)
            connection.sendall(f"{len(chunk):x}\r\n{chunk}\r\n".encode())
        end = "0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in trailers) + "\r\n"
        connection.sendall(end.encode())
