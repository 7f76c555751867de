#!/usr/bin/env python3
"""Writes the corpus of bundle archives, from the description in docs/bundles.md alone.

good/NAME.weft are canonical; good/digests.txt lists what they digest to. bad/NAME.weft each break one rule;
bad/reasons.txt lists a part of what a reader says about each.
"""
import hashlib
import pathlib

here = pathlib.Path(__file__).parent
BLOCK = 512
END = bytes(2 * BLOCK)
MANIFEST = b"name: tag\nversion: 1.0.0\n"
MAIN = b"function on_request(request) end\n"


def header(path, size, **fields):
    """A canonical header; `fields` replace single ones of it, as (offset, bytes)."""
    h = bytearray(BLOCK)

    def put(offset, data):
        h[offset : offset + len(data)] = data

    put(0, path if isinstance(path, bytes) else path.encode())
    put(100, b"0000644\0")
    put(108, b"0000000\0")
    put(116, b"0000000\0")
    put(124, b"%011o\0" % size)
    put(136, b"00000000000\0")
    put(156, b"0")
    put(257, b"ustar\x0000")
    put(329, b"0000000\0")
    put(337, b"0000000\0")
    checksum = fields.pop("checksum", None)
    for offset, data in fields.values():
        put(offset, data)
    put(148, b" " * 8)
    put(148, checksum or b"%06o\0 " % sum(h))
    return bytes(h)


def pad(data, fill=b"\0"):
    return data + fill * (-len(data) % BLOCK)


def entry(path, data=b"", **fields):
    return header(path, len(data), **fields) + pad(data)


def archive(*files, end=END):
    return b"".join(entry(*f) if isinstance(f, tuple) else f for f in files) + end


B, M = ("bundle.yaml", MANIFEST), ("main.lua", MAIN)

good = {
    "minimal": archive(B, M),
    "order": archive(
        ("LICENSE", b"none\n"), ("README.md", b"# tag\n"), B, ("lib.lua", b"return 1\n"), ("lib/a.lua", b"return 2\n"),
        ("lib_.lua", b""), M, ("tests/main_test.lua", b"-- tests\n"), ("tests/requests/one.json", b"{}\n"),
    ),
    "whole-blocks": archive(B, ("main.lua", (b"-" * 1023 + b"\n"))),
    "longest-path": archive(B, M, ("t/" + "x" * 94 + ".lua", b"")),
    "deepest-path": archive(("a/b/c/d/e/f/g/h/i.lua", b""), B, M),
}

