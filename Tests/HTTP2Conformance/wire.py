"""Raw HTTP/2 frames (RFC 9113) over a socket, in the clear or inside TLS: also those that no library would send."""

import socket
import ssl
import struct
import time

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 0x1, 0x1, 0x4, 0x8, 0x20
(
    NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR,
    REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM,
) = range(12)  # fmt: skip
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = range(1, 6)

ERRORS = [
    "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
    "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
]  # fmt: skip


class Failed(Exception):
    """The server did something else than the case demands."""


def error_name(code):
    return ERRORS[code] if code < len(ERRORS) else str(code)


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    """A frame; with `length`, its head says so whatever the payload is."""
    n = len(payload) if length is None else length
    return struct.pack(">I", n)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def integer(value, bits, first=0):
    """RFC 7541 5.1."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([first | value])
    out = [first | limit]
    value -= limit
    while value >= 128:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + [value])


def literal(name, value):
    """A field that enters no table, its text as it is (RFC 7541 6.2.2)."""
    name, value = (x.encode() if isinstance(x, str) else x for x in (name, value))
    return b"\x00" + integer(len(name), 7) + name + integer(len(value), 7) + value


def block(fields):
    return b"".join(literal(n, v) for n, v in fields)


def settings(*entries):
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", k, v) for k, v in entries))


class Connection:
    """One connection, with the preface and SETTINGS exchanged unless told otherwise."""

    patience = 20

    def __init__(self, target, begin=True, entries=()):
        self.target = target
        sock = socket.create_connection(("127.0.0.1", target.port), timeout=self.patience)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if target.authority:
            context = ssl.create_default_context(cafile=target.authority)
            context.set_alpn_protocols(["h2"])
            sock = context.wrap_socket(sock, server_hostname="a.test")
            if sock.selected_alpn_protocol() != "h2":
                raise Failed(f"ALPN chose {sock.selected_alpn_protocol()}")
        self.sock = sock
        self.input = b""
        self.decoder = hpack.Decoder()
        self.seen = []
        if begin:
            self.send(PREFACE + settings(*entries))
            self.await_frame(lambda f: f[0] == SETTINGS and f[1] & ACK, "the acknowledgement of SETTINGS")

    def send(self, data):
        # What the server has closed meanwhile shows when its answer is read.
        try:
            self.sock.sendall(data)
        except OSError:
            pass

    def close(self):
        self.sock.close()

    def read(self):
        """The next frame as (type, flags, stream, payload); None at the end of the connection."""
        while True:
            if len(self.input) >= 9:
                n = int.from_bytes(self.input[:3], "big")
                if len(self.input) >= 9 + n:
                    kind, flags = self.input[3], self.input[4]
                    stream = int.from_bytes(self.input[5:9], "big") & 0x7FFFFFFF
                    payload, self.input = self.input[9 : 9 + n], self.input[9 + n :]
                    f = (kind, flags, stream, payload)
                    if kind == SETTINGS and not flags & ACK:
                        self.send(frame(SETTINGS, ACK))
                    self.seen.append(f)
                    return f
            try:
                more = self.sock.recv(65536)
            except TimeoutError:
                raise Failed(f"nothing came for {self.patience} s, after {self.story()}") from None
            except OSError:
                return None
            if not more:
                return None
            self.input += more

    def story(self):
        return ", ".join(describe(f) for f in self.seen[-6:]) or "nothing"

    def await_frame(self, test, what):
        end = time.monotonic() + self.patience
        while time.monotonic() < end:
            f = self.read()
            if f is None:
                raise Failed(f"the connection ended before {what}, after {self.story()}")
            if test(f):
                return f
        raise Failed(f"{what} did not come, but {self.story()}")

    # What a case sends.

    def fields(self, *more, method="GET", path="/echo", drop=()):
        base = [
            (":method", method), (":scheme", "https" if self.target.authority else "http"), (":path", path),
            (":authority", "a.test"),
        ]  # fmt: skip
        return [f for f in base if f[0] not in drop] + list(more)

    def request(self, stream=1, fields=None, flags=END_STREAM | END_HEADERS):
        self.send(frame(HEADERS, flags, stream, block(fields or self.fields())))

    # What the server must do.

    def ends(self, *codes):
        """The connection ends: by GOAWAY with one of the codes, and then closed."""
        said = None
        while (f := self.read()) is not None:
            if f[0] == GOAWAY:
                said = int.from_bytes(f[3][4:8], "big")
        if said is None:
            raise Failed(f"closed without GOAWAY, after {self.story()}")
        if codes and said not in codes:
            raise Failed(f"GOAWAY says {error_name(said)}, not {' or '.join(map(error_name, codes))}")

    def closes(self):
        """The connection is closed, with GOAWAY or without (allowed where the preface is wrong: RFC 9113 3.4)."""
        while self.read() is not None:
            pass

    def breaks(self, stream, *codes):
        """The stream is reset with one of the codes, or the whole connection ends with one."""
        while True:
            f = self.read()
            if f is None:
                raise Failed(f"closed without a word, after {self.story()}")
            if f[0] in (RST_STREAM, GOAWAY) and (f[0] == GOAWAY or f[2] == stream):
                said = int.from_bytes(f[3][:4] if f[0] == RST_STREAM else f[3][4:8], "big")
                if said not in codes:
                    raise Failed(f"{describe(f)} instead of {' or '.join(map(error_name, codes))}")
                return

    def refuses(self, stream=1):
        """A malformed request: PROTOCOL_ERROR for the stream, or the connection, or a 400 (RFC 9113 8.1.1)."""
        while True:
            f = self.read()
            if f is None:
                raise Failed(f"closed without a word, after {self.story()}")
            if f[0] == HEADERS and f[2] == stream:
                status = self.status(f)
                if status != "400":
                    raise Failed(f"answered {status}")
                return
            if f[0] == RST_STREAM and f[2] == stream or f[0] == GOAWAY:
                said = int.from_bytes(f[3][:4] if f[0] == RST_STREAM else f[3][4:8], "big")
                if said != PROTOCOL_ERROR:
                    raise Failed(describe(f))
                return

    def status(self, f):
        return dict(self.decoder.decode(f[3])).get(":status")

    def answers(self, stream=1, status="200"):
        """The request is answered, whole."""
        f = self.await_frame(lambda f: f[2] == stream and f[0] in (HEADERS, RST_STREAM), "an answer")
        if f[0] == RST_STREAM:
            raise Failed(describe(f))
        got = self.status(f)
        if got != status:
            raise Failed(f"answered {got}")
        body = b""
        while not f[1] & END_STREAM:
            f = self.await_frame(lambda f: f[2] == stream and f[0] in (DATA, HEADERS, RST_STREAM), "the rest")
            if f[0] == RST_STREAM:
                raise Failed(describe(f))
            if f[0] == DATA:
                body += f[3]
        return body

    def lives(self, mark=b"12345678"):
        """The connection goes on: a PING is answered with its own bytes, and no GOAWAY came before."""
        self.send(frame(PING, payload=mark))
        f = self.await_frame(lambda f: f[0] == GOAWAY or f[0] == PING and f[1] & ACK, "the answer to a PING")
        if f[0] == GOAWAY:
            raise Failed(describe(f))
        if f[3] != mark:
            raise Failed(f"the PING came back as {f[3]!r}")


def describe(f):
    names = "DATA HEADERS PRIORITY RST_STREAM SETTINGS PUSH_PROMISE PING GOAWAY WINDOW_UPDATE CONTINUATION".split()
    text = f"{names[f[0]] if f[0] < len(names) else f[0]} on {f[2]}"
    if f[0] == RST_STREAM:
        text += " " + error_name(int.from_bytes(f[3][:4], "big"))
    if f[0] == GOAWAY:
        text += " " + error_name(int.from_bytes(f[3][4:8], "big"))
    return text
