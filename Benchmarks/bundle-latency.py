#!/usr/bin/env python3
"""Measures how long a new version of a bundle takes from `weft bundle push --use` to the first request that runs it, at
every proxy, while requests come all the time, and counts requests that fail meanwhile.

Real processes: a control plane, so many gateways, one server behind them, one keep-alive client for each gateway, each of
which sends one request after the other. The clock starts before the command `weft bundle push` is started, so that its own
start, its checks (but for tests, of which this bundle has none) and the upload count; the last row begins when the command
has ended. Run it on a quiet machine.
"""
import argparse
import http.client
import http.server
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *_):
        pass


class Client(threading.Thread):
    """Sends one request after the other to a gateway, and remembers when a version was seen first."""

    def __init__(self, port, pause):
        super().__init__(daemon=True)
        self.port, self.pause = port, pause
        self.first, self.failures, self.requests, self.reasons = {}, 0, 0, {}
        self.is_over = False

    def run(self):
        connection = None
        while not self.is_over:
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                connection.request("GET", "/", headers={"host": "shop"})
                answer = connection.getresponse()
                answer.read()
                now = time.monotonic()
                version = answer.getheader("x-version")
                if answer.status != 200 or version is None:
                    raise RuntimeError(f"status {answer.status}, version {version}")
                self.first.setdefault(version, now)
            except (OSError, http.client.HTTPException, RuntimeError) as error:
                self.failures += 1
                self.reasons[str(error)] = self.reasons.get(str(error), 0) + 1
                connection = None
            self.requests += 1
            time.sleep(self.pause)


class Mesh:
    def __init__(self, weft, folder):
        self.weft, self.folder = weft, folder
        self.processes = []
        self.api, self.discovery = free_port(), free_port()

    def start(self, name, *arguments, token=None):
        environment = dict(os.environ, **({"WEFT_JOIN_TOKEN": token} if token else {}))
        log = open(os.path.join(self.folder, f"{name}.log"), "wb")
        self.processes.append(
            subprocess.Popen([self.weft, *arguments], stdout=log, stderr=log, env=environment, cwd=self.folder))

    def run(self, *arguments):
        command = [self.weft, *arguments, "--control", f"http://127.0.0.1:{self.api}"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}{done.stdout}")
        return done.stdout

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def bundle(self, version):
        path = os.path.join(self.folder, f"tagger-{version}")
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, "bundle.yaml"), "w") as file:
            file.write(f"name: tagger\nversion: {version}\n")
        with open(os.path.join(path, "main.lua"), "w") as file:
            file.write(f'function on_response(h) h:headers():add("x-version", "{version}") end\n')
        return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"waited {seconds} s in vain for {what}")
        time.sleep(0.01)


def answers(port, path="/"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def resources(app, ports):
    parts = [
        f'{{apiVersion: weft.dev/v1, kind: Service, metadata: {{name: app}}, spec: {{endpoints: ["127.0.0.1:{app}"]}}}}',
        "{apiVersion: weft.dev/v1, kind: Filter, metadata: {name: tag}, spec: {type: lua, config: {bundle: tagger}}}",
    ]
    for i, port in enumerate(ports):
        parts.append(
            f"{{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {{name: edge-{i}}}, spec: "
            f"{{gatewayClassName: weft, addresses: [{{value: 127.0.0.1}}], "
            f"listeners: [{{name: http, port: {port}, protocol: HTTP}}]}}}}")
        parts.append(
            f"{{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {{name: front-{i}}}, spec: "
            f"{{parentRefs: [{{name: edge-{i}}}], rules: [{{filters: [{{type: ExtensionRef, extensionRef: "
            f"{{group: weft.dev, kind: Filter, name: tag}}}}], "
            f"backendRefs: [{{group: weft.dev, kind: Service, name: app}}]}}]}}}}")
    return "\n---\n".join(parts) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proxies", type=int, default=10, help="gateways (default: 10)")
    parser.add_argument("--rounds", type=int, default=10, help="versions that are pushed (default: 10)")
    parser.add_argument("--pause", type=float, default=0.005, metavar="SECONDS",
                        help="between two requests of a client (default: 0.005)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--binary", metavar="PATH", default=os.path.join(ROOT, ".build", "release", "weft"),
                        help="Weft's program, weft-mesh beside it (default: .build/release/weft)")
    options = parser.parse_args()
    if not os.access(options.binary, os.X_OK):
        sys.exit(f"there is no {options.binary}: build it with make build, or name another with --binary")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), App)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="weft-bundles-") as folder:
        mesh = Mesh(os.path.abspath(options.binary), folder)
        try:
            rounds, clients = measure(mesh, server.server_address[1], options)
        finally:
            mesh.stop()
    show(rounds, clients, options)


