#!/usr/bin/env python3
"""What a hostile Lua script costs the other routes of its worker.

Each script of Tests/HostileScripts runs in a proxy of its own with one worker. A fixed rate of requests goes to a route
without the script, while clients send one request after another to the route with it. Prints a table: the script, what
became of its requests, the median and the 99th percentile of the other route's latency (from when a request was due, so
that a stall counts for all that it delays), the longest that one call has kept the worker (processor time, which no other
work on the machine changes), and by how much the worker's memory has grown.

Ends with 1 when a script does not end as it says, the other route's 99th percentile is 50 ms or more, a request to it
fails, or the proxy does not end well."""
import argparse
import collections
import http.client
import multiprocessing
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

# What the log says of each way in which a script may end.
ENDS = {"cpu": "used up its processor time", "memory": "memory", "error": "stack traceback"}
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SCRIPTS = os.path.join(HERE, "Tests", "HostileScripts")
BEGIN, END = "<!-- hostile: begin", "<!-- hostile: end -->"


def scripts(names):
    """(file, name, end, what the log then says, code) of each section."""
    for file in sorted(os.listdir(SCRIPTS)):
        if not file.endswith(".lua"):
            continue
        with open(os.path.join(SCRIPTS, file)) as text:
            sections = text.read().split("--- ")[1:]
        for section in sections:
            line, code = section.split("\n", 1)
            name, end = re.match(r"(.*): ((?:cpu|memory|error|logged|fine)(?: \".*)?)$", line).groups()
            if names and not any(n in f"{file} {name}" for n in names):
                continue
            if "function on_" not in code:
                code = "function on_request(handle)\n" + code + "end\n"
            kind, _, text = end.partition(" ")
            yield file.removesuffix(".lua"), name, kind, text.strip('"') or ENDS.get(kind), code


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def configuration(port, backend, script, on_error):
    def route(name, path, filters):
        return ("---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"
                f"metadata: {{name: {name}}}\nspec:\n  parentRefs: [{{name: g}}]\n  rules:\n"
                f"  - matches: [{{path: {{type: PathPrefix, value: {path}}}}}]\n    filters: {filters}\n"
                "    backendRefs: [{group: weft.dev, name: backend}]\n")
    reference = "[{type: ExtensionRef, extensionRef: {group: weft.dev, kind: Filter, name: script}}]"
    text = ("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec:\n"
            f"  gatewayClassName: weft\n  addresses: [{{value: 127.0.0.1}}]\n"
            f"  listeners: [{{name: http, protocol: HTTP, port: {port}}}]\n"
            "---\napiVersion: weft.dev/v1\nkind: Service\nmetadata: {name: backend}\n"
            f"spec: {{endpoints: [\"127.0.0.1:{backend}\"]}}\n" + route("fine", "/fine", "[]"))
    if script:
        text += route("hostile", "/hostile", reference)
        text += ("---\napiVersion: weft.dev/v1\nkind: Filter\nmetadata: {name: script}\n"
                 f"spec: {{type: lua, config: {{file: \"{script}\", onError: {on_error}}}}}\n")
    return text


BACKEND = """apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: g}
spec:
  gatewayClassName: weft
  addresses: [{value: 127.0.0.1}]
  listeners: [{name: http, protocol: HTTP, port: PORT}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: all}
spec:
  parentRefs: [{name: g}]
  rules:
  - filters: [{type: ExtensionRef, extensionRef: {group: weft.dev, kind: Filter, name: answer}}]
---
apiVersion: weft.dev/v1
kind: Filter
metadata: {name: answer}
spec: {type: respond, config: {status: 200, body: "fine"}}
"""


class Proxy:
    """`weft run` on a folder, ready."""

    def __init__(self, binary, folder, text, cpu):
        os.makedirs(folder)
        with open(os.path.join(folder, "weft.yaml"), "w") as file:
            file.write(text)
        self.admin = free_port()
        self.log = open(os.path.join(folder, "log"), "w+")
        self.process = subprocess.Popen(
            [binary, "run", "-f", folder, "--workers", "1", "--admin", f"127.0.0.1:{self.admin}"],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
        for _ in range(400):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=5)
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        self.stop()
        raise SystemExit("the proxy did not start: " + open(os.path.join(folder, "log")).read()[-2000:])

    def metric(self, name):
        """The sum of a family's samples."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=30)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        return sum(float(n) for n in re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)", text, re.M))

    @property
    def rss(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) / 1024

    def stop(self):
        """Returns how it ended."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return "killed"


