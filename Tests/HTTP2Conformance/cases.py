"""The cases, by the section of RFC 9113 (http2), of RFC 7541 (hpack), or by what they take for granted (generic)."""

import struct

from wire import *

CASES = []
BOTH = END_STREAM | END_HEADERS


def case(section, text, **options):
    """Registers a case. With `begin=False` it says the preface itself; `entries` go into its first SETTINGS. `known` says
    why it is not met."""

    def register(run):
        CASES.append((section, text, options, run))
        return run

    return register


def table(section, text, rows, **options):
    """Registers one case per row: a name, and the arguments, of which a name that stands alone is the only one."""

    def register(run):
        for name, *arguments in rows:
            bound = lambda c, run=run, arguments=arguments or [name]: run(c, *arguments)
            CASES.append((section, text.format(name), options, bound))
        return run

    return register


def u32(n):
    return struct.pack(">I", n)


# generic: what every client does


@case("generic/1", "the server's preface is a SETTINGS frame", begin=False)
def _(c):
    c.send(PREFACE + settings())
    f = c.read()
    if f is None or f[0] != SETTINGS or f[1] & ACK:
        raise Failed(c.story())
    c.lives()


@case("generic/2", "a closed stream takes PRIORITY")
def _(c):
    c.request()
    c.answers()
    c.send(frame(PRIORITY, 0, 1, u32(0) + b"\x10"))
    c.lives()


@case("generic/2", "an idle stream takes PRIORITY")
def _(c):
    c.send(frame(PRIORITY, 0, 1, u32(0) + b"\x10"))
    c.request()
    c.answers()


@case("generic/2", "a half-closed stream takes WINDOW_UPDATE", entries=[(INITIAL_WINDOW_SIZE, 1)])
def _(c):
    c.request()
    c.send(frame(WINDOW_UPDATE, 0, 1, u32(10_000)))
    c.answers()


@case("generic/2", "a closed stream takes RST_STREAM and WINDOW_UPDATE for a while")
def _(c):
    c.request()
    c.answers()
    c.send(frame(WINDOW_UPDATE, 0, 1, u32(1)) + frame(RST_STREAM, 0, 1, u32(CANCEL)))
    c.lives()


@table("generic/3.1", "DATA: {}", [("one frame", [4], 0), ("several frames", [3, 5, 2], 0), ("padding", [6], 5)])
def _(c, pieces, pad):
    c.request(fields=c.fields(method="POST"), flags=END_HEADERS)
    for i, n in enumerate(pieces):
        flags = (END_STREAM if i == len(pieces) - 1 else 0) | (PADDED if pad else 0)
        c.send(frame(DATA, flags, 1, (bytes([pad]) if pad else b"") + b"x" * n + bytes(pad)))
    c.answers()


@case("generic/3.2", "HEADERS: a request")
def _(c):
    c.request()
    c.answers()


@case("generic/3.2", "HEADERS: padding")
def _(c):
    c.send(frame(HEADERS, BOTH | PADDED, 1, b"\x08" + block(c.fields()) + bytes(8)))
    c.answers()


@case("generic/3.2", "HEADERS: priority")
def _(c):
    c.send(frame(HEADERS, BOTH | PRIORITIZED, 1, u32(0) + b"\x0f" + block(c.fields())))
    c.answers()


@table("generic/3.3", "PRIORITY: {}", [("weight 1", 0, 0), ("weight 256", 0, 255), ("exclusive", 1 << 31, 15), ("on a stream that does not exist", 99, 15)])  # fmt: skip
def _(c, parent, weight):
    c.send(frame(PRIORITY, 0, 3, u32(parent) + bytes([weight])))
    c.lives()


@case("generic/3.4", "RST_STREAM: the stream is given up, the connection stays")
def _(c):
    c.request(fields=c.fields(method="POST"), flags=END_HEADERS)
    c.send(frame(RST_STREAM, 0, 1, u32(CANCEL)))
    c.request(3)
    c.answers(3)


@case("generic/3.5", "SETTINGS: acknowledged")
def _(c):
    c.send(settings((MAX_CONCURRENT_STREAMS, 10)))
    c.await_frame(lambda f: f[0] == SETTINGS and f[1] & ACK, "an acknowledgement")


@case("generic/3.7", "PING: answered")
def _(c):
    c.lives(b"weftweft")


