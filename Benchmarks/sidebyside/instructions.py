"""Instructions per request by callgrind: repeatable where times are not, so made for finding regressions."""
import os
import re
import shutil
import subprocess

from .peers import Weft, program
from .process import Failed

# Two runs that differ in nothing but their requests: what they do not share is what requests cost.
_FEW, _MANY = 2000, 12000
_CONNECTIONS = 16


def stripped(binary, folder):
    """A copy without debug information, which valgrind cannot always read."""
    copy = os.path.join(folder, "weft.stripped")
    shutil.copy(binary, copy)
    done = subprocess.run([program("strip"), copy], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60)
    if done.returncode != 0:
        raise Failed(f"strip failed: {done.stderr.strip()}")
    return copy


def count_instructions(bench, scenario, contestant, check):
    """User instructions per request, over all threads."""
    few = _run(bench, scenario, contestant, check, _FEW)
    many = _run(bench, scenario, contestant, check, _MANY)
    return (many - few) / (_MANY - _FEW)


def _run(bench, scenario, contestant, check, requests):
    folder = bench.new_folder("callgrind")
    prefix = [program("valgrind"), "--quiet", "--tool=callgrind", "--separate-threads=yes",
              "--callgrind-out-file=" + os.path.join(folder, "callgrind.out")]
    runner = bench.start(contestant, command_prefix=prefix, peer=Weft(bench.stripped_weft()))
    try:
        check(scenario, runner)
        path = "/service-5/item" if contestant.routes else "/"
        version = ["-m", "10"] if contestant.label == "http2" else ["--h1"]
        command = [program("h2load"), *version, "-n", str(requests), "-c", str(_CONNECTIONS), "-t", "1",
                   f"http{'s' if contestant.tls else ''}://127.0.0.1:{runner.port}{path}"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        if f"{requests} succeeded" not in done.stdout:
            raise Failed(f"{contestant.label}: requests failed under callgrind")
    finally:
        # It writes its counts when it ends, which takes a while.
        bench.stop(runner, patience=60)
    total = 0
    for name in os.listdir(folder):
        if name.startswith("callgrind.out"):
            with open(os.path.join(folder, name), errors="replace") as file:
                total += sum(int(found) for found in re.findall(r"^totals: (\d+)", file.read(), re.MULTILINE))
    if total == 0:
        raise Failed(f"{contestant.label}: callgrind counted nothing")
    return total
