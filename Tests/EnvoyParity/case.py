"""A case: a Lua script, and requests that are sent through it.

Requests stand in the script's own comments:

    --> POST /path            a request; further lines begin the next one
    --> x-name: value         a field
    --| text                  a piece of the body; several pieces, or trailers, are sent in chunks
    --^ x-name: value         a trailer
"""
import os
import re

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases")
_START = re.compile(r"--> ([A-Z]+) (\S+)$")


def _field(line):
    name, _, value = line[4:].partition(":")
    return name, value.strip()


class Request:
    def __init__(self, method, target):
        self.method, self.target = method, target
        self.fields, self.pieces, self.trailers = [], [], []

    def encoded(self, host):
        """The request's bytes, in the pieces in which they are sent."""
        lines = [f"{self.method} {self.target} HTTP/1.1", f"host: {host}"]
        lines += [f"{name}: {value}" for name, value in self.fields]
        is_chunked = len(self.pieces) > 1 or self.trailers
        if is_chunked:
            lines.append("transfer-encoding: chunked")
        elif self.pieces:
            lines.append(f"content-length: {len(self.pieces[0].encode())}")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        if not is_chunked:
            return [head + "".join(self.pieces).encode()]
        chunks = [b"%x\r\n%s\r\n" % (len(piece.encode()), piece.encode()) for piece in self.pieces]
        end = b"0\r\n" + b"".join(f"{name}: {value}\r\n".encode() for name, value in self.trailers) + b"\r\n"
        return [head] + chunks + [end]


class Case:
    def __init__(self, name):
        self.name = name
        with open(os.path.join(FOLDER, name + ".lua")) as file:
            self.script = file.read()
        self.requests = []
        for line in self.script.splitlines():
            start = _START.match(line)
            if start:
                self.requests.append(Request(*start.groups()))
            elif line.startswith("--> "):
                self.requests[-1].fields.append(_field(line))
            elif line.startswith("--| "):
                self.requests[-1].pieces.append(line[4:])
            elif line.startswith("--^ "):
                self.requests[-1].trailers.append(_field(line))
        self.requests = self.requests or [Request("GET", "/")]

    @property
    def host(self):
        return self.name + ".case"

    def path(self, kind):
        return os.path.join(FOLDER, f"{self.name}.{kind}")

    def recorded(self, kind):
        """What was recorded, or None."""
        try:
            with open(self.path(kind)) as file:
                return file.read()
        except FileNotFoundError:
            return None


def all_cases(pattern):
    names = sorted(name[:-4] for name in os.listdir(FOLDER) if name.endswith(".lua"))
    return [Case(name) for name in names if re.search(pattern, name)]