link = lambda kind, target: dict(kind=(156, kind), link=(157, target))
bad = {
    "empty": (b"", "no ustar archive"),
    "one-block": (bytes(BLOCK), "no ustar archive"),
    "text": (b"this is no archive\n" * 100, "no ustar archive"),
    "other-format": (b"PK\3\4".ljust(2048, b"x"), "no ustar header"),
    "gzip": (b"\x1f\x8b\x08\0".ljust(2048, b"\xaa"), "no ustar header"),
    "no-files": (END, "bundle.yaml"),
    "no-manifest": (archive(M), "bundle.yaml"),
    "absolute": (archive(B, M, ("/tmp/x.lua", b"")), "absolute path"),
    "parent": (archive(("../x.lua", b""), B, M), 'has the part ".."'),
    "parent-inside": (archive(B, ("lib/../../x.lua", b""), M), 'has the part ".."'),
    "dot": (archive(("./bundle.yaml", MANIFEST), M), 'has the part "."'),
    "empty-part": (archive(B, ("lib//x.lua", b""), M), "empty part"),
    "trailing-slash": (archive(B, ("lib/", b""), M), "empty part"),
    "hidden": (archive((".x.lua", b""), B, M), "hidden part"),
    "hidden-folder": (archive((".git/x.lua", b""), B, M), "hidden part"),
    "no-name": (archive(("", b""), B, M), "has no name"),
    "backslash": (archive(B, ("lib\\x.lua", b""), M), "odd name"),
    "drive": (archive(B, ("c:x.lua", b""), M), "odd name"),
    "space": (archive(B, ("a b.lua", b""), M), "odd name"),
    "newline": (archive(B, ("a\nb.lua", b""), M), "odd name"),
    "escape": (archive(B, ("a\x1b[31m.lua", b""), M), "odd name"),
    "non-ascii": (archive(B, M, ("é.lua", b"")), "odd name"),
    "option": (archive(("-rf.lua", b""), B, M), "odd name"),
    "trailing-dot": (archive(B, ("lib./x.lua", b""), M), "odd name"),
    "not-utf8": (archive(B, M, (b"x\xff.lua", b"")), "no text"),
    "too-deep": (archive(("a/b/c/d/e/f/g/h/i/j.lua", b""), B, M), "deeper than"),
    "program": (archive(B, M, ("run.sh", b"")), "no file that a bundle holds"),
    "key": (archive(B, ("key.pem", b""), M), "no file that a bundle holds"),
    "symlink": (archive(B, entry("lib.lua", **link(b"2", b"/etc/passwd")), M), "a symbolic link"),
    "hard-link": (archive(B, entry("lib.lua", **link(b"1", b"bundle.yaml")), M), "a link"),
    "character-device": (archive(B, entry("lib.lua", kind=(156, b"3")), M), "a device"),
    "block-device": (archive(B, entry("lib.lua", kind=(156, b"4")), M), "a device"),
    "folder": (archive(B, entry("lib/", kind=(156, b"5")), M), "a folder"),
    "pipe": (archive(B, entry("lib.lua", kind=(156, b"6")), M), "a named pipe"),
    "pax-header": (archive(entry("a.lua", b"20 path=../../x.lua\n", kind=(156, b"x")), B, M), "an extended header"),
    "gnu-long-name": (archive(entry("a.lua", b"x" * 200, kind=(156, b"L")), B, M), "an extended header"),
    "sparse": (archive(B, entry("lib.lua", kind=(156, b"S")), M), "a sparse file"),
    "old-type": (archive(B, entry("main.lua", MAIN, kind=(156, b"\0"))), "not the canonical one"),
    "contiguous": (archive(B, entry("main.lua", MAIN, kind=(156, b"7"))), "not the canonical one"),
    "twice": (archive(B, M, M), "there twice"),
    "out-of-order": (archive(M, B), "in the order of their paths"),
    "case": (archive(B, ("lib/A.lua", b""), ("lib/a.lua", b""), M), "cannot lie beside"),
    "case-of-folder": (archive(("Lib/a.lua", b""), B, ("lib/b.lua", b""), M), "cannot lie beside"),
    "file-and-folder": (archive(B, ("lib.lua", b""), ("lib.lua/x.lua", b""), M), "cannot lie beside"),
    "prefix-field": (archive(B, entry("main.lua", MAIN, prefix=(345, b"lib"))), "not the canonical one"),
    "mode": (archive(B, entry("main.lua", MAIN, mode=(100, b"0000755\0"))), "not the canonical one"),
    "owner": (archive(B, entry("main.lua", MAIN, uid=(108, b"0001750\0"))), "not the canonical one"),
    "owner-name": (archive(B, entry("main.lua", MAIN, uname=(265, b"root"))), "not the canonical one"),
    "time": (archive(B, entry("main.lua", MAIN, mtime=(136, b"14500000000\0"))), "not the canonical one"),
    "after-name": (archive(B, entry("main.lua", MAIN, rest=(20, b"x"))), "not the canonical one"),
    "after-header": (archive(B, entry("main.lua", MAIN, rest=(505, b"x"))), "not the canonical one"),
    "gnu-magic": (archive(B, entry("main.lua", MAIN, magic=(257, b"ustar  \0"))), "no ustar header"),
    "checksum": (archive(B, entry("main.lua", MAIN, checksum=b"000000\0 ")), "not the canonical one"),
    "checksum-spelling": (
        archive(B, entry("main.lua", MAIN, checksum=b"%07o\0" % sum(header("main.lua", len(MAIN), checksum=b" " * 8)))),
        "not the canonical one"),
    "size-in-binary": (archive(B, entry("main.lua", MAIN, length=(124, b"\x80" + bytes(10) + b"!"))), "octal digits"),
    "size-with-spaces": (archive(B, entry("main.lua", MAIN, length=(124, b"        41 \0"))), "octal digits"),
    "size-negative": (archive(B, entry("main.lua", MAIN, length=(124, b"-0000000041\0"))), "octal digits"),
    "size-largest": (archive(B, header("main.lua", 0o77777777777), MAIN.ljust(BLOCK, b"\0")), "more than 1048576 bytes"),
    "size-of-a-bomb": (archive(B, header("main.lua", 1 << 30)), "more than 1048576 bytes"),
    "cut-off": (archive(B, header("main.lua", 4096), MAIN.ljust(BLOCK, b"\0"), end=b""), "is cut off"),
    "cut-within-a-block": (archive(B, M)[:-100], "a part of one is missing"),
    "no-end": (archive(B, M, end=b""), "two blocks of zeros"),
    "half-an-end": (archive(B, M, end=bytes(BLOCK)), "two blocks of zeros"),
    "end-and-more": (archive(B, M) + b"x" * BLOCK, "goes on after its end"),
    "end-and-zeros": (archive(B, M) + bytes(8 * BLOCK), "goes on after its end"),
    "end-and-another": (archive(B, M) + archive(B, M), "goes on after its end"),
    "padding": (archive(B, header("main.lua", len(MAIN)) + pad(MAIN, b"x")), "other bytes than zeros"),
}


def write():
    digests, reasons = [], []
    for name, data in sorted(good.items()):
        (here / "good" / f"{name}.weft").write_bytes(data)
        digests.append(f"{name} sha256:{hashlib.sha256(data).hexdigest()}\n")
    for name, (data, reason) in sorted(bad.items()):
        (here / "bad" / f"{name}.weft").write_bytes(data)
        reasons.append(f"{name}: {reason}\n")
    (here / "good" / "digests.txt").write_text("".join(digests))
    (here / "bad" / "reasons.txt").write_text("".join(reasons))


write()