def hostile_clients(port, count, end, result):
    """So many clients, each one request after the other."""
    os.sched_setaffinity(0, {1})
    request = b"GET /hostile HTTP/1.1\r\nhost: a\r\nuser-agent: x\r\n\r\n"
    selector = selectors.DefaultSelector()
    statuses = collections.Counter()
    unanswered = set()

    def connect():
        s = socket.create_connection(("127.0.0.1", port))
        s.setblocking(False)
        s.send(request)
        unanswered.add(s)
        selector.register(s, selectors.EVENT_READ)

    for _ in range(count):
        connect()
    while time.monotonic() < end:
        for key, _ in selector.select(0.1):
            s = key.fileobj
            try:
                data = s.recv(1 << 20)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            selector.unregister(s)
            unanswered.discard(s)
            s.close()
            statuses[data[9:12].decode(errors="replace") if data else "closed"] += 1
            connect()
    result.put((dict(statuses), len(unanswered)))


def fixed_rate(port, rate, seconds, result):
    """Latencies in ms of requests that are due at a fixed rate, on as many connections as that takes."""
    os.sched_setaffinity(0, {1})
    request = b"GET /fine HTTP/1.1\r\nhost: a\r\n\r\n"
    selector = selectors.DefaultSelector()
    idle, latencies, wrong, opened = [], [], 0, 0
    begin = time.monotonic()
    due = 0
    total = int(rate * seconds)
    while len(latencies) + wrong < total:
        now = time.monotonic()
        if now > begin + seconds + 15:
            break
        while due < total and begin + due / rate <= now:
            if not idle:
                s = socket.create_connection(("127.0.0.1", port))
                s.setblocking(False)
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                opened += 1
            else:
                s = idle.pop()
            s.send(request)
            selector.register(s, selectors.EVENT_READ, begin + due / rate)
            due += 1
        wait = begin + due / rate - time.monotonic() if due < total else 0.1
        for key, _ in selector.select(max(wait, 0)):
            s = key.fileobj
            selector.unregister(s)
            data = s.recv(65536)
            if data[9:12] == b"200":
                latencies.append((time.monotonic() - key.data) * 1000)
                idle.append(s)
            else:
                wrong += 1
    result.put((latencies, wrong + total - len(latencies) - wrong))


