#!/usr/bin/env python3
"""Offers a TLS server what is weak, and sees that it takes none of it.

    scan.py PORT CA-CERTIFICATE ECDSA-NAME RSA-NAME

The names are those of a server that has an ECDSA certificate and of one that has an RSA certificate. Each ClientHello is written by
hand, since a TLS library of today cannot say most of this. Beside each group stands a control, the same with something good in it,
which must be taken: it shows that the refusals have the reason that they seem to have. Ends with 1 if anything is not as it
should be.
"""

import os
import socket
import struct
import subprocess
import sys
import tempfile

HANDSHAKE_FAILURE, ILLEGAL_PARAMETER, PROTOCOL_VERSION, INAPPROPRIATE_FALLBACK = 40, 47, 70, 86
TLS10, TLS11, TLS12, TLS13 = 0x0301, 0x0302, 0x0303, 0x0304
GOOD12 = {"ecdsa": [0xC02B], "rsa": [0xC02F]}
GOOD13 = [0x1301]
GOOD_GROUPS = [23, 29]
GOOD_SIGNATURES = [0x0403, 0x0503, 0x0804, 0x0805, 0x0401, 0x0501]

WEAK_SUITES = {
    "null": [0x0001, 0x0002, 0x003B, 0xC006, 0xC010],
    "export": [0x0003, 0x0006, 0x0008, 0x0014, 0x0019],
    "RC4": [0x0004, 0x0005, 0x0018, 0xC007, 0xC011],
    "DES": [0x0009, 0x0015],
    "3DES": [0x000A, 0x0016, 0xC008, 0xC012],
    "IDEA and SEED": [0x0007, 0x0096, 0x009A],
    "anonymous": [0x0018, 0x001A, 0x0034, 0x003A, 0x006C, 0x00A6, 0xC015, 0xC016, 0xC018, 0xC019],
    "CBC with SHA-1": [0x002F, 0x0035, 0x0033, 0x0039, 0xC009, 0xC00A, 0xC013, 0xC014],
    "CBC with SHA-2": [0x003C, 0x003D, 0x0067, 0xC023, 0xC024, 0xC027, 0xC028],
    "static RSA": [0x002F, 0x0035, 0x003C, 0x009C, 0x009D, 0xC09C, 0xC0A0],
    "static ECDH": [0xC001, 0xC004, 0xC02D, 0xC031],
    "finite-field DHE": [0x0033, 0x0067, 0x009E, 0x009F, 0xCCAA],
    "PSK and SRP": [0x008C, 0x00A8, 0xC01D, 0xC020],
    "Camellia and ARIA in CBC": [0x0041, 0x0084, 0xC072, 0xC076, 0xC048],
    "truncated tags": [0xC0AE, 0xC0AF],
}
WEAK_GROUPS = {
    "sect163k1": 1, "sect233r1": 7, "secp160r1": 16, "secp192r1": 19, "secp224r1": 21, "secp256k1": 22,
    "ffdhe2048": 256, "any curve with explicit parameters": 0xFF01,
}  # fmt: skip
WEAK_SIGNATURES = {
    "MD5 with RSA": 0x0101, "MD5 with ECDSA": 0x0103, "SHA-1 with RSA": 0x0201, "SHA-1 with DSA": 0x0202,
    "SHA-1 with ECDSA": 0x0203, "SHA-224 with RSA": 0x0301, "SHA-224 with ECDSA": 0x0303, "SHA-256 with DSA": 0x0402,
}  # fmt: skip


def vector(data, width):
    return len(data).to_bytes(width, "big") + data


def u16s(numbers):
    return b"".join(struct.pack(">H", n) for n in numbers)


def extension(number, data):
    return struct.pack(">H", number) + vector(data, 2)


def hello(name, version=TLS12, suites=(), groups=GOOD_GROUPS, signatures=GOOD_SIGNATURES, compression=(0,), more=b""):
    extensions = extension(0, vector(b"\0" + vector(name.encode(), 2), 2))
    extensions += extension(10, vector(u16s(groups), 2)) + extension(11, b"\x01\x00") + extension(0xFF01, b"\0")
    if version >= TLS12:
        extensions += extension(13, vector(u16s(signatures), 2))
    if version == TLS13:
        # The share is of X25519, which any 32 bytes are.
        extensions += extension(43, b"\x02\x03\x04") + extension(51, vector(u16s([29]) + vector(os.urandom(32), 2), 2))
    extensions += more
    body = struct.pack(">H", min(version, TLS12)) + os.urandom(32) + b"\0" + vector(u16s(suites), 2)
    body += vector(bytes(compression), 1) + vector(extensions, 2)
    return record(22, b"\x01" + vector(body, 3), min(version, TLS10))


def record(kind, data, version=TLS12):
    return struct.pack(">BH", kind, version) + vector(data, 2)