@case("generic/3.8", "GOAWAY: what is under way is answered")
def _(c):
    c.request()
    c.send(frame(GOAWAY, 0, 0, u32(0) + u32(NO_ERROR)))
    c.answers()


@table("generic/3.9", "WINDOW_UPDATE: {}", [("of the connection", 0), ("of a stream", 1)])
def _(c, stream):
    c.request(fields=c.fields(method="POST"), flags=END_HEADERS)
    c.send(frame(WINDOW_UPDATE, 0, stream, u32(1)))
    c.send(frame(DATA, END_STREAM, 1, b"x"))
    c.answers()


@table("generic/3.10", "CONTINUATION: {}", [("one", 1), ("several", 4)])
def _(c, count):
    b = block(c.fields())
    c.send(frame(HEADERS, END_STREAM, 1, b[:10]))
    for i in range(count - 1):
        c.send(frame(CONTINUATION, 0, 1, b[10 + i : 11 + i]))
    c.send(frame(CONTINUATION, END_HEADERS, 1, b[10 + count - 1 :]))
    c.answers()


@table("generic/4", "a {} request", [("GET",), ("HEAD",), ("POST",), ("OPTIONS",)])
def _(c, method):
    c.request(fields=c.fields(method=method))
    c.answers()


@case("generic/4", "a request with trailers")
def _(c):
    c.request(fields=c.fields(("trailer", "x-sum"), method="POST"), flags=END_HEADERS)
    c.send(frame(DATA, 0, 1, b"x"))
    c.send(frame(HEADERS, BOTH, 1, block([("x-sum", "1")])))
    c.answers()


# A representation of each kind, of one custom field (RFC 7541 6): the name new or from the static table.
USER_AGENT = 58
KINDS = [
    ("indexed, static", b"\x90"),
    ("literal with indexing, name indexed", bytes([0x40 | USER_AGENT]) + b"\x01w"),
    ("literal with indexing, name new", b"\x40\x01a\x01b"),
    ("literal without indexing, name indexed", integer(USER_AGENT, 4, 0x00) + b"\x01w"),
    ("literal without indexing, name new", b"\x00\x01a\x01b"),
    ("literal never indexed, name indexed", integer(USER_AGENT, 4, 0x10) + b"\x01w"),
    ("literal never indexed, name new", b"\x10\x01a\x01b"),
    ("Huffman text", b"\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf"),
    ("indexed, dynamic", b"\x40\x01a\x01b\xbe"),
]


@table("generic/5", "HPACK: {}", KINDS)
def _(c, representation):
    c.send(frame(HEADERS, BOTH, 1, block(c.fields()) + representation))
    c.answers()


@table("generic/5", "HPACK: a table size update at the beginning, {}", [("to 0", b"\x20"), ("to 4096", b"\x3f\xe1\x1f"), ("twice", b"\x20\x3f\xe1\x1f")])  # fmt: skip
def _(c, update):
    c.send(frame(HEADERS, BOTH, 1, update + block(c.fields())))
    c.answers()


@case("generic/5", "HPACK: the table is kept from one request to the next")
def _(c):
    c.send(frame(HEADERS, BOTH, 1, block(c.fields()) + b"\x40\x01a\x01b"))
    c.answers()
    c.send(frame(HEADERS, BOTH, 3, block(c.fields()) + b"\xbe"))
    c.answers(3)


# RFC 9113 3


@case("http2/3.4", "a preface that is wrong", begin=False)
def _(c):
    c.send(PREFACE[:-4] + b"XX\r\n\r\n" + settings())
    c.closes()


@case("http2/3.4", "no SETTINGS after the preface", begin=False)
def _(c):
    c.send(PREFACE + frame(PING, payload=bytes(8)))
    c.ends(PROTOCOL_ERROR)


# 4: frames


@case("http2/4.1", "a frame of a type that is unknown is passed over")
def _(c):
    c.send(frame(0xB0, 0xFF, 0, b"whatever"))
    c.lives()


@case("http2/4.1", "flags that mean nothing are passed over")
def _(c):
    c.send(frame(PING, 0xFE, 0, b"12345678"))
    f = c.await_frame(lambda f: f[0] in (PING, GOAWAY), "the answer")
    if f[0] != PING or f[3] != b"12345678":
        raise Failed(describe(f))


