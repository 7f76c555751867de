"""Runs a scenario: starts what takes part, checks its answers, measures it in turns."""
import contextlib
import http.client
import os
import resource
import signal
import statistics
import threading
import time
from dataclasses import dataclass, field

from . import loads, scenarios
from .certificates import make_certificates
from .instructions import count_instructions, stripped
from .machine import Quiet
from .peers import CONFIGS, render
from .ports import Ports, served_by
from .process import Failed, wait_until
from .requests import IdleConnections, curl_http2, get

IDLE_COUNTS = (1000, 5000)
# nginx reads nothing but HTTP/2 at a port that it was told to speak it at in the clear.
_HTTP2_ONLY = {"nginx": ("http2", "http2-upstream")}
_START_SECONDS = 60


@dataclass
class Runner:
    """A contestant that runs."""
    contestant: scenarios.Contestant
    process: object
    port: int
    log: str
    folder: str
    # The process behind it, if two are measured as one.
    second: object = None
    idle_bytes: int = 0
    rounds: list = field(default_factory=list)

    def cpu_seconds(self):
        user, system = self.process.cpu_seconds()
        if self.second:
            more = self.second.cpu_seconds()
            return user + more[0], system + more[1]
        return user, system

    def resident_bytes(self):
        return self.process.resident_bytes() + (self.second.resident_bytes() if self.second else 0)


