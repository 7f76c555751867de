#!/usr/bin/env python3
"""Runs Lua scripts unchanged on Envoy and on Weft and compares what clients, services and logs see of them.

    parity.py                 runs both and compares
    parity.py record          runs Envoy and writes what it does to cases/NAME.envoy
    parity.py check           runs Weft and compares with what was recorded
    parity.py differences     lists where Weft differs on purpose, and why

Where Weft differs on purpose, cases/NAME.weft has the reason and what it does instead.
"""
import argparse
import difflib
import os
import re
import socket
import sys
import tempfile
import time

from backend import Backend
from case import Request, all_cases
from http1 import Reader
from proxies import ROOT, Envoy, Weft

# What proxies write as it suits them.
_IGNORED = re.compile(
    "date|server|via|connection|keep-alive|transfer-encoding|content-length|x-request-id|x-forwarded-.*|x-envoy-.*")


def describe(fields, indent):
    shown = [(name, value) for name, value in fields if not _IGNORED.fullmatch(name)]
    # Sorted by name: of several fields of one name, the order counts.
    return [f"{indent}{name}: {value}" for name, value in sorted(shown, key=lambda field: field[0])]


def body(data, indent):
    text = data.decode("latin-1").encode("unicode_escape").decode()
    return [f"{indent}body {text}"] if data else []


def ask(proxy, host, request):
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i, piece in enumerate(request.encoded(host)):
            if i > 0:
                time.sleep(0.02)
            connection.sendall(piece)
        return Reader(connection).message(request.method)


def clean(message):
    """A script's message without what is each proxy's own: what the script's text is called, and tables' addresses."""
    message = re.sub(r'\[string "[^\n]*?"\]:|script\.lua:', "line ", message)
    return re.sub(r"0x[0-9a-f]+", "0x", message).rstrip("\n")


class Run:
    def __init__(self, proxy, backend):
        self._proxy, self._backend = proxy, backend
        self._marker = 0

    def case(self, case, upstreams=None):
        """What there is to see of a case. `upstreams`: so many requests are awaited for each of the case's."""
        lines = []
        for i, request in enumerate(case.requests):
            lines.append(f"{request.method} {request.target}")
            try:
                answer = ask(self._proxy, case.host, request)
                reason = answer.start.split(" ", 2)[1:]
                lines.append("  status " + reason[0] + (" Odd" if "Odd" in reason[1:] else ""))
                lines += describe(answer.fields, "    ") + body(answer.body, "    ")
                lines += [f"    trailer {name}: {value}" for name, value in answer.trailers]
            except (EOFError, OSError) as error:
                lines.append(f"  no response: {type(error).__name__}")
            self._wait(upstreams[i] if upstreams else None)
            for seen in self._backend.take():
                lines.append("  upstream " + seen.start.rsplit(" ", 1)[0])
                lines += describe(seen.fields, "    ") + body(seen.body, "    ")
                lines += [f"    trailer {name}: {value}" for name, value in seen.trailers]
            lines += [f"  log {level} {clean(message)}" for level, message in self._log()]
        return "\n".join(lines) + "\n"

    def _wait(self, count):
        """Calls that nobody waits for may come after the response."""
        if count is None:
            return time.sleep(0.2)
        deadline = time.monotonic() + 10
        while self._backend.count() < count and time.monotonic() < deadline:
            time.sleep(0.005)

    def _log(self):
        self._marker += 1
        ask(self._proxy, "marker.case", Request("GET", f"/marker-{self._marker}."))
        self._backend.take()
        return self._proxy.log_until(f"marker /marker-{self._marker}.")


def upstreams_of(text):
    counts = []
    for line in text.splitlines():
        if not line.startswith(" ") and not line.startswith("#"):
            counts.append(0)
        elif line.startswith("  upstream "):
            counts[-1] += 1
    return counts


def without_reason(text):
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))


def compare(case, expected, found, names):
    if expected == found:
        return True
    difference = difflib.unified_diff(
        expected.splitlines(), found.splitlines(), *names, lineterm="", n=20)
    print(f"\n== {case.name}\n" + "\n".join(difference))
    return False


def main():
    parser = argparse.ArgumentParser(description="Compares Lua scripts on Envoy and on Weft.")
    parser.add_argument("mode", nargs="?", default="both", choices=["both", "record", "check", "differences"])
    parser.add_argument("--only", default="", help="cases whose names this regular expression finds")
    parser.add_argument("--binary", default=os.path.join(ROOT, ".build", "debug", "weft"))
    parser.add_argument("--update", action="store_true", help="rewrite the existing cases/NAME.weft, keeping reasons")
    options = parser.parse_args()
    cases = all_cases(options.only)
    if options.mode == "differences":
        for case in cases:
            reason = [line[2:] for line in (case.recorded("weft") or "").splitlines() if line.startswith("# ")]
            if reason:
                print(f"{case.name}: " + " ".join(reason))
        return 0
    backend = Backend()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        envoy = weft = None
        try:
            if options.mode != "check":
                envoy = Envoy(cases, backend, folder)
            if options.mode != "record":
                weft = Weft(cases, backend, folder, options.binary)
            envoy_run = envoy and Run(envoy, backend)
            weft_run = weft and Run(weft, backend)
            for case in cases:
                if envoy:
                    envoy_did = envoy_run.case(case)
                    if options.mode == "record":
                        with open(case.path("envoy"), "w") as file:
                            file.write(envoy_did)
                    elif not compare(case, case.recorded("envoy") or "", envoy_did, ("recorded", "Envoy")):
                        failed += 1
                if weft:
                    special = case.recorded("weft")
                    expected = without_reason(special) if special else case.recorded("envoy") or ""
                    weft_did = weft_run.case(case, upstreams_of(expected))
                    if options.update and special:
                        reason = "".join(x for x in special.splitlines(keepends=True) if x.startswith("#"))
                        with open(case.path("weft"), "w") as file:
                            file.write(reason + weft_did)
                    elif not compare(case, expected, weft_did, ("expected", "Weft")):
                        failed += 1
        finally:
            for proxy in (envoy, weft):
                if proxy:
                    proxy.stop()
    print(f"{len(cases)} cases, {failed} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