@case("http2/4.1", "the reserved bit is passed over")
def _(c):
    c.send(frame(PING, 0, 1 << 31, b"12345678"))
    c.await_frame(lambda f: f[0] == PING and f[1] & ACK, "the answer")


@case("http2/4.2", "DATA of 2^14 bytes is taken")
def _(c):
    c.request(fields=c.fields(method="POST"), flags=END_HEADERS)
    c.send(frame(DATA, END_STREAM, 1, bytes(1 << 14)))
    c.answers()


@table("http2/4.2", "{} beyond SETTINGS_MAX_FRAME_SIZE", [("DATA",), ("HEADERS",)])
def _(c, kind):
    if kind == "DATA":
        c.request(fields=c.fields(method="POST"), flags=END_HEADERS)
        c.send(frame(DATA, END_STREAM, 1, bytes((1 << 14) + 1)))
        c.breaks(1, FRAME_SIZE_ERROR)
    else:
        c.send(frame(HEADERS, BOTH, 1, bytes((1 << 14) + 1)))
        c.ends(FRAME_SIZE_ERROR)


@case("http2/4.3", "a field block that cannot be read")
def _(c):
    c.send(frame(HEADERS, BOTH, 1, b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff"))
    c.ends(COMPRESSION_ERROR)


@case("http2/4.3", "a PRIORITY frame within a field block")
def _(c):
    c.request(flags=END_STREAM)
    c.send(frame(PRIORITY, 0, 1, u32(0) + b"\x10") + frame(CONTINUATION, END_HEADERS, 1, literal("a", "b")))
    c.ends(PROTOCOL_ERROR)


@case("http2/4.3", "HEADERS of another stream within a field block")
def _(c):
    c.request(flags=END_STREAM)
    c.send(frame(HEADERS, BOTH, 3, block(c.fields())))
    c.ends(PROTOCOL_ERROR)


# 5: streams


@table("http2/5.1", "idle: {}", [("DATA", DATA, b"x"), ("RST_STREAM", RST_STREAM, u32(CANCEL)), ("WINDOW_UPDATE", WINDOW_UPDATE, u32(100)), ("CONTINUATION", CONTINUATION, b"")])  # fmt: skip
def _(c, kind, payload):
    c.send(frame(kind, END_HEADERS if kind == CONTINUATION else 0, 1, payload))
    c.ends(PROTOCOL_ERROR)


@table("http2/5.1", "half-closed (remote): {}", [("DATA", DATA), ("HEADERS", HEADERS), ("CONTINUATION", CONTINUATION)])
def _(c, kind):
    # The answer waits, so that the stream stays half-closed.
    c.request(fields=c.fields(path="/hang"))
    payload = b"x" if kind == DATA else block([("a", "b")])
    c.send(frame(kind, BOTH if kind == HEADERS else END_HEADERS if kind == CONTINUATION else END_STREAM, 1, payload))
    c.breaks(1, STREAM_CLOSED, PROTOCOL_ERROR) if kind == CONTINUATION else c.breaks(1, STREAM_CLOSED)


def passed_over(c, stream, *codes):
    """What comes on a closed stream may be passed over or be an error of one of the codes (RFC 9113 5.1, "closed"). It must
    not be answered."""
    heads = sum(f[0] == HEADERS for f in c.seen)
    try:
        c.lives()
    except Failed:
        last = c.seen[-1] if c.seen else None
        if not last or last[0] not in (GOAWAY, RST_STREAM):
            raise
        said = int.from_bytes(last[3][4:8] if last[0] == GOAWAY else last[3][:4], "big")
        if said not in codes:
            raise
    if sum(f[0] == HEADERS for f in c.seen) != heads:
        raise Failed(f"answered, after {c.story()}")


@table("http2/5.1", "closed by RST_STREAM: {}", [("DATA", DATA), ("HEADERS", HEADERS)])
def _(c, kind):
    c.request(fields=c.fields(method="POST", path="/hang"), flags=END_HEADERS)
    c.send(frame(RST_STREAM, 0, 1, u32(CANCEL)))
    c.send(frame(kind, BOTH if kind == HEADERS else END_STREAM, 1, b"x" if kind == DATA else block([("a", "b")])))
    passed_over(c, 1, STREAM_CLOSED)


@table("http2/5.1", "closed on both sides: {}", [("DATA", DATA), ("HEADERS", HEADERS)])
def _(c, kind):
    c.request()
    c.answers()
    c.send(frame(kind, BOTH if kind == HEADERS else END_STREAM, 1, b"x" if kind == DATA else block(c.fields())))
    passed_over(c, 1, STREAM_CLOSED)


@table("http2/5.1", "closed: CONTINUATION on a stream that {}", [("was reset", True), ("came to its end", False)])
def _(c, is_reset):
    c.request(fields=c.fields(path="/hang" if is_reset else "/echo"))
    if is_reset:
        c.send(frame(RST_STREAM, 0, 1, u32(CANCEL)))
    else:
        c.answers()
    c.send(frame(CONTINUATION, END_HEADERS, 1, block([("a", "b")])))
    c.ends(STREAM_CLOSED, PROTOCOL_ERROR)


@case("http2/5.1.1", "a stream of an even number")
def _(c):
    c.request(2)
    c.ends(PROTOCOL_ERROR)


# RFC 9113 5.1.1 demands an error. libnghttp2 passes over it on purpose, for it cannot tell such a stream from one that has
# been reset and whose trailers were on their way.
@case("http2/5.1.1", "a stream of a number lower than the last", known="passed over by libnghttp2")
def _(c):
    c.request(5)
    c.answers(5)
    c.request(3)
    c.ends(PROTOCOL_ERROR, STREAM_CLOSED)


@case("http2/5.1.2", "more streams at once than SETTINGS_MAX_CONCURRENT_STREAMS")
def _(c):
    for i in range(101):
        c.request(2 * i + 1, c.fields(path="/hang"))
    c.breaks(201, PROTOCOL_ERROR, REFUSED_STREAM)


@table("http2/5.3.1", "a stream that depends on itself: {}", [("HEADERS", HEADERS), ("PRIORITY", PRIORITY)])
def _(c, kind):
    # RFC 9113 has done away with priorities: to pass over it is as right as the error of RFC 7540.
    if kind == HEADERS:
        c.send(frame(HEADERS, BOTH | PRIORITIZED, 1, u32(1) + b"\xff" + block(c.fields())))
    else:
        c.send(frame(PRIORITY, 0, 3, u32(3) + b"\xff"))
    try:
        c.lives()
    except Failed:
        if not any(f[0] == GOAWAY and f[3][4:8] == u32(PROTOCOL_ERROR) for f in c.seen):
            raise


@case("http2/5.4.1", "an error of the connection says GOAWAY, with the last stream, and closes")
def _(c):
    c.request()
    c.answers()
    c.send(frame(PING, 0, 3, bytes(8)))
    c.ends(PROTOCOL_ERROR)
    last = [int.from_bytes(f[3][:4], "big") for f in c.seen if f[0] == GOAWAY]
    if last[-1] != 1:
        raise Failed(f"the last stream is {last}")


@case("http2/5.4.2", "an error of a stream leaves the others alone")
def _(c):
    c.request(1, c.fields(("x test", "ok")))
    c.await_frame(lambda f: f[0] == RST_STREAM and f[2] == 1, "RST_STREAM")
    c.request(3)
    c.answers(3)
    c.lives()


@case("http2/5.5", "an extension frame between HEADERS and DATA is passed over")
def _(c):
    c.request(fields=c.fields(method="POST"), flags=END_HEADERS)
    c.send(frame(0xB1, 0, 1, b"x") + frame(DATA, END_STREAM, 1, b"x"))
    c.answers()


@case("http2/5.5", "an extension frame within a field block")
def _(c):
    c.request(flags=END_STREAM)
    c.send(frame(0xB1, 0, 1, b"x") + frame(CONTINUATION, END_HEADERS, 1, literal("a", "b")))
    c.ends(PROTOCOL_ERROR)


# 6: what each frame must be


@table("http2/6", "{} on stream 0", [("DATA", DATA, b"x"), ("HEADERS", HEADERS, b"\x82"), ("PRIORITY", PRIORITY, u32(1) + b"\x10"), ("RST_STREAM", RST_STREAM, u32(8)), ("CONTINUATION", CONTINUATION, b"\x82")])  # fmt: skip
def _(c, kind, payload):
    c.send(frame(kind, END_HEADERS if kind in (HEADERS, CONTINUATION) else 0, 0, payload))
    c.ends(PROTOCOL_ERROR)


@table("http2/6", "{} on a stream", [("SETTINGS", SETTINGS, b""), ("PING", PING, bytes(8)), ("GOAWAY", GOAWAY, bytes(8))])
def _(c, kind, payload):
    c.request(fields=c.fields(path="/hang"))
    c.send(frame(kind, 0, 1, payload))
    c.ends(PROTOCOL_ERROR)


@case("http2/6.1", "DATA whose padding is as long as the frame")
def _(c):
    c.request(fields=c.fields(method="POST"), flags=END_HEADERS)
    c.send(frame(DATA, END_STREAM | PADDED, 1, b"\x06abcde"))
    c.ends(PROTOCOL_ERROR)


@case("http2/6.1", "DATA on a stream that has ended")
def _(c):
    c.request(fields=c.fields(path="/hang"))
    c.send(frame(DATA, END_STREAM, 1, b"x"))
    c.breaks(1, STREAM_CLOSED)


@case("http2/6.2", "HEADERS that CONTINUATION of another stream follows")
def _(c):
    c.request(flags=END_STREAM)
    c.send(frame(CONTINUATION, END_HEADERS, 3, literal("a", "b")))
    c.ends(PROTOCOL_ERROR)


@case("http2/6.2", "HEADERS that DATA follows before their end")
def _(c):
    c.request(flags=0, fields=c.fields(method="POST"))
    c.send(frame(DATA, END_STREAM, 1, b"x"))
    c.ends(PROTOCOL_ERROR)


@case("http2/6.2", "HEADERS whose padding is longer than the frame")
def _(c):
    c.send(frame(HEADERS, BOTH | PADDED, 1, b"\xff" + block(c.fields())[:20]))
    c.ends(PROTOCOL_ERROR)


@table("http2/6.3", "PRIORITY of {} bytes", [("4", 4), ("6", 6)])
def _(c, n):
    c.send(frame(PRIORITY, 0, 1, bytes(n)))
    c.breaks(1, FRAME_SIZE_ERROR)


@table("http2/6.4", "RST_STREAM of {} bytes", [("3", 3), ("5", 5)])
def _(c, n):
    c.request(fields=c.fields(method="POST"), flags=END_HEADERS)
    c.send(frame(RST_STREAM, 0, 1, bytes(n)))
    c.ends(FRAME_SIZE_ERROR)


@case("http2/6.5", "an acknowledgement of SETTINGS that carries bytes")
def _(c):
    c.send(frame(SETTINGS, ACK, 0, bytes(6)))
    c.ends(FRAME_SIZE_ERROR)


@case("http2/6.5", "SETTINGS of a length that is no multiple of 6")
def _(c):
    c.send(frame(SETTINGS, 0, 0, bytes(5)))
    c.ends(FRAME_SIZE_ERROR)


@table("http2/6.5.2", "SETTINGS: {}", [
    ("ENABLE_PUSH of 2", ENABLE_PUSH, 2, PROTOCOL_ERROR),
    ("INITIAL_WINDOW_SIZE of 2^31", INITIAL_WINDOW_SIZE, 1 << 31, FLOW_CONTROL_ERROR),
    ("MAX_FRAME_SIZE below 2^14", MAX_FRAME_SIZE, (1 << 14) - 1, PROTOCOL_ERROR),
    ("MAX_FRAME_SIZE of 2^24", MAX_FRAME_SIZE, 1 << 24, PROTOCOL_ERROR),
])  # fmt: skip
def _(c, key, value, error):
    c.send(settings((key, value)))
    c.ends(error)


@case("http2/6.5.2", "SETTINGS: a setting that is unknown is passed over")
def _(c):
    c.send(settings((0xF0F0, 1)))
    c.await_frame(lambda f: f[0] == SETTINGS and f[1] & ACK, "an acknowledgement")
    c.lives()


@case("http2/6.5.3", "SETTINGS take effect in their order", entries=[(INITIAL_WINDOW_SIZE, 100)])
def _(c):
    c.send(settings((INITIAL_WINDOW_SIZE, 50), (INITIAL_WINDOW_SIZE, 1)))
    c.await_frame(lambda f: f[0] == SETTINGS and f[1] & ACK, "an acknowledgement")
    c.request()
    f = c.await_frame(lambda f: f[0] == DATA, "DATA")
    if len(f[3]) != 1:
        raise Failed(f"{len(f[3])} bytes came")


@case("http2/6.6", "PUSH_PROMISE from a client")
def _(c):
    c.request(fields=c.fields(path="/hang"))
    c.send(frame(PUSH_PROMISE, END_HEADERS, 1, u32(2) + block(c.fields())))
    c.ends(PROTOCOL_ERROR)


@case("http2/6.7", "an acknowledgement of a PING that was never sent is passed over")
def _(c):
    c.send(frame(PING, ACK, 0, b"unasked!"))
    c.lives(b"asked-12")


@table("http2/6.7", "PING of {} bytes", [("6", 6), ("9", 9)])
def _(c, n):
    c.send(frame(PING, 0, 0, bytes(n)))
    c.ends(FRAME_SIZE_ERROR)


@table("http2/6.9", "WINDOW_UPDATE of 0 {}", [("on the connection", 0), ("on a stream", 1)])
def _(c, stream):
    c.request(fields=c.fields(method="POST"), flags=END_HEADERS)
    c.send(frame(WINDOW_UPDATE, 0, stream, u32(0)))
    c.ends(PROTOCOL_ERROR) if stream == 0 else c.breaks(1, PROTOCOL_ERROR)


@table("http2/6.9", "WINDOW_UPDATE of {} bytes", [("3", 3), ("5", 5)])
def _(c, n):
    c.send(frame(WINDOW_UPDATE, 0, 0, bytes(n)))
    c.ends(FRAME_SIZE_ERROR)


@case("http2/6.9.1", "no more is sent than the window of a stream takes", entries=[(INITIAL_WINDOW_SIZE, 1)])
def _(c):
    c.request()
    f = c.await_frame(lambda f: f[0] == DATA, "DATA")
    if len(f[3]) != 1:
        raise Failed(f"{len(f[3])} bytes came")


@table("http2/6.9.1", "windows that grow beyond 2^31-1: {}", [("of the connection", 0), ("of a stream", 1)])
def _(c, stream):
    c.request(fields=c.fields(method="POST"), flags=END_HEADERS)
    c.send(frame(WINDOW_UPDATE, 0, stream, u32((1 << 31) - 1)) * 2)
    c.ends(FLOW_CONTROL_ERROR) if stream == 0 else c.breaks(1, FLOW_CONTROL_ERROR)


@case("http2/6.9.2", "INITIAL_WINDOW_SIZE that changes lets streams go on", entries=[(INITIAL_WINDOW_SIZE, 0)])
def _(c):
    c.request()
    c.lives()
    if any(f[0] == DATA and f[3] for f in c.seen):
        raise Failed("DATA without a window")
    c.send(settings((INITIAL_WINDOW_SIZE, 1)))
    f = c.await_frame(lambda f: f[0] == DATA, "DATA")
    if len(f[3]) != 1:
        raise Failed(f"{len(f[3])} bytes came")


@case("http2/6.9.2", "a window that is below zero", entries=[(INITIAL_WINDOW_SIZE, 3)])
def _(c):
    c.request()
    c.await_frame(lambda f: f[0] == DATA and len(f[3]) == 3, "3 bytes")
    c.send(settings((INITIAL_WINDOW_SIZE, 2)))
    c.await_frame(lambda f: f[0] == SETTINGS and f[1] & ACK, "an acknowledgement")
    c.send(frame(WINDOW_UPDATE, 0, 1, u32(2)))
    f = c.await_frame(lambda f: f[0] == DATA, "DATA")
    if len(f[3]) != 1:
        raise Failed(f"{len(f[3])} bytes came")


@case("http2/6.9.2", "INITIAL_WINDOW_SIZE that lets the window of a stream overflow")
def _(c):
    c.request(fields=c.fields(method="POST"), flags=END_HEADERS)
    c.send(frame(WINDOW_UPDATE, 0, 1, u32((1 << 31) - 1 - 65_535)))
    c.send(settings((INITIAL_WINDOW_SIZE, (1 << 31) - 1)))
    c.breaks(1, FLOW_CONTROL_ERROR)


@case("http2/6.10", "CONTINUATION frames, several")
def _(c):
    c.request(flags=END_STREAM)
    c.send(frame(CONTINUATION, 0, 1, literal("a", "b")) + frame(CONTINUATION, END_HEADERS, 1, literal("c", "d")))
    c.answers()


@case("http2/6.10", "CONTINUATION and then a frame of another type")
def _(c):
    c.request(flags=END_STREAM)
    c.send(frame(CONTINUATION, 0, 1, literal("a", "b")) + frame(DATA, END_STREAM, 1, b"x"))
    c.ends(PROTOCOL_ERROR)


@table("http2/6.10", "CONTINUATION after {}", [("HEADERS that had ended", END_HEADERS, 0), ("CONTINUATION that had ended", 0, 1), ("DATA", END_HEADERS, 2)])  # fmt: skip
def _(c, flags, then):
    c.request(fields=c.fields(method="POST", path="/hang"), flags=flags)
    if then == 1:
        c.send(frame(CONTINUATION, END_HEADERS, 1, literal("a", "b")))
    if then == 2:
        c.send(frame(DATA, 0, 1, b"x"))
    c.send(frame(CONTINUATION, END_HEADERS, 1, literal("a", "b")))
    c.ends(PROTOCOL_ERROR)


# 7: codes


@case("http2/7", "GOAWAY with a code that is unknown")
def _(c):
    c.send(frame(GOAWAY, 0, 0, u32(0) + u32(0xFF)))
    c.request()
    # Whoever says GOAWAY asks for no more: an answer, or a connection that is closed, but no error.
    while (f := c.read()) is not None:
        if f[0] == GOAWAY and f[3][4:8] != u32(NO_ERROR):
            raise Failed(describe(f))
        if f[0] in (HEADERS, DATA) and f[1] & END_STREAM:
            return


@case("http2/7", "RST_STREAM with a code that is unknown")
def _(c):
    c.request(fields=c.fields(method="POST"), flags=END_HEADERS)
    c.send(frame(RST_STREAM, 0, 1, u32(0xFF)))
    c.lives()


# 8: messages


@case("http2/8.1", "a second HEADERS frame that does not end the stream")
def _(c):
    c.request(fields=c.fields(method="POST"), flags=END_HEADERS)
    c.send(frame(DATA, 0, 1, b"x"))
    c.send(frame(HEADERS, END_HEADERS, 1, block([("a", "b")])))
    c.refuses()


@table("http2/8.2", "a field with {}", [
    ("an upper-case name", "X-Test", "ok"), ("a space in its name", "x test", "ok"), ("an empty name", "", "ok"),
    ("a colon in its name", "x:test", "ok"), ("NUL in its value", "x-test", "a\0b"),
    ("CR in its value", "x-test", "a\rb"), ("LF in its value", "x-test", "a\nb"),
])  # fmt: skip
def _(c, name, value):
    c.request(fields=c.fields((name, value)))
    c.refuses()


@table("http2/8.2.2", "{}", [
    ("Connection", "connection", "keep-alive"), ("Keep-Alive", "keep-alive", "timeout=5"),
    ("Proxy-Connection", "proxy-connection", "close"), ("Transfer-Encoding", "transfer-encoding", "chunked"),
    ("Upgrade", "upgrade", "h2c"), ("TE of something else than trailers", "te", "trailers, deflate"),
])  # fmt: skip
def _(c, name, value):
    c.request(fields=c.fields((name, value)))
    c.refuses()


@case("http2/8.2.2", "TE: trailers is fine")
def _(c):
    c.request(fields=c.fields(("te", "trailers")))
    c.answers()


@case("http2/8.2.3", "the pieces of a cookie are one field")
def _(c):
    c.request(fields=c.fields(("cookie", "a=1"), ("cookie", "b=2")))
    if b"cookie: a=1; b=2" not in c.answers().lower():
        raise Failed("they are not")


@table("http2/8.3", "{}", [
    ("an unknown pseudo-header field", [(":test", "ok")]), ("the pseudo-header field of responses", [(":status", "200")]),
    ("two methods", [(":method", "GET")]), ("two schemes", [(":scheme", "http")]), ("two paths", [(":path", "/")]),
    ("two authorities", [(":authority", "b.test")]), ("a pseudo-header field behind others", [("x", "y"), (":path", "/")]),
])  # fmt: skip
def _(c, more):
    c.request(fields=c.fields(*more))
    c.refuses()


@case("http2/8.3", "a pseudo-header field behind an ordinary one")
def _(c):
    c.request(fields=[("x-test", "ok")] + c.fields())
    c.refuses()


@case("http2/8.3", "a pseudo-header field in trailers")
def _(c):
    c.request(fields=c.fields(method="POST"), flags=END_HEADERS)
    c.send(frame(HEADERS, BOTH, 1, block([(":method", "GET")])))
    c.refuses()


@table("http2/8.3.1", "without {}", [(":method",), (":scheme",), (":path",)])
def _(c, name):
    c.request(fields=c.fields(drop=[name]))
    c.refuses()


@case("http2/8.3.1", "an empty :path")
def _(c):
    c.request(fields=c.fields(path=""))
    c.refuses()


@table("http2/8.1.1", "a Content-Length that differs from DATA: {}", [("one frame", [b"x"]), ("several frames", [b"xy", b"z"]), ("none", [])])  # fmt: skip
def _(c, pieces):
    c.request(fields=c.fields(("content-length", "4"), method="POST"), flags=END_HEADERS if pieces else BOTH)
    for i, p in enumerate(pieces):
        c.send(frame(DATA, END_STREAM if i == len(pieces) - 1 else 0, 1, p))
    c.refuses()


@case("http2/8.1.1", "a Content-Length that DATA exceeds")
def _(c):
    c.request(fields=c.fields(("content-length", "1"), method="POST"), flags=END_HEADERS)
    c.send(frame(DATA, 0, 1, b"xyz"))
    c.refuses()


@table("http2/8.4", "ENABLE_PUSH of {} is fine, and nothing is pushed", [("0", 0), ("1", 1)])
def _(c, value):
    c.send(settings((ENABLE_PUSH, value)))
    c.request()
    c.answers()
    if any(f[0] == PUSH_PROMISE for f in c.seen):
        raise Failed("pushed")


# RFC 7541


@table("hpack/2.3.3", "an index beyond both tables: {}", [("of a field", integer(70, 7, 0x80)), ("of a name", integer(70, 6, 0x40) + b"\x01x")])  # fmt: skip
def _(c, representation):
    c.send(frame(HEADERS, BOTH, 1, block(c.fields()) + representation))
    c.ends(COMPRESSION_ERROR)


@case("hpack/4.2", "a table size update at the end of a block")
def _(c):
    c.send(frame(HEADERS, BOTH, 1, block(c.fields()) + b"\x20"))
    c.ends(COMPRESSION_ERROR)


@table("hpack/5.2", "Huffman text: {}", [("8 bits of padding", b"\x00\x01x\x82\x1f\xff"), ("padding of zeros", b"\x00\x01x\x81\x18"), ("EOS", b"\x00\x01x\x84\xff\xff\xff\xff")])  # fmt: skip
def _(c, representation):
    c.send(frame(HEADERS, BOTH, 1, block(c.fields()) + representation))
    c.ends(COMPRESSION_ERROR)


@table("hpack/5.1", "an integer that {}", [("never ends", b"\xff" * 30), ("breaks off", b"\xff\x80"), ("is beyond 32 bits", b"\xff\xff\xff\xff\xff\x7f")])  # fmt: skip
def _(c, representation):
    c.send(frame(HEADERS, BOTH, 1, block(c.fields()) + representation))
    c.ends(COMPRESSION_ERROR)


@case("hpack/5.2", "text longer than its block")
def _(c):
    c.send(frame(HEADERS, BOTH, 1, block(c.fields()) + b"\x00\x01x\x30abc"))
    c.ends(COMPRESSION_ERROR)


@case("hpack/6.1", "index 0")
def _(c):
    c.send(frame(HEADERS, BOTH, 1, block(c.fields()) + b"\x80"))
    c.ends(COMPRESSION_ERROR)


@case("hpack/6.3", "a table size update beyond SETTINGS_HEADER_TABLE_SIZE")
def _(c):
    c.send(frame(HEADERS, BOTH, 1, integer(4097, 5, 0x20) + block(c.fields())))
    c.ends(COMPRESSION_ERROR)