class Bench:
    """What all scenarios of a run share: CPUs, ports, folder, peers, the backend."""

    def __init__(self, peers, cpus, folder, processes, progress, file_limit):
        self.peers = peers
        self.cpus = cpus
        self.progress = progress
        self.ports = Ports()
        self._folder = folder
        self._processes = processes
        self._file_limit = file_limit
        self._count = 0
        self._stripped = None
        self.backend = None
        self.backend_port = self.http2_port = self.echo_port = 0
        self.echo = None
        make_certificates(folder)

    def start_backend(self):
        self.backend_port, self.http2_port = self.ports.take(), self.ports.take()
        folder = self.new_folder("backend")
        with open(os.path.join(folder, "message"), "wb") as file:
            file.write(loads.message(128))
        with open(os.path.join(folder, "big"), "wb") as file:
            for _ in range(100):
                file.write(b"x" * 1_000_000)
        nginx = self.peers["nginx"]
        config = os.path.join(folder, "backend.conf")
        render(os.path.join(CONFIGS, "nginx", "backend.conf"),
               self._values(folder, self.backend_port) | {"BODY": scenarios.BODY.replace("\n", "\\n")}, config)
        self.backend = self._processes.start("backend", nginx.command(config, folder, 0), self.cpus[1],
                                             os.path.join(folder, "output.log"))
        self._await(self.backend, self.backend_port, "/")
        status, _, body = get(self.backend_port)
        if status != 200 or body != scenarios.BODY:
            raise Failed("the backend does not answer as it should")

    def start_echo(self):
        """Starts what WebSocket scenarios forward to, once."""
        if self.echo is None:
            if not os.access(loads.WEFT_LOAD, os.X_OK):
                raise Failed(f"there is no {loads.WEFT_LOAD}: make bench builds it")
            self.echo_port = self.ports.take()
            self.echo = self._processes.start("echo", [loads.WEFT_LOAD, "echo", "--port", str(self.echo_port)],
                                              self.cpus[1], os.path.join(self.new_folder("echo"), "output.log"))
            self._await(self.echo, self.echo_port, "/")

    def start(self, contestant, command_prefix=(), peer=None):
        """Starts a contestant on the proxy's CPU and waits until it answers."""
        peer = peer or self.peers[contestant.proxy]
        second, more = None, {}
        if contestant.second:
            more["PEER"] = self.ports.take()
            second = self._spawn(f"{contestant.label}, second", peer, contestant.second,
                                 self._values(self.new_folder(contestant.second), more["PEER"]))
            if not wait_until(lambda: served_by(more["PEER"], second) or not second.running(), _START_SECONDS):
                raise Failed(f"{second.name} did not come up:\n{second.log_tail()}")
        folder = self.new_folder(contestant.label)
        port = self.ports.take()
        values = self._values(folder, port) | more
        if contestant.routes:
            values["ROUTES"] = scenarios.route_block(contestant.proxy, contestant.routes)
        process = self._spawn(contestant.label, peer, contestant.config, values, command_prefix)
        runner = Runner(contestant, process, port, values["LOG"], folder, second)
        # Resident memory before the first request: the port is open, nothing was sent to it, and the start is over.
        if wait_until(lambda: served_by(port, process) or not process.running(), _START_SECONDS):
            time.sleep(1)
            runner.idle_bytes = runner.resident_bytes()
        if contestant.config not in _HTTP2_ONLY.get(peer.name, ()):
            self._await(process, port, "/service-0/item" if contestant.routes else "/", contestant.tls)
        return runner

    def _spawn(self, label, peer, config, values, command_prefix=()):
        path = os.path.join(values["DIR"], config + peer.suffix)
        render(os.path.join(CONFIGS, peer.name, config + peer.suffix), values, path)
        command = list(command_prefix) + peer.command(path, values["DIR"], self.ports.take())
        return self._processes.start(label, command, self.cpus[0], os.path.join(values["DIR"], "output.log"))

    def rewrite(self, runner, turn):
        """Gives a contestant a changed configuration while it runs."""
        peer, contestant = self.peers[runner.contestant.proxy], runner.contestant
        path = os.path.join(runner.folder, contestant.config + peer.suffix)
        render(os.path.join(CONFIGS, peer.name, contestant.config + peer.suffix),
               self._values(runner.folder, runner.port) | {"TURN": turn}, path + ".new")
        os.replace(path + ".new", path)
        if peer.name == "nginx":  # Weft sees that the file has changed
            os.kill(runner.process.pid, signal.SIGHUP)

    def time_start(self, contestant):
        """Seconds from the start of a contestant to its first answer, and its resident bytes then."""
        peer = self.peers[contestant.proxy]
        port = self.ports.take()
        values = self._values(self.new_folder(contestant.label), port)
        process = self._spawn(contestant.label, peer, contestant.config, values)
        # It returns when the program has been loaded in place of the driver's own child, which takes as long as it takes
        # to copy the driver.
        began = time.monotonic()
        try:
            while True:
                try:
                    if get(port, "/", contestant.tls)[0] == 200:
                        return time.monotonic() - began, process.resident_bytes()
                except (OSError, http.client.HTTPException):
                    pass
                if time.monotonic() - began > _START_SECONDS or not process.running():
                    raise Failed(f"{contestant.label} did not come up:\n{process.log_tail()}")
                time.sleep(0.001)
        finally:
            self._processes.stop(process)

    def stripped_weft(self):
        """A copy of Weft's program without debug information, made once."""
        if self._stripped is None:
            self._stripped = stripped(self.peers["weft"].binary, self._folder)
        return self._stripped

    def stop(self, runner, patience=5):
        self._processes.stop(runner.process, patience)
        if runner.second:
            self._processes.stop(runner.second, patience)

    def new_folder(self, label):
        """A folder of its own below that of the run."""
        self._count += 1
        name = "".join(letter if letter.isalnum() else "-" for letter in label)
        path = os.path.join(self._folder, f"{self._count:03}-{name}")
        os.mkdir(path)
        return path

    def _values(self, folder, port):
        nginx = self.peers["nginx"]
        return {"PORT": port, "BACKEND": self.backend_port, "DIR": folder, "CONFIGS": CONFIGS,
                "LOG": os.path.join(folder, "access.log"), "MODULES": nginx.modules, "FILES": self._file_limit,
                "CERTIFICATES": self._folder, "HTTP": self.http2_port, "ECHO": self.echo_port, "TURN": 0}

    def _await(self, process, port, path, tls=False):
        def ready():
            if not process.running():
                return True
            try:
                return served_by(port, process) and get(port, path, tls)[0] == 200
            except (OSError, http.client.HTTPException):
                return False

        if not wait_until(ready, _START_SECONDS) or not process.running():
            said = process.log_tail()
            raise Failed(f"{process.name} did not come up" + (f":\n{said}" if said else ""))
        if not served_by(port, process):
            raise Failed(f"another process listens at port {port} of {process.name}")


