#!/usr/bin/env python3
"""Writes the fuzzer's first inputs for HTTP/2 into a folder: one of each frame, good and bad, for either role.

The first byte of each is the choice that Tests/WeftHTTPTests/HTTP2/SessionProperties.swift makes of it.
"""

import os
import struct
import sys

SERVER, CLIENT = 4, 1


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    return b"\x40" + bytes([len(name)]) + name + bytes([len(value)]) + value


GET = b"\x82\x86\x84\x41\x01a"
POST = b"\x83\x86\x84\x41\x01a"
OK = b"\x88"
NOTHING = frame(4)
SEEDS = {
    "get": (SERVER, frame(1, 5, 1, GET)),
    "two": (SERVER, frame(1, 5, 1, GET + literal(b"a", b"b")) + frame(1, 5, 3, GET + b"\xbe")),
    "post": (SERVER, frame(1, 4, 1, POST + literal(b"content-length", b"5")) + frame(0, 1, 1, b"hello")),
    "padded": (SERVER, frame(1, 4 | 8 | 32, 1, b"\2\0\0\0\0\x10" + POST + b"\0\0") + frame(0, 9, 1, b"\1x\0")),
    "trailers": (SERVER, frame(1, 4, 1, POST) + frame(0, 0, 1, b"x") + frame(1, 5, 1, literal(b"x", b"y"))),
    "continuation": (SERVER, frame(1, 1, 1, GET[:3]) + frame(9, 4, 1, GET[3:])),
    "cookies": (SERVER, frame(1, 5, 1, GET + literal(b"cookie", b"a=1") + literal(b"cookie", b"b=2"))),
    "host": (SERVER, frame(1, 5, 1, b"\x82\x86\x84" + literal(b"host", b"a"))),
    "connect": (SERVER, frame(1, 4, 1, b"\x42\x07CONNECT\x41\x03a:1")),
    "upgrade": (SERVER, frame(1, 5, 1, GET + literal(b"upgrade", b"h2c"))),
    "te": (SERVER, frame(1, 5, 1, GET + literal(b"te", b"trailers"))),
    "length": (SERVER, frame(1, 5, 1, GET + literal(b"content-length", b"1"))),
    "control": (SERVER, frame(1, 5, 1, GET + literal(b"x", b"a\r\nb: c"))),
    "huffman": (SERVER, frame(1, 5, 1, GET + b"\x40\x01x\x82\x25\xa8")),
    "resize": (SERVER, frame(1, 5, 1, b"\x20\x3f\xe1\x1f" + GET)),
    "reset": (SERVER, frame(1, 4, 1, POST) + frame(3, 0, 1, b"\0\0\0\x08")),
    "window": (SERVER, frame(1, 5, 1, GET) + frame(8, 0, 1, b"\0\0\1\0") + frame(8, 0, 0, b"\0\0\1\0")),
    "settings": (SERVER, frame(4, 0, 0, b"\0\4\0\0\0\1\0\3\0\0\0\x0a\0\1\0\0\0\0")),
    "ping": (SERVER, frame(6, 0, 0, b"12345678") + frame(6, 1, 0, b"12345678")),
    "goaway": (SERVER, frame(7, 0, 0, bytes(8) + b"bye")),
    "priority": (SERVER, frame(2, 0, 3, b"\0\0\0\1\x10")),
    "unknown": (SERVER, frame(0xB0, 0xFF, 0, b"x")),
    "no-preface": (0, b"GET / HTTP/1.1\r\n\r\n"),
    "answer": (CLIENT, NOTHING + frame(1, 5, 1, OK)),
    "answer-body": (CLIENT, NOTHING + frame(1, 4, 1, OK) + frame(0, 1, 1, b"x")),
    "answer-trailers": (CLIENT, NOTHING + frame(1, 4, 1, OK) + frame(0, 0, 1, b"x") + frame(1, 5, 1, literal(b"x", b"y"))),
    "interim": (CLIENT, NOTHING + frame(1, 4, 1, b"\x48\x03103") + frame(1, 5, 1, OK)),
    "length-differs": (CLIENT, NOTHING + frame(1, 4, 3, OK + literal(b"content-length", b"9")) + frame(0, 1, 3, b"x")),
    "push": (CLIENT, NOTHING + frame(5, 4, 1, b"\0\0\0\2" + GET)),
    "leaves": (CLIENT, NOTHING + frame(7, 0, 0, b"\0\0\0\1\0\0\0\0")),
    "refuses": (CLIENT, NOTHING + frame(3, 0, 1, b"\0\0\0\7")),
}


def main(folder):
    for name, (choice, data) in SEEDS.items():
        for suffix, more in [("", 0), ("-tight", 2), ("-split", 8 | 0x20)]:
            with open(os.path.join(folder, name + suffix), "wb") as f:
                f.write(bytes([choice | more]) + data)


if __name__ == "__main__":
    main(sys.argv[1])