class Answer:
    """What the server says first: `alert`, a number; or `version`, `suite`, `random`, `extensions` of a ServerHello; or neither,
    when it closes without a word."""

    def __init__(self, port, data):
        self.alert = self.version = self.suite = None
        with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
            s.sendall(data)
            got = self.whole(s)
        if len(got) >= 7 and got[0] == 21:
            self.alert = got[6]
        elif len(got) > 40 and got[0] == 22 and got[5] == 2:
            body = got[9 : 9 + int.from_bytes(got[6:9], "big")]
            at = 35 + body[34]
            self.version, self.random = int.from_bytes(body[:2], "big"), body[2:34]
            self.suite = int.from_bytes(body[at : at + 2], "big")
            self.compression = body[at + 2]
            self.extensions = {}
            rest = body[at + 5 :]
            while len(rest) >= 4:
                number, n = struct.unpack(">HH", rest[:4])
                self.extensions[number] = rest[4 : 4 + n]
                rest = rest[4 + n :]

    @staticmethod
    def whole(s):
        """The first record."""
        got = b""
        while len(got) < 5 or len(got) < 5 + int.from_bytes(got[3:5], "big"):
            try:
                more = s.recv(65536)
            except ConnectionError:
                break
            if not more:
                break
            got += more
        return got

    def __str__(self):
        if self.alert is not None:
            return f"alert {self.alert}"
        return "nothing" if self.suite is None else f"a ServerHello, {self.version:#06x} with {self.suite:#06x}"