def check(scenario, runner):
    """Throws Failed unless the contestant answers as the scenario says."""
    contestant = runner.contestant
    path = f"/service-{contestant.routes - 1}/item" if contestant.routes else "/"

    def wrong(what):
        raise Failed(f"{contestant.label} answers wrongly: {what}")

    if scenario.load.tool == "h2load":
        # The body is looked at where HTTP/1.1 is spoken; curl says the rest.
        said = curl_http2(runner.port, scenario.load, runner.folder)
        if said != ("2", "200", "133" if scenario.load.grpc else str(len(scenarios.BODY))):
            wrong(f"version, status and length are {said}")
        return
    if scenario.load.tool == "websocket":
        return  # the load looks at every message
    for _ in range(3):
        status, headers, body = get(runner.port, path, contestant.tls)
        if status != 200 or body != scenarios.BODY:
            wrong(f"{status} with {len(body)} bytes at {path}")
    if contestant.routes and get(runner.port, "/none")[0] != 404:
        wrong("a path without a route is not answered with 404")
    if contestant.config in ("filters", "filters-log"):
        for name, value in scenario.headers.items():
            if headers.get(name) != value:
                wrong(f"the response has no {name}: {value}")
    if contestant.config == "lua":
        if headers.get("x-lua-resp") != "yes":
            wrong("the response lacks what the script adds")
        if get(runner.port, "/seen")[2] != "bench-seen":
            wrong("the request lacks what the script adds")
        if get(runner.port, "/blocked")[0] != 403:
            wrong("/blocked is not refused")
    if scenario.logs:
        # Logs are written in pieces; every proxy here writes one within 10 seconds.
        def logged():
            try:
                with open(runner.log) as file:
                    return sum(1 for _ in file) >= 3
            except OSError:
                return False

        if not wait_until(logged, 15, 0.1):
            wrong("requests are not logged")


def _reset_log(runner):
    """Empties the access log, which all proxies open for appending."""
    try:
        os.truncate(runner.log, 0)
    except OSError:
        pass


def _start_all(bench, scenario, left_out):
    """Starts and checks the contestants; a peer that fails is left out with the reason."""
    runners = []
    for contestant in scenario.contestants:
        if contestant.proxy not in bench.peers:
            continue
        try:
            runner = bench.start(contestant)
            try:
                check(scenario, runner)
            except (OSError, http.client.HTTPException) as error:
                raise Failed(f"{contestant.label} does not answer: {error}") from error
            except Failed:
                bench.stop(runner)
                raise
        except Failed as error:
            left_out[contestant.label] = str(error)
            bench.progress(f"  left out: {error}")
            continue
        runners.append(runner)
    return runners


def _load(bench, scenario, runner, seconds, halfway, rate=None):
    """One load of one contestant with the scenario's tool."""
    load, cpu, tls = scenario.load, bench.cpus[1], runner.contestant.tls
    if rate is not None:
        return loads.run_rate(runner.port, cpu, load, seconds, rate, halfway)
    if load.tool == "h2load":
        return loads.run_h2load(runner.port, cpu, load, seconds, runner.folder, halfway, tls)
    if load.tool == "websocket":
        return loads.run_websocket(runner.port, cpu, load, seconds, halfway)
    return loads.run_wrk(runner.port, cpu, load, seconds, runner.contestant.routes, halfway, tls,
                         scenario.kind == "reload")


