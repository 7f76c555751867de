#!/usr/bin/env python3
"""The main job of a mesh, on this machine: a control plane, a gateway and three services with sidecars; traffic; a canary
of a service and of a filter; a control plane that is killed. Every step is checked: ends with 1 when one does not hold.

usage: demo.py          runs it, and leaves the mesh running to look at
       demo.py --stop   ends what an earlier run left

Environment: WEFT (the binary; .build/release/weft), DEMO_DIR (where state and logs go; .build/demo), DEMO_STOP=1 (ends
the mesh at the end), DEMO_PORTS=free (takes any free ports instead of the usual ones).
"""
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from traffic import Traffic

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILES = ROOT / "examples/mesh"
FOLDER = pathlib.Path(os.environ.get("DEMO_DIR") or ROOT / ".build/demo").resolve()
WEFT = os.path.abspath(os.environ.get("WEFT") or ROOT / ".build/release/weft")
PATIENCE = 60  # seconds that anything may take on a machine with other things to do

# ---- What is shown

COLOR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
START = time.monotonic()


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOR else text


def title(text):
    print(f"\n{paint('1', text)}", flush=True)


def say(text):
    print(f"  {text}", flush=True)


def held(text):
    print(f"  {paint('32', 'ok')}  {text}", flush=True)


class Failed(Exception):
    """Something did not go as it should."""


def check(condition, text, detail=""):
    if not condition:
        raise Failed(f"{text}{': ' if detail else ''}{detail}")
    held(text)


def wait_for(what, condition):
    """Waits until `condition` gives something true, and gives that."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.05)
    raise Failed(f"waited {PATIENCE} seconds in vain for {what}")


# ---- Processes, which outlive this one


def start(name, *command, environment=None):
    """Starts a process with its log in a file, and gives its id."""
    with open(FOLDER / f"{name}.log", "ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=FOLDER,
            env={**os.environ, "WEFT_DEMO": str(FOLDER), **(environment or {})})
    with open(FOLDER / "pids", "a") as pids:
        pids.write(f"{process.pid}\n")
    return process


def is_ours(pid):
    """Whether a process with this id belongs to the demo: ids are used again."""
    try:
        return f"WEFT_DEMO={FOLDER}".encode() in pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def stop_all():
    """Ends what runs, sidecars and gateway first, as they drain."""
    try:
        pids = [int(line) for line in (FOLDER / "pids").read_text().split()]
    except OSError:
        return 0
    ours = [pid for pid in pids if is_ours(pid)]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in reversed(ours):
            if is_ours(pid):
                os.kill(pid, number)
        end = time.monotonic() + 15
        while any(is_running(pid) for pid in ours) and time.monotonic() < end:
            time.sleep(0.05)
    (FOLDER / "pids").unlink()
    return len(ours)


def is_running(pid):
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
    return is_ours(pid)


# ---- Ports and requests


def is_free(port, may_linger=True):
    with socket.socket() as probe:
        if may_linger:  # connections that have just ended do no harm
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


taken = set()


def any_port():
    """A port that is free, below those that the system gives to connections."""
    while True:
        port = random.randrange(20000, 32000)
        if port not in taken and is_free(port, may_linger=False):
            taken.add(port)
            return port


def usual_port(number):
    return number if os.environ.get("DEMO_PORTS") != "free" and is_free(number) else any_port()


direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(port, host="shop", path="/"):
    """Status, headers and text of an answer; status 0 when there is none."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"host": host})
    try:
        with direct.open(request, timeout=PATIENCE) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()
    except OSError as error:
        return 0, {}, str(error)


# ---- The mesh


