#!/usr/bin/env python3
"""What a control plane takes to serve many proxies.

Starts `weft control` with services and endpoints, and processes of MeshLoad that hold real discovery streams (gRPC over
TLS, one connection and one identity a proxy), each with the subscriptions of a sidecar: its own service, some others, and
one that all proxies call. Then it measures the control plane's memory and processor time at rest, how long the change of a
route takes until its last subscriber has acknowledged it, how long a new version of a bundle takes until all proxies run
it, and what so many changes of endpoints a second cost.

Everything runs on this machine: the load takes processor time that the control plane could have used. Needs so many open
files as there are proxies (ulimit -n), on both sides."""
import argparse
import http.client
import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BEGIN, END = "<!-- scale: begin", "<!-- scale: end -->"
ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def percentile(values, share):
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


class Control:
    """The control plane under test."""

    def __init__(self, binary, folder, extra):
        self.discovery, self.port = free_port(), free_port()
        self.folder = folder
        self.log = open(os.path.join(folder, "control.log"), "w")
        self.process = subprocess.Popen(
            [binary, "control", "--data", os.path.join(folder, "data"), "--discovery", f"127.0.0.1:{self.discovery}",
             "--api", f"127.0.0.1:{self.port}"] + extra, stdout=self.log, stderr=self.log)
        self.connection = None
        end = time.monotonic() + 60
        while True:
            try:
                self.call("GET", "/readyz")
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"weft control does not come up: {open(self.log.name).read()[-2000:]}")
                time.sleep(0.1)

    def call(self, method, path, body=None, kind="application/json"):
        for attempt in (0, 1):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
                data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
                self.connection.request(method, path, data, {"content-type": kind} if data else {})
                answer = self.connection.getresponse()
                text = answer.read()
                if answer.status >= 300:
                    raise SystemExit(f"{method} {path}: {answer.status} {text[:2000].decode(errors='replace')}")
                return json.loads(text) if text[:1] in b"{[" else text.decode()
            except (http.client.HTTPException, OSError):
                self.connection = None
                if attempt:
                    raise

    @property
    def rss(self):
        """MB, resident at present."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) * 1024 / 1e6

    @property
    def peak(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1)) * 1024 / 1e6

    @property
    def cpu(self):
        """Seconds of processor time until now."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def cores(self, seconds):
        """Cores that it uses over so long."""
        before, start = self.cpu, time.monotonic()
        time.sleep(seconds)
        return (self.cpu - before) / (time.monotonic() - start)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Load:
    """A process that holds streams."""

    def __init__(self, binary, control, tokens, first, count, services, calls):
        self.count = count
        self.numbers = range(first, first + count)
        self.process = subprocess.Popen(
            [binary, "--port", str(control.discovery), "--tokens", tokens, "--proxies", str(count), "--first", str(first),
             "--services", str(services), "--calls", str(calls)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a load ended early")
        return json.loads(line)

    def stop(self):
        try:
            self.say("quit")
            self.process.wait(60)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


def resources(services, endpoints):
    """Services, an EndpointSlice and a route of each."""
    for number in range(services):
        name = f"svc-{number}"
        yield {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
               "spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}]}}
        yield {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
               "metadata": {"name": f"{name}-a", "labels": {"kubernetes.io/service-name": name}},
               "addressType": "IPv4", "ports": [{"name": "http", "port": 8080}],
               "endpoints": [{"addresses": [f"172.{16 + number // 256 % 16}.{number % 256}.{n + 1}"]}
                             for n in range(endpoints)]}
        yield {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name},
               "spec": {"parentRefs": [{"group": "", "kind": "Service", "name": name}],
                        "rules": [{"backendRefs": [{"name": name, "port": 80}]}]}}
    yield {"apiVersion": "weft.dev/v1", "kind": "Filter", "metadata": {"name": "tag"},
           "spec": {"type": "lua", "config": {"bundle": "tag"}}}


def subscribers(load, service, services, calls):
    """How many proxies of a load call a service; as Plan.swift chooses."""
    found = 0
    for number in load.numbers:
        own = number % services
        called = {own, 0} | {(own + 1 + call * 37 + number // services) % services for call in range(calls)}
        found += service in called
    return found


def collect(loads, kind, counts, seconds):
    """Lags of a kind in seconds, sorted, and how many proxies are not connected."""
    for load, count in zip(loads, counts):
        load.say(f"collect {kind} {count} {seconds}")
    lags, lost = [], 0
    for load in loads:
        answer = load.answer()
        lags += answer["lags"]
        lost += answer["lost"]
    return sorted(lag / 1e6 for lag in lags), lost


def change_routes(control, loads, services, rounds, arguments):
    """Changes routes one after the other."""
    everything, slowest, writes, missing = [], [], [], 0
    for service in services[:rounds]:
        counts = [subscribers(load, service, arguments.services, arguments.calls) for load in loads]
        start = time.monotonic_ns()
        control.call("PATCH", f"{ROUTES}svc-{service}", {"metadata": {"annotations": {"sent-ns": str(start)}}},
                     "application/merge-patch+json")
        writes.append((time.monotonic_ns() - start) / 1e9)
        lags, _ = collect(loads, "route", counts, 60)
        missing += sum(counts) - len(lags)
        if lags:
            slowest.append(lags[-1])
        everything += lags
        time.sleep(0.3)
    everything.sort()
    return {"rounds": rounds, "acknowledgements": len(everything), "missing": missing, "p50": percentile(everything, 0.5),
            "p99": percentile(everything, 0.99), "last": max(slowest, default=float("nan")),
            "write_p50": percentile(sorted(writes), 0.5)}


def push_bundle(arguments, folder, control, number):
    """Pushes a version of a bundle of one script; its digest."""
    parent = os.path.join(folder, f"bundle-{number}")
    os.makedirs(parent)
    path = os.path.join(parent, "tag")
    subprocess.run([arguments.binary, "bundle", "new", "tag", "--in", parent], check=True, capture_output=True)
    with open(os.path.join(path, "bundle.yaml")) as file:
        manifest = re.sub(r"(?m)^(\s*version:).*$", rf"\1 1.0.{number}", file.read())
    with open(os.path.join(path, "bundle.yaml"), "w") as file:
        file.write(manifest)
    result = subprocess.run(
        [arguments.binary, "bundle", "push", path, "--skip-tests", "--json", "--control",
         f"http://127.0.0.1:{control.port}"], capture_output=True, text=True)
    if result.returncode:
        raise SystemExit(f"weft bundle push: {result.stdout}{result.stderr}")
    digest = subprocess.run([arguments.binary, "bundle", "digest", path], capture_output=True, text=True).stdout
    return re.search(r"sha256:[0-9a-f]{64}", digest).group(0)


def use_bundle(control, digest):
    control.call("POST", "/weft/v1/apply", {"resources": [
        {"apiVersion": "weft.dev/v1", "kind": "FilterBundle",
         "metadata": {"name": "tag", "annotations": {"sent-ns": str(time.monotonic_ns())}}, "spec": {"digest": digest}}]})


def active(control, digest):
    """How many proxies the control plane says to run that version."""
    proxies = control.call("GET", "/weft/v1/proxies")["proxies"]
    return sum(any(b["digest"] == digest and b["state"] == "ready" for b in p["bundles"]) for p in proxies)


def change_bundle(arguments, folder, control, loads, number):
    digest = push_bundle(arguments, folder, control, number)
    start = time.monotonic()
    use_bundle(control, digest)
    lags, lost = collect(loads, "bundle", [load.count for load in loads], 120)
    while active(control, digest) < len(lags) and time.monotonic() - start < 120:
        time.sleep(0.1)
    return {"proxies": len(lags), "p50": percentile(lags, 0.5), "last": lags[-1] if lags else float("nan"),
            "named_active": time.monotonic() - start, "lost": lost}


def change_endpoints(control, loads, rate, seconds):
    total = sum(load.count for load in loads)
    before, start = control.cpu, time.monotonic()
    for load in loads:
        load.say(f"change {rate * load.count / total} {seconds}")
    changes = sum(load.answer()["changes"] for load in loads)
    time.sleep(1)
    cores = (control.cpu - before) / (time.monotonic() - start)
    lags, lost = collect(loads, "workload", [0] * len(loads), 0)
    return {"changes": changes, "seconds": seconds, "acknowledgements": len(lags), "p50": percentile(lags, 0.5),
            "p99": percentile(lags, 0.99), "last": lags[-1] if lags else float("nan"), "cores": cores,
            "rss": control.rss, "lost": lost}


def measure(arguments, folder):
    figures = {"proxies": arguments.proxies, "services": arguments.services, "endpoints": arguments.endpoints}
    control = Control(arguments.binary, folder, [])
    loads = []
    try:
        figures["rss_empty"] = control.rss
        each = max(arguments.endpoints - arguments.proxies, 0) // arguments.services
        every = list(resources(arguments.services, each))
        figures["endpoints"] = each * arguments.services + arguments.proxies
        start = time.monotonic()
        use = push_bundle(arguments, folder, control, 0)
        use_bundle(control, use)
        for first in range(0, len(every), 1500):
            control.call("POST", "/weft/v1/apply", {"resources": every[first:first + 1500]})
        figures["apply_seconds"] = time.monotonic() - start
        figures["resources"] = len(every) + 1
        tokens = os.path.join(folder, "tokens")
        with open(tokens, "w") as file:
            for number in range(min(arguments.services, arguments.proxies)):
                answer = control.call("POST", "/weft/v1/join-tokens", {
                    "kind": "sidecar", "namespace": "default", "name": f"svc-{number}", "isReusable": True})
                file.write(f"svc-{number} {answer['token']}\n")
        figures["rss_resources"] = control.rss
        print(f"{len(every)} resources applied in {figures['apply_seconds']:.1f} s", flush=True)

        share = -(-arguments.proxies // arguments.processes)
        start, before = time.monotonic(), control.cpu
        for first in range(0, arguments.proxies, share):
            loads.append(Load(arguments.load, control, tokens, first, min(share, arguments.proxies - first),
                              arguments.services, arguments.calls))
        ready = [load.answer() for load in loads]
        figures["connect_seconds"] = time.monotonic() - start
        figures["connect_cpu_ms"] = (control.cpu - before) / arguments.proxies * 1000
        figures["subscriptions"] = sum(one["subscriptions"] for one in ready)
        print(f"{arguments.proxies} proxies joined and connected in {figures['connect_seconds']:.1f} s", flush=True)
        time.sleep(arguments.settle)
        for kind in ("route", "workload", "bundle"):  # what they were sent at first
            collect(loads, kind, [0] * len(loads), 0)
        figures["rss"] = control.rss
        figures["rss_peak"] = control.peak
        figures["cores_idle"] = control.cores(arguments.settle)
        print(f"{figures['rss']:.0f} MB, {figures['cores_idle']:.2f} cores at rest", flush=True)

        choice = random.Random(1)
        figures["route_all"] = change_routes(control, loads, [0] * arguments.rounds, arguments.rounds, arguments)
        print(f"route of everybody: {figures['route_all']}", flush=True)
        some = [choice.randrange(1, arguments.services) for _ in range(arguments.rounds)] if arguments.services > 1 else []
        figures["route_some"] = change_routes(control, loads, some, len(some), arguments)
        print(f"route of one service: {figures['route_some']}", flush=True)
        figures["bundle"] = change_bundle(arguments, folder, control, loads, 1)
        print(f"bundle: {figures['bundle']}", flush=True)
        figures["changes"] = change_endpoints(control, loads, arguments.rate, arguments.seconds)
        print(f"endpoints: {figures['changes']}", flush=True)
        figures["rss_end"] = control.rss
    finally:
        for load in loads:
            load.stop()
        control.stop()
        if arguments.keep_log:
            shutil.copy(control.log.name, arguments.keep_log)
    return figures


def table(f):
    """Rows: what, figure, target, kept."""
    def verdict(value, target):
        return "kept" if value < target else "**not kept**"
    def ms(value):
        return f"{value * 1000:.0f} ms" if value < 10 else f"{value:.1f} s"
    everybody, some, bundle, changes = f["route_all"], f["route_some"], f["bundle"], f["changes"]
    rows = [
        ("resident memory: empty; with all resources; with all proxies at rest",
         f"{f['rss_empty']:.0f}, {f['rss_resources']:.0f}, {f['rss']:.0f} MB", "< 600 MB", verdict(f["rss"], 600)),
        ("resident memory after everything below; the most while proxies connected",
         f"{f['rss_end']:.0f}, {f['rss_peak']:.0f} MB", "< 600 MB", verdict(max(f["rss_end"], f["changes"]["rss"]), 600)),
        ("a proxy's share of it", f"{(f['rss'] - f['rss_resources']) / f['proxies'] * 1000:.0f} KB", "", ""),
        ("joining and connecting: all; processor time each",
         f"{f['connect_seconds']:.0f} s; {f['connect_cpu_ms']:.1f} ms", "", ""),
        ("processor time at rest, with telemetry every 10 s", f"{f['cores_idle']:.2f} cores", "", ""),
        (f"a route of one service to its subscribers' acknowledgements ({some['rounds']} changes, "
         f"{some['acknowledgements'] // max(some['rounds'], 1)} proxies each): p50, p99, last",
         f"{ms(some['p50'])}, {ms(some['p99'])}, {ms(some['last'])}", "p99 < 1 s", verdict(some["p99"], 1)),
        (f"a route that all {f['proxies']:,} proxies have ({everybody['rounds']} changes): p50, p99, last",
         f"{ms(everybody['p50'])}, {ms(everybody['p99'])}, {ms(everybody['last'])}", "p99 < 1 s",
         verdict(everybody["p99"], 1)),
        ("a new version of a bundle, fetched, verified and reported by all: last; named active by the control plane",
         f"{ms(bundle['last'])}; {ms(bundle['named_active'])}", "< 5 s", verdict(bundle["named_active"], 5)),
        (f"{changes['changes'] / changes['seconds']:.0f} changes of endpoints a second for {changes['seconds']} s "
         f"({changes['acknowledgements'] / changes['seconds']:,.0f} acknowledgements a second): p50, p99, last",
         f"{ms(changes['p50'])}, {ms(changes['p99'])}, {ms(changes['last'])}", "", ""),
        ("processor time meanwhile", f"{changes['cores']:.2f} cores", "", ""),
        ("acknowledgements that were missing; streams that were lost",
         f"{everybody['missing'] + some['missing'] + f['proxies'] - bundle['proxies']}; {changes['lost']}", "0", ""),
    ]
    return ["| what | figure | target | |", "| --- | --- | --- | --- |"] + [f"| {' | '.join(row)} |" for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=os.path.join(HERE, ".build/release/weft"))
    parser.add_argument("--load", default=os.path.join(HERE, ".build/release/MeshLoad"))
    parser.add_argument("--proxies", type=int, default=5000)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--endpoints", type=int, default=20000, help="in EndpointSlices, and the workload of each proxy")
    parser.add_argument("--calls", type=int, default=4, help="services that a proxy calls, besides one that all call")
    parser.add_argument("--processes", type=int, default=2, help="of the load")
    parser.add_argument("--rounds", type=int, default=20, help="changes of routes")
    parser.add_argument("--rate", type=float, default=100, help="changes of endpoints a second")
    parser.add_argument("--seconds", type=int, default=60, help="for so long")
    parser.add_argument("--settle", type=int, default=20, help="seconds before, and of, the measurement at rest")
    parser.add_argument("--json", metavar="FILE", help="write the figures into this file")
    parser.add_argument("--markdown", metavar="FILE", help="write the table into this page, which has a place for it")
    parser.add_argument("--keep-log", metavar="FILE", help="keep the control plane's log")
    arguments = parser.parse_args()
    if arguments.markdown and BEGIN not in open(arguments.markdown).read():
        parser.error(f"{arguments.markdown} has no place for the table: a line that begins with {BEGIN}")
    for path in (arguments.binary, arguments.load):
        if not os.access(path, os.X_OK):
            parser.error(f"there is no {path}; build it with make scale, or name another")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = arguments.proxies + 200
    if hard != resource.RLIM_INFINITY and hard < needed:
        parser.error(f"{needed} open files are needed, and {hard} are allowed (ulimit -Hn); take fewer --proxies")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 20000)) if hard > 0 else needed, hard))
    folder = tempfile.mkdtemp(prefix="weft-scale-")
    try:
        figures = measure(arguments, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    lines = table(figures)
    print("\n".join(lines))
    with open("/proc/cpuinfo") as file:
        processor = re.search(r"model name\s*: (.*)", file.read())
    version = subprocess.run([arguments.binary, "--version"], capture_output=True, text=True).stdout.strip()
    figures["when"] = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    figures["version"] = version
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(figures, file, indent=2)
    if arguments.markdown:
        with open(arguments.markdown) as file:
            head, rest = file.read().split(BEGIN, 1)
        intro = (f"{figures['when']} UTC, weft {version}, {os.cpu_count()} CPUs of "
                 f"{processor.group(1).strip() if processor else 'an unknown kind'}: {figures['proxies']:,} proxies with "
                 f"{figures['subscriptions']:,} subscriptions, {figures['services']:,} services, "
                 f"{figures['endpoints']:,} endpoints, {figures['resources']:,} resources; the load runs on the same CPUs.")
        text = "\n".join([f"{BEGIN} (written by Benchmarks/scale.py --markdown, not by hand) -->", "", intro, ""] + lines)
        with open(arguments.markdown, "w") as file:
            file.write(head + text + "\n\n" + END + rest.split(END, 1)[1])


if __name__ == "__main__":
    sys.exit(main())