def _one_round(bench, scenario, runner, seconds, rate=None, meanwhile=None):
    """Loads a contestant for a round, and says what that cost it."""
    resident = []
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    backends = [process for process in (bench.backend, bench.echo) if process]
    backend_before = sum(sum(process.cpu_seconds()) for process in backends)
    quiet = Quiet(bench.cpus)
    user_before, system_before = runner.cpu_seconds()
    with meanwhile or contextlib.nullcontext():
        result = _load(bench, scenario, runner, seconds, lambda: resident.append(runner.resident_bytes()), rate)
    user_after, system_after = runner.cpu_seconds()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = (user_after - user_before + system_after - system_before
           + sum(sum(process.cpu_seconds()) for process in backends) - backend_before
           + after.ru_utime - children.ru_utime + after.ru_stime - children.ru_stime)
    requests = result["requests"]
    user = (user_after - user_before) * 1e6 / requests
    system = (system_after - system_before) * 1e6 / requests
    return {
        "requests": requests,
        "rate": requests / (result["microseconds"] / 1e6),
        "user": user, "system": system, "cpu": user + system,
        "p50": result["p50"], "p99": result["p99"], "p999": result["p999"],
        "loaded_mb": resident[0] / 1e6 if resident else 0.0,
        "others": quiet.other_share(own),
        "failed": result.get("failed", 0),
    }


def _rounds(bench, scenario, rounds, seconds, rate_of=None, meanwhile=None):
    """Loads the contestants in turns; returns what the report shows."""
    left_out = {}
    if scenario.load.tool == "websocket":
        bench.start_echo()
    runners = _start_all(bench, scenario, left_out)

    def leave_out(runner, error):
        left_out[runner.contestant.label] = str(error)
        bench.progress(f"  left out: {runner.contestant.label}: {error}")

    for runner in list(runners):
        try:
            _one_round(bench, scenario, runner, 3 if scenario.is_bulk or scenario.load.connections > 1000 else 1)
        except Failed as error:
            leave_out(runner, error)
            bench.stop(runner)
            runners.remove(runner)
    rate = rate_of(runners) if rate_of and runners else None
    for number in range(rounds):
        # Each round begins with another one, so that none always follows the same.
        turn = number % len(runners) if runners else 0
        for runner in runners[turn:] + runners[:turn]:
            label = runner.contestant.label
            if label in left_out:
                continue
            try:
                result = _one_round(bench, scenario, runner, seconds, rate, meanwhile and meanwhile(bench, runner))
            except Failed as error:
                leave_out(runner, error)
                continue
            runner.rounds.append(result)
            _reset_log(runner)
            bench.progress(f"  round {number + 1}/{rounds}  {label:<24} {result['rate']:>9,.0f} requests/s "
                           f"{result['cpu']:>8.2f} µs CPU  others {result['others']:.0%}")
    contestants = []
    for runner in runners:
        if runner.contestant.label not in left_out and runner.rounds:
            contestants.append({"label": runner.contestant.label, "proxy": runner.contestant.proxy,
                                "idle_mb": runner.idle_bytes / 1e6, "rounds": runner.rounds})
        bench.stop(runner)
    return {"contestants": contestants, "left_out": left_out} | ({"at_rate": rate} if rate else {})


def run_load(bench, scenario, rounds, seconds):
    return _rounds(bench, scenario, rounds, seconds)


def run_latency(bench, scenario, rounds, seconds):
    """Requests at a fixed rate: half of what nginx reaches when its connections are all kept busy."""
    def half_of_nginx(runners):
        nginx = next((runner for runner in runners if runner.contestant.proxy == "nginx"), None)
        if nginx is None:
            raise Failed("nginx, whose rate is the measure, does not take part")
        rate = int(_one_round(bench, scenario, nginx, seconds)["rate"] / 2)
        bench.progress(f"  half of nginx's rate: {rate:,} requests a second")
        return rate

    if not os.access(loads.WEFT_LOAD, os.X_OK):
        raise Failed(f"there is no {loads.WEFT_LOAD}: make bench builds it")
    return _rounds(bench, scenario, rounds, seconds, half_of_nginx)


class _Reloads(threading.Thread):
    """Changes a contestant's configuration, and makes it take the change up, again and again while the block runs."""

    def __init__(self, bench, runner):
        super().__init__(daemon=True)
        self._bench, self._runner = bench, runner
        self._end = threading.Event()

    def run(self):
        turn = 0
        while not self._end.wait(0.2):
            turn += 1
            self._bench.rewrite(self._runner, turn)

    def __enter__(self):
        self.start()

    def __exit__(self, *_):
        self._end.set()
        self.join()