class Mesh:
    def __init__(self):
        self.api, self.discovery = usual_port(15080), usual_port(15081)
        self.port, self.admin = usual_port(8080), usual_port(15000)
        self.url = f"http://127.0.0.1:{self.api}"
        os.environ.update(WEFT_CONTROL=self.url, WEFT_CONFIG=str(FOLDER / "config"))
        os.environ.pop("WEFT_TOKEN", None)
        self.control = None
        self.sidecars = {}

    def weft(self, *arguments, given=None):
        result = subprocess.run([WEFT, *arguments], input=given, capture_output=True, text=True, timeout=PATIENCE)
        if result.returncode:
            raise Failed(f"weft {' '.join(arguments)} ended with {result.returncode}: {result.stderr}{result.stdout}")
        return result.stdout

    def apply(self, name):
        """Applies a file of the example, with the port that the gateway got."""
        self.weft("apply", "-f", "-", given=(FILES / name).read_text().replace("port: 8080", f"port: {self.port}"))

    def push(self, version):
        """Makes the bundle's folder with that version, and puts it into use."""
        folder = FOLDER / "banner"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(FILES / "banner", folder)
        for file in ("bundle.yaml", "main.lua"):
            path = folder / file
            path.write_text(path.read_text().replace("1.0.0", version))
        self.weft("bundle", "push", str(folder), "--use")

    def start_control(self):
        self.control = start(
            "control", WEFT, "control", "--data", str(FOLDER / "control"), "--api", f"127.0.0.1:{self.api}",
            "--discovery", f"127.0.0.1:{self.discovery}")

        def is_ready():
            if self.control.poll() is not None:
                raise Failed(f"the control plane ended with {self.control.returncode}")
            return get(self.api, "localhost", "/readyz")[0] == 200

        wait_for("the control plane", is_ready)

    def token(self, kind, name):
        return {"WEFT_JOIN_TOKEN": self.weft("token", "create", "--join", f"--{kind}", name).strip()}

    def start_gateway(self):
        start(
            "gateway", WEFT, "gateway", "--name", "edge", "--control", f"127.0.0.1:{self.discovery}", "--state",
            str(FOLDER / "edge"), "--admin", f"127.0.0.1:{self.admin}", "--workers", "1",
            environment=self.token("gateway", "edge"))

    def start_service(self, service, program, version, *calls):
        """An instance of a service: its program, and the sidecar beside it."""
        app, inbound, outbound, admin = (any_port() for _ in range(4))
        name = f"{program}-{version}"
        calls = ["--outbound", str(outbound), "--calls", *calls] if calls else []
        start(name, sys.executable, str(FILES / "service.py"), program, str(app), "--version", version, *calls)
        start(
            f"{name}-sidecar", WEFT, "sidecar", "--service", service, "--app", f"127.0.0.1:{app}", "--control",
            f"127.0.0.1:{self.discovery}", "--inbound", f"127.0.0.1:{inbound}", "--outbound", f"127.0.0.1:{outbound}",
            "--state", str(FOLDER / f"{name}-state"), "--instance", name, "--label", f"version={version}", "--admin",
            f"127.0.0.1:{admin}", "--workers", "1", environment=self.token("service", service))
        self.sidecars[service] = (inbound, outbound)
        say(f"{name:<12} app 127.0.0.1:{app:<6} sidecar: inbound {inbound}, outbound {outbound}")

    def proxies(self):
        return json.loads(self.weft("status", "--json"))["proxies"]

    def are_synced(self, count):
        proxies = self.proxies()
        return len(proxies) == count and all(proxy["sync"] == "synced" for proxy in proxies)


# ---- The steps

SERVED, BANNER = 0, 1


def served(counts, name):
    """How many answers a service took part in, of all that did not fail."""
    fine = {key: n for key, n in counts.items() if key[0] != "failed"}
    return sum(n for key, n in fine.items() if name in key[SERVED].split()), sum(fine.values())


def failures(counts):
    return {key[1]: n for key, n in counts.items() if key[0] == "failed"}


def run():
    mesh = Mesh()
    title("A control plane, and what it is to do")
    mesh.start_control()
    mesh.push("1.0.0")
    mesh.apply("mesh.yaml")
    held(f"weft control, API on {mesh.url}; examples/mesh/mesh.yaml applied, bundle banner 1.0.0 pushed")

    title("Three services, one of them in two versions, each with a sidecar, and a gateway")
    mesh.start_service("shop", "shop", "v1", "reviews")
    mesh.start_service("reviews", "reviews", "v1", "ratings")
    mesh.start_service("reviews-next", "reviews", "v2", "ratings")
    mesh.start_service("ratings", "ratings", "v1")
    mesh.start_gateway()
    wait_for("an answer through gateway and sidecars", lambda: get(mesh.port)[0] == 200)
    wait_for("all five proxies to be in sync", lambda: mesh.are_synced(5))
    status, headers, text = get(mesh.port)
    held(f"GET http://127.0.0.1:{mesh.port}/ went through three services:")
    print("".join(f"        {line}\n" for line in text.splitlines()), end="", flush=True)
    say(f"x-served-by: {headers['x-served-by']}; x-banner: {headers['x-banner']}")

    title("Who may not, does not")
    status, _, text = get(mesh.sidecars["shop"][1], host="ratings")
    check(status == 403, "the policy lets reviews alone ask ratings: shop gets 403", f"{status} {text}")
    inbound = mesh.sidecars["ratings"][0]
    stranger = subprocess.run(
        ["curl", "-sk", "--noproxy", "*", "--max-time", str(PATIENCE), f"https://127.0.0.1:{inbound}/"], capture_output=True, check=False)
    check(stranger.returncode != 0, "and nobody without a certificate of the mesh gets to its sidecar at all")

    title("A canary of a service, under load: a tenth of the requests to reviews v2")
    traffic = Traffic(mesh.port, 4, ["x-served-by", "x-banner"], pause=0.005, timeout=PATIENCE)
    try:
        steps(mesh, traffic)
    finally:
        counts = traffic.stop()
    failed = failures(counts)
    title("What the traffic saw")
    for (who, banner), n in sorted(item for item in counts.items() if item[0][0] != "failed"):
        say(f"{n:>7}  {who:<36} banner {banner}")
    check(not failed, f"{sum(counts.values())} requests, none failed", f"failed requests: {failed}")

    title("weft status")
    print("".join(f"  {line}\n" for line in mesh.weft("status").splitlines()), end="", flush=True)
    return mesh