def run(binary, script, arguments, backend):
    """One script's row."""
    folder = tempfile.mkdtemp(prefix="weft-hostile-")
    file, name, expected, text, code = script
    path = None
    if code:
        path = os.path.join(folder, "script.lua")
        with open(path, "w") as out:
            out.write(code)
    port = free_port()
    proxy = Proxy(binary, os.path.join(folder, "proxy"), configuration(port, backend, path, arguments.on_error), 0)
    before = proxy.rss
    hostile, fine = multiprocessing.Queue(), multiprocessing.Queue()
    workers = [multiprocessing.Process(target=fixed_rate, args=(port, arguments.rate, arguments.seconds, fine))]
    if code:
        workers.append(multiprocessing.Process(
            target=hostile_clients, args=(port, arguments.clients, time.monotonic() + arguments.seconds, hostile)))
    for worker in workers:
        worker.start()
    latencies, wrong = fine.get(timeout=60)
    statuses, unanswered = hostile.get(timeout=60) if code else ({}, 0)
    for worker in workers:
        worker.join(30)
    grown, held = float("nan"), 0.0
    given_up = 0
    if proxy.process.poll() is None:
        grown = proxy.rss - before
        held = proxy.metric("weft_lua_longest_call_seconds") * 1000
        given_up = proxy.metric("weft_lua_states_given_up") + proxy.metric("weft_lua_states_replaced_total")
    ended = proxy.stop()
    log = open(os.path.join(folder, "proxy", "log"), errors="replace").read()
    reasons = [word for word, said in (
        ("CPU limit", "used up its processor time"), ("memory limit", "memory limit"),
        ("memory limit", "not enough memory"), ("error", "stack traceback"),
        ("tripped", "the filter has tripped")) if said in log]
    if given_up:
        reasons.append("state given up")
    # What fills memory slowly meets the limit on time first; either ends it.
    as_meant = not text or text in log or (expected == "memory" and "CPU limit" in reasons)
    if expected == "fine" and code:
        as_meant = not any(word in reasons for word in ("CPU limit", "memory limit", "error"))
    shutil.rmtree(folder)
    latencies.sort()
    at = lambda share: latencies[min(int(len(latencies) * share), len(latencies) - 1)] if latencies else float("nan")
    answers = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
    return dict(file=file, name=name, expected=expected, answers=answers or "none", reasons=list(dict.fromkeys(reasons)),
                as_meant=as_meant, p50=at(0.5), p99=at(0.99), most=at(1), held=held, wrong=wrong, grown=grown, ended=ended,
                unanswered=unanswered)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scripts", nargs="*", help="parts of names; all when none is given")
    parser.add_argument("--binary", default=os.path.join(HERE, ".build/release/weft"))
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rate", type=float, default=400, help="requests a second to the other route")
    parser.add_argument("--clients", type=int, default=8, help="clients of the hostile route")
    parser.add_argument("--on-error", default="deny")
    parser.add_argument("--markdown", metavar="FILE", help="write the table into this page, which has a place for it")
    arguments = parser.parse_args()
    if arguments.markdown and BEGIN not in open(arguments.markdown).read():
        parser.error(f"{arguments.markdown} has no place for the table: a line that begins with {BEGIN}")
    if not os.access(arguments.binary, os.X_OK):
        parser.error(f"there is no {arguments.binary}; build it with make build, or give --binary")
    folder = tempfile.mkdtemp(prefix="weft-hostile-")
    port = free_port()
    backend = Proxy(arguments.binary, os.path.join(folder, "backend"), BACKEND.replace("PORT", str(port)), 1)
    rows = []
    try:
        chosen = list(scripts(arguments.scripts))
        for script in [("none", "no script at all", "fine", None, "")] + chosen:
            row = run(arguments.binary, script, arguments, port)
            rows.append(row)
            bad = is_bad(row)
            print(f"{'!' if bad else ' '} {row['file']:9} {row['name'][:44]:44} {row['expected']:6} "
                  f"{'+'.join(row['reasons'])[:34]:34} p50 {row['p50']:6.2f} p99 {row['p99']:7.2f} max {row['most']:7.1f} "
                  f"held {row['held']:5.1f} "
                  f"+{row['grown']:5.1f} MB wrong {row['wrong']} end {row['ended']} [{row['answers']}]", flush=True)
    finally:
        backend.stop()
        shutil.rmtree(folder)
    if arguments.markdown:
        write(arguments, rows)
    bad = [row for row in rows if is_bad(row)]
    print(f"{len(rows) - 1} scripts, {len(bad)} of them not as they should be" + (": " if bad else "")
          + ", ".join(f"{row['file']}: {row['name']}" for row in bad))
    return 1 if bad else 0


def is_bad(row):
    return not row["as_meant"] or not row["p99"] < 50 or row["wrong"] or row["ended"] != 0


def write(arguments, rows):
    """Puts the table into a page."""
    with open(arguments.markdown) as file:
        text = file.read()
    worst = max(rows[1:], key=lambda row: row["p99"])
    longest = max(rows[1:], key=lambda row: row["held"])
    version = subprocess.run([arguments.binary, "--version"], capture_output=True, text=True).stdout.strip()
    lines = [f"{BEGIN} (written by Benchmarks/hostile.py --markdown, not by hand) -->", "",
             f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, weft {version}: {len(rows) - 1} scripts, "
             f"{arguments.seconds:g} s each, {arguments.clients} clients of the hostile route, {arguments.rate:g} requests a "
             f"second to the other one. {sum(not is_bad(row) for row in rows[1:])} ended as they were meant to, with a 99th "
             f"percentile below 50 ms and no failed request on the other route. The highest 99th percentile was "
             f"{worst['p99']:.1f} ms ({worst['name']}), the longest call {longest['held']:.0f} ms ({longest['name']}).", "",
             "| script | meant to end as | seen in the log | p50 ms | p99 ms | longest ms | longest call, CPU ms | memory MB |",
             "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |"]
    for row in rows:
        name = re.sub(r"([|_*`\\<])", r"\\\1", row["name"])
        held = f"{row['held']:.0f}" if row["held"] > 0 else ""
        lines.append(f"| {row['file']}: {name} | {row['expected']} | {', '.join(row['reasons'])} | {row['p50']:.2f} | "
                     f"{row['p99']:.2f} | {row['most']:.1f} | {held} | {row['grown']:+.1f} |")
    head, rest = text.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    with open(arguments.markdown, "w") as file:
        file.write(head + "\n".join(lines) + "\n\n" + END + tail)


if __name__ == "__main__":
    sys.exit(main())