def run_reload(bench, scenario, rounds, seconds):
    return _rounds(bench, scenario, rounds, seconds, meanwhile=_Reloads)


def run_start(bench, scenario, rounds, seconds):
    """Starts each contestant again and again, and times it up to its first answer."""
    left_out, found = {}, {}
    for _ in range(max(rounds * 2, 5)):
        for contestant in scenario.contestants:
            if contestant.proxy not in bench.peers or contestant.label in left_out:
                continue
            try:
                taken, size = bench.time_start(contestant)
            except Failed as error:
                left_out[contestant.label] = str(error)
                bench.progress(f"  left out: {error}")
                continue
            found.setdefault(contestant.label, []).append({"start_ms": taken * 1000, "idle_mb": size / 1e6})
    contestants = []
    for contestant in scenario.contestants:
        rows = found.get(contestant.label)
        if rows and contestant.label not in left_out:
            times = [row["start_ms"] for row in rows]
            contestants.append({"label": contestant.label, "proxy": contestant.proxy, "starts": times,
                                "start_ms": statistics.median(times), "idle_mb": rows[-1]["idle_mb"]})
            bench.progress(f"  {contestant.label:<24} {contestants[-1]['start_ms']:>8.1f} ms")
    return {"contestants": contestants, "left_out": left_out}


def _settled_bytes(process):
    """Resident memory once it has stopped changing, or after five seconds."""
    last = process.resident_bytes()
    end = time.monotonic() + 5
    while time.monotonic() < end:
        time.sleep(0.5)
        now = process.resident_bytes()
        if now == last:
            break
        last = now
    return last


def run_idle(bench, scenario, rounds, seconds):
    """Opens idle connections to one contestant after the other and looks at its resident memory."""
    left_out = {}
    contestants = []
    for contestant in scenario.contestants:
        if contestant.proxy not in bench.peers:
            continue
        single = scenarios.Scenario(scenario.name, scenario.title, scenario.kind, (contestant,))
        for runner in _start_all(bench, single, left_out):
            idle = IdleConnections(runner.port, scenarios.BODY)
            resident = [runner.idle_bytes]
            try:
                for count in IDLE_COUNTS:
                    idle.grow(count)
                    resident.append(_settled_bytes(runner.process))
                    open_now = idle.still_open()
                    if open_now != count:
                        raise Failed(f"{contestant.label} closed {count - open_now:,} of {count:,} idle connections")
            except (OSError, Failed) as error:
                left_out[contestant.label] = str(error)
                bench.progress(f"  left out: {contestant.label}: {error}")
                continue
            finally:
                idle.close()
                bench.stop(runner)
            few, many = IDLE_COUNTS
            contestants.append({
                "label": contestant.label, "proxy": contestant.proxy, "idle_mb": resident[0] / 1e6,
                "resident_mb": [size / 1e6 for size in resident[1:]],
                "first_connections": (resident[1] - resident[0]) / few,
                "per_connection": (resident[2] - resident[1]) / (many - few),
            })
            bench.progress(f"  {contestant.label:<24} {contestants[-1]['per_connection']:>9,.0f} bytes per connection")
    return {"contestants": contestants, "left_out": left_out}


def run_instructions(bench, scenario, rounds, seconds):
    """Counts the instructions per request of each configuration of Weft."""
    left_out = {}
    contestants = []
    for contestant in scenario.contestants:
        try:
            counted = count_instructions(bench, scenario, contestant, check)
        except (OSError, http.client.HTTPException, Failed) as error:
            left_out[contestant.label] = str(error)
            bench.progress(f"  left out: {error}")
            continue
        contestants.append({"label": contestant.label, "proxy": contestant.proxy, "instructions": counted})
        bench.progress(f"  {contestant.label:<24} {counted:>9,.0f} instructions per request")
    return {"contestants": contestants, "left_out": left_out}


RUN = {"load": run_load, "latency": run_latency, "reload": run_reload, "start": run_start, "idle": run_idle, "instructions": run_instructions}