def enough(traffic, before, count=250):
    """The counts since `before`, once there are enough of them to tell a share."""
    return wait_for("traffic", lambda: (lambda new: new if sum(new.values()) >= count else None)(traffic.now() - before))


def steps(mesh, traffic):
    wait_for("traffic", lambda: sum(traffic.now().values()) >= 50)
    mesh.apply("canary.yaml")
    wait_for("the canary's first request", lambda: served(traffic.now(), "reviews-v2")[0])
    canary, total = served(enough(traffic, traffic.now()), "reviews-v2")
    share = 100 * canary / total
    check(3 <= share <= 20, f"reviews v2 served {canary} of {total} requests, {share:.1f} %", "about 10 % were to be")

    title("A canary of a filter: the next version of the bundle, while traffic flows")
    # The place for a rollout by percentage, with analysis and rollback: weft bundle rollout banner.
    began = time.monotonic()
    mesh.push("1.1.0")
    pushed = time.monotonic()
    wait_for("the new filter's first response", lambda: any(k[BANNER] == "1.1.0" for k in traffic.now() if k[0] != "failed"))
    first = time.monotonic() - pushed
    wait_for("all proxies to be in sync", lambda: mesh.are_synced(5))
    old = {key: n for key, n in enough(traffic, traffic.now(), 100).items() if key[BANNER] == "1.0.0"}
    check(not old, f"banner 1.1.0 checked, tested and pushed in {pushed - began:.1f} s, ran {max(first, 0):.2f} s later", f"still old: {old}")

    title("kill -9 of the control plane, under load")
    mesh.control.kill()
    mesh.control.wait()
    before = traffic.now()
    during = enough(traffic, before)
    check(not failures(during), f"{sum(during.values())} requests without a control plane, none failed", str(failures(during)))
    mesh.start_control()
    wait_for("all proxies to be back", lambda: mesh.are_synced(5))
    held("it is back with all that it had, and all five proxies are connected and in sync")

    title("The canary did well: all requests to reviews v2")
    mesh.apply("promoted.yaml")

    def is_promoted():
        before = traffic.now()
        share, total = served(enough(traffic, before, 100), "reviews-v2")
        return share == total

    wait_for("the last request to reviews v1", is_promoted)
    held("reviews v2 serves every request; v1 is still there for weft rollback")


def farewell(mesh):
    usual = mesh.url == "http://127.0.0.1:15080"
    weft = os.path.relpath(WEFT, os.getcwd())
    title("It goes on running. Next:")
    commands = [] if usual else [(f"export WEFT_CONTROL={mesh.url}", "the usual port was taken")]
    commands += [
        (f"curl -i http://127.0.0.1:{mesh.port}/", "a request through all of it"),
        (f"{weft} status", "the proxies"),
        (f"{weft} get all", "what the mesh is told to do"),
        (f"{weft} describe httproute reviews", "the canary's route, its versions and events"),
        (f"{weft} rollback httproute reviews", "back to 90 : 10"),
        (f"{weft} apply -f examples/mesh/canary.yaml", "after you edited the weights"),
        (f"curl http://127.0.0.1:{mesh.sidecars['shop'][1]}/ -H 'host: reviews'", "as the shop's program asks"),
        (f"curl http://127.0.0.1:{mesh.admin}/metrics", "the gateway's metrics"),
        (f"less {os.path.relpath(FOLDER)}/gateway.log", "logs, one for each process"),
        ("make demo-stop", "ends it all"),
    ]
    width = max(len(command) for command, _ in commands)
    for command, what in commands:
        say(f"{command:<{width}}  {paint('2', '# ' + what)}")
    say("")
    say("docs/mesh.md says how it works.")


def main():
    if sys.argv[1:] == ["--stop"]:
        count = stop_all()
        print(f"{count} processes ended" if count else "nothing of the demo runs")
        return 0
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    if not os.access(WEFT, os.X_OK):
        print(f"{WEFT} is not there: build it with make build", file=sys.stderr)
        return 1
    if FOLDER.exists() and any(FOLDER.iterdir()) and not (FOLDER / "pids").exists() and not (FOLDER / "control").exists():
        print(f"{FOLDER} is not empty, and not of an earlier demo: name another folder with DEMO_DIR", file=sys.stderr)
        return 1
    stop_all()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    try:
        mesh = run()
    except (Failed, subprocess.TimeoutExpired, KeyboardInterrupt) as error:
        for log in sorted(FOLDER.glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()[-8:]
            print("".join(f"{log.name}: {line}\n" for line in lines), end="", file=sys.stderr)
        stop_all()
        print(f"{paint('31', 'the demo failed')}: {error or 'interrupted'}; logs are in {FOLDER}", file=sys.stderr)
        return 1
    title(f"Every check held, in {time.monotonic() - START:.0f} seconds")
    if os.environ.get("DEMO_STOP"):
        say(f"{stop_all()} processes ended")
    else:
        farewell(mesh)
    return 0


sys.exit(main())