def measure(mesh, app, options):
    folder = mesh.folder
    mesh.start("control", "control", "--data", f"{folder}/control", "--api", f"127.0.0.1:{mesh.api}",
               "--discovery", f"127.0.0.1:{mesh.discovery}")
    wait("the control plane", lambda: answers(mesh.api, "/readyz"))
    mesh.run("bundle", "push", mesh.bundle("1.0.0"), "--use", "--skip-tests")
    ports = [free_port() for _ in range(options.proxies)]
    with open(f"{folder}/mesh.yaml", "w") as file:
        file.write(resources(app, ports))
    mesh.run("apply", "-f", f"{folder}/mesh.yaml")
    for i in range(options.proxies):
        text = mesh.run("token", "create", "--join", "--gateway", f"edge-{i}")
        token = re.search(r"[\w-]+\.[\w-]+\.[\w-]+", text).group(0)
        mesh.start(f"edge-{i}", "gateway", "--name", f"edge-{i}", "--control", f"127.0.0.1:{mesh.discovery}",
                   "--state", f"{folder}/state-{i}", token=token)
    for port in ports:
        wait(f"the gateway at port {port}", lambda: answers(port))
    clients = [Client(port, options.pause) for port in ports]
    for client in clients:
        client.start()
    wait("every client", lambda: all("1.0.0" in client.first for client in clients))
    rounds = []
    for number in range(1, options.rounds + 1):
        version = f"1.{number}.0"
        path = mesh.bundle(version)
        time.sleep(1)
        begun = time.monotonic()
        mesh.run("bundle", "push", path, "--use", "--skip-tests")
        pushed = time.monotonic()
        wait(f"version {version}", lambda: all(version in client.first for client in clients))
        rounds.append([(client.first[version] - begun, client.first[version] - pushed) for client in clients])
    for client in clients:
        client.is_over = True
    for client in clients:
        client.join(60)
    return rounds, clients


def show(rounds, clients, options):
    first = [min(seconds for seconds, _ in proxies) for proxies in rounds]
    last = [max(seconds for seconds, _ in proxies) for proxies in rounds]
    after = [max(seconds for _, seconds in proxies) for proxies in rounds]
    requests, failures = sum(c.requests for c in clients), sum(c.failures for c in clients)
    if options.json:
        print(json.dumps({
            "proxies": options.proxies, "rounds": options.rounds, "requests": requests, "failures": failures,
            "firstProxy": first, "allProxies": last, "allProxiesAfterPush": after}))
    else:
        print(f"{options.proxies} proxies, {options.rounds} versions, {requests} requests meanwhile, {failures} failed\n")
        print(f"{'seconds':<44}{'median':>9}{'worst':>9}")
        for name, values in (("from the start of push to the first proxy", first),
                             ("from the start of push to every proxy", last),
                             ("from the end of push to every proxy", after)):
            print(f"{name:<44}{statistics.median(values):>9.3f}{max(values):>9.3f}")
    for client in clients:
        for reason, count in client.reasons.items():
            print(f"port {client.port}: {count} times {reason}", file=sys.stderr)
    if failures:
        sys.exit(1)


if __name__ == "__main__":
    main()