class Scan:
    def __init__(self, port, authority, names):
        self.port, self.authority, self.names = port, authority, names
        self.checks = self.failures = 0

    def check(self, what, is_right, found):
        self.checks += 1
        if not is_right:
            self.failures += 1
            print(f"FAILED {what}: {found}")

    def refused(self, what, data, *alerts):
        answer = Answer(self.port, data)
        self.check(what, answer.alert in alerts, answer)

    def taken(self, what, data):
        answer = Answer(self.port, data)
        self.check(what, answer.suite is not None, answer)
        return answer

    def run(self):
        for kind, name in self.names.items():
            self.versions(kind, name)
            self.suites(kind, name)
            self.groups(kind, name)
            self.signatures(kind, name)
            self.compression(kind, name)
            self.downgrade(kind, name)
            self.renegotiation(kind, name)
            self.early_data(kind, name)

    def versions(self, kind, name):
        every = [n for s in WEAK_SUITES.values() for n in s] + GOOD12[kind] + [0xC009, 0xC013]
        # SSL 3 has no alert for versions.
        self.refused(f"{kind}: SSL 3", hello(name, 0x0300, every), PROTOCOL_VERSION, HANDSHAKE_FAILURE)
        for text, version in [("TLS 1.0", TLS10), ("TLS 1.1", TLS11)]:
            self.refused(f"{kind}: {text}", hello(name, version, every), PROTOCOL_VERSION)
        # SSL 2: its own kind of hello, of version 2 with RC4 and 3DES.
        old = b"\x01\x00\x02" + u16s([6, 0, 16]) + b"\x01\x00\x80\x07\x00\xc0" + os.urandom(16)
        answer = Answer(self.port, struct.pack(">H", 0x8000 | len(old)) + old)
        self.check(f"{kind}: SSL 2", answer.suite is None, answer)
        answer = self.taken(f"{kind}: control: TLS 1.2", hello(name, TLS12, GOOD12[kind]))
        self.check(f"{kind}: control: TLS 1.2 is what it says", answer.version == TLS12, answer)
        answer = self.taken(f"{kind}: control: TLS 1.3", hello(name, TLS13, GOOD13))
        self.check(f"{kind}: control: TLS 1.3 is what it says", 43 in getattr(answer, "extensions", {}), answer)

    def suites(self, kind, name):
        for text, suites in WEAK_SUITES.items():
            for suite in suites:
                self.refused(f"{kind}: {text}, {suite:#06x}", hello(name, TLS12, [suite]), HANDSHAKE_FAILURE)
        everything = [n for s in WEAK_SUITES.values() for n in s]
        self.refused(f"{kind}: all of them", hello(name, TLS12, everything), HANDSHAKE_FAILURE)
        answer = self.taken(f"{kind}: control: a good one at the end", hello(name, TLS12, everything + GOOD12[kind]))
        self.check(f"{kind}: control: the good one is chosen", answer.suite == GOOD12[kind][0], answer)
        for suite in [0x1304, 0x1305, 0x00C6, 0xC0B4]:
            self.refused(f"{kind}: TLS 1.3 with {suite:#06x}", hello(name, TLS13, [suite]), HANDSHAKE_FAILURE)

    def groups(self, kind, name):
        for text, group in WEAK_GROUPS.items():
            for version, suites in [(TLS12, GOOD12[kind]), (TLS13, GOOD13)]:
                data = hello(name, version, suites, groups=[group])
                # A key share of a group that is not offered is itself an error.
                self.refused(f"{kind}: {version:#06x} with {text}", data, HANDSHAKE_FAILURE, ILLEGAL_PARAMETER)
        self.taken(f"{kind}: control: a good group behind the weak", hello(name, TLS12, GOOD12[kind], groups=list(WEAK_GROUPS.values()) + [23, 29]))  # fmt: skip

    def signatures(self, kind, name):
        for text, signature in WEAK_SIGNATURES.items():
            for version, suites in [(TLS12, GOOD12[kind]), (TLS13, GOOD13)]:
                data = hello(name, version, suites, signatures=[signature])
                self.refused(f"{kind}: {version:#06x} with {text}", data, HANDSHAKE_FAILURE)
        if kind == "rsa":
            data = hello(name, TLS13, GOOD13, signatures=[0x0401, 0x0501])
            self.refused("rsa: TLS 1.3 with PKCS #1 v1.5", data, HANDSHAKE_FAILURE)
        good = 0x0403 if kind == "ecdsa" else 0x0804
        weak = list(WEAK_SIGNATURES.values())
        self.taken(f"{kind}: control: a good signature", hello(name, TLS12, GOOD12[kind], signatures=weak + [good]))

    def compression(self, kind, name):
        data = hello(name, TLS12, GOOD12[kind], compression=[1])
        answer = Answer(self.port, data)
        self.check(f"{kind}: nothing but compression", answer.alert is not None, answer)
        answer = self.taken(f"{kind}: control: compression if you like", hello(name, TLS12, GOOD12[kind], compression=[1, 0]))
        self.check(f"{kind}: and it is not liked", getattr(answer, "compression", None) == 0, answer)

    def downgrade(self, kind, name):
        data = hello(name, TLS12, GOOD12[kind] + [0x5600])
        self.refused(f"{kind}: a fallback to TLS 1.2", data, INAPPROPRIATE_FALLBACK)
        answer = self.taken(f"{kind}: control: TLS 1.2 alone", hello(name, TLS12, GOOD12[kind], more=extension(15, b"\1")))
        said = getattr(answer, "random", b"")[-8:]
        self.check(f"{kind}: TLS 1.2 warns of a downgrade (RFC 8446 4.1.3)", said == b"DOWNGRD\x01", said)
        self.check(f"{kind}: no heartbeat", 15 not in getattr(answer, "extensions", {15: b""}), answer)

    def client(self, name, *arguments, say=b""):
        ran = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-servername", name, "-CAfile", self.authority,
             *arguments], input=say, capture_output=True, timeout=60)  # fmt: skip
        return ran.stdout.decode(errors="replace") + ran.stderr.decode(errors="replace")

    def renegotiation(self, kind, name):
        said = self.client(name, "-tls1_2", say=b"R\n")
        self.check(f"{kind}: renegotiation", "RENEGOTIATING" in said and "no renegotiation" in said, said[-400:])
        self.check(f"{kind}: control: it is indicated", "Secure Renegotiation IS supported" in said, said[-400:])

    def early_data(self, kind, name):
        with tempfile.TemporaryDirectory() as folder:
            session, early = os.path.join(folder, "session"), os.path.join(folder, "early")
            with open(early, "w") as f:
                f.write(f"GET /echo HTTP/1.1\r\nHost: {name}\r\n\r\n")
            request = f"GET /echo HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode()
            said = self.client(name, "-tls1_3", "-ign_eof", "-sess_out", session, say=request)
            self.check(f"{kind}: control: a ticket comes", os.path.exists(session), said[-400:])
            self.check(f"{kind}: tickets allow no early data", "Max Early Data: 0" in said, said[-400:])
            said = self.client(name, "-tls1_3", "-ign_eof", "-sess_in", session, "-early_data", early, say=request)
            self.check(f"{kind}: control: the session is resumed", "Reused, TLSv1.3" in said, said[-400:])
            self.check(f"{kind}: early data", "Early data was not sent" in said, said[-400:])
        # A client that sends it all the same, without a ticket that we know: it is passed over or refused, never used.
        answer = Answer(self.port, hello(name, TLS13, GOOD13, more=extension(42, b"")))
        self.check(f"{kind}: early data without leave", 42 not in getattr(answer, "extensions", {}), answer)


def main(arguments):
    port, authority, ecdsa, rsa = arguments
    scan = Scan(int(port), authority, {"ecdsa": ecdsa, "rsa": rsa})
    scan.run()
    print(f"{scan.checks - scan.failures} of {scan.checks} checks are fine")
    return 1 if scan.failures or not scan.checks else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
