"""Runs a scenario: starts what takes part, checks its answers, measures it in turns."""
import http.client
import os
import resource
import time
from dataclasses import dataclass, field

from . import scenarios
from .instructions import count_instructions, stripped
from .load import IdleConnections, get, run_wrk
from .certificates import make_certificate
from .machine import Quiet
from .peers import CONFIGS, render
from .ports import Ports, served_by
from .process import Failed, wait_until

CONNECTIONS = 64
IDLE_COUNTS = (1000, 5000)
_START_SECONDS = 60


@dataclass
class Runner:
    """A contestant that runs."""
    contestant: scenarios.Contestant
    process: object
    port: int
    log: str
    idle_bytes: int = 0
    rounds: list = field(default_factory=list)


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
        self.backend_port = 0
        make_certificate(folder)

    def start_backend(self):
        self.backend_port = self.ports.take()
        folder = self.new_folder("backend")
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

    def start(self, contestant, command_prefix=(), peer=None):
        """Starts a contestant on the proxy's CPU and waits until it answers."""
        peer = peer or self.peers[contestant.proxy]
        folder = self.new_folder(contestant.label)
        port, admin_port = self.ports.take(), self.ports.take()
        values = self._values(folder, port)
        if contestant.routes:
            values["ROUTES"] = scenarios.route_block(contestant.proxy, contestant.routes)
        config = os.path.join(folder, contestant.config + peer.suffix)
        render(os.path.join(CONFIGS, peer.name, contestant.config + peer.suffix), values, config)
        command = list(command_prefix) + peer.command(config, folder, admin_port)
        process = self._processes.start(contestant.label, command, self.cpus[0], os.path.join(folder, "output.log"))
        runner = Runner(contestant, process, port, values["LOG"])
        # Resident memory before the first request: the port is open, and nothing was sent to it.
        if wait_until(lambda: served_by(port, process) or not process.running(), _START_SECONDS):
            runner.idle_bytes = process.resident_bytes()
        self._await(process, port, "/service-0/item" if contestant.routes else "/", contestant.tls)
        return runner

    def stripped_weft(self):
        """A copy of Weft's program without debug information, made once."""
        if self._stripped is None:
            self._stripped = stripped(self.peers["weft"].binary, self._folder)
        return self._stripped

    def stop(self, runner, patience=5):
        self._processes.stop(runner.process, patience)

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
                "CERTIFICATES": self._folder}

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

    for _ in range(3):
        status, headers, body = get(runner.port, path, contestant.tls)
        if status != 200 or body != scenarios.BODY:
            wrong(f"{status} with {len(body)} bytes at {path}")
    if contestant.routes and get(runner.port, "/none")[0] != 404:
        wrong("a path without a route is not answered with 404")
    if contestant.config == "filters":
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


def run_load(bench, scenario, rounds, seconds):
    """Loads the contestants in turns; returns what the report shows."""
    left_out = {}
    runners = _start_all(bench, scenario, left_out)

    def one_round(runner, length):
        loaded = []
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        backend_before = sum(bench.backend.cpu_seconds())
        quiet = Quiet(bench.cpus)
        user_before, system_before = runner.process.cpu_seconds()
        result = run_wrk(runner.port, bench.cpus[1], CONNECTIONS, length, runner.contestant.routes,
                         lambda: loaded.append(runner.process.resident_bytes()), runner.contestant.tls, scenario.closes)
        user_after, system_after = runner.process.cpu_seconds()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        own = (user_after - user_before + system_after - system_before + sum(bench.backend.cpu_seconds())
               - backend_before + after.ru_utime - children.ru_utime + after.ru_stime - children.ru_stime)
        requests = result["requests"]
        user = (user_after - user_before) * 1e6 / requests
        system = (system_after - system_before) * 1e6 / requests
        return {
            "requests": requests,
            "rate": requests / (result["microseconds"] / 1e6),
            "user": user, "system": system, "cpu": user + system,
            "p50": result["p50"], "p99": result["p99"], "p999": result["p999"],
            "loaded_mb": loaded[0] / 1e6 if loaded else 0.0,
            "others": quiet.other_share(own),
        }

    for runner in list(runners):
        try:
            one_round(runner, 1)
        except Failed as error:
            left_out[runner.contestant.label] = str(error)
            bench.progress(f"  left out: {runner.contestant.label}: {error}")
            bench.stop(runner)
            runners.remove(runner)
    for number in range(rounds):
        # Each round begins with another one, so that none always follows the same.
        turn = number % len(runners) if runners else 0
        for runner in runners[turn:] + runners[:turn]:
            label = runner.contestant.label
            if label in left_out:
                continue
            try:
                result = one_round(runner, seconds)
            except Failed as error:
                left_out[label] = str(error)
                bench.progress(f"  left out: {label}: {error}")
                continue
            runner.rounds.append(result)
            _reset_log(runner)
            bench.progress(f"  round {number + 1}/{rounds}  {label:<24} {result['rate']:>9,.0f} requests/s "
                           f"{result['cpu']:>8.2f} µs CPU  others {result['others']:.0%}")
    contestants = []
    for runner in runners:
        if runner.contestant.label not in left_out:
            contestants.append({"label": runner.contestant.label, "proxy": runner.contestant.proxy,
                                "idle_mb": runner.idle_bytes / 1e6, "rounds": runner.rounds})
        bench.stop(runner)
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


RUN = {"load": run_load, "idle": run_idle, "instructions": run_instructions}
