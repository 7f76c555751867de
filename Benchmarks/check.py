#!/usr/bin/env python3
"""Holds the instructions that Weft spends on a request against Benchmarks/baselines.json: more than 3 % above a
baseline fails. Counted by callgrind, so that it does not matter what else the machine does. Takes less than five
minutes. After a change that is worth its cost, --update writes the new baselines, to be committed with it.
"""
import argparse
import json
import os
import signal
import sys
import tempfile

from sidebyside.instructions import count_instructions
from sidebyside.measure import Bench, check
from sidebyside.peers import ROOT, Nginx, Weft
from sidebyside.process import Failed, Processes, raise_file_limit
from sidebyside.report import replace
from sidebyside.scenarios import SCENARIOS

BASELINES = os.path.join(ROOT, "Benchmarks", "baselines.json")
HOT = ("plain", "filters", "lua", "access-log", "tls", "http2")
TOLERANCE = 0.03
# How requests fall into batches differs from run to run, and can only add: a count that is too high is taken again.
TRIES = 3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write what is counted now as the new baselines")
    parser.add_argument("--binary", metavar="PATH", default=os.path.join(ROOT, ".build", "release", "weft"),
                        help="Weft's program (default: .build/release/weft)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with open(BASELINES) as file:
            baselines = json.load(file)
    except FileNotFoundError:
        baselines = {}
    scenario = next(scenario for scenario in SCENARIOS if scenario.kind == "instructions")
    contestants = [one for one in scenario.contestants if one.label in HOT]
    peers = {"weft": Weft(os.path.abspath(options.binary)), "nginx": Nginx()}
    cpus = sorted(os.sched_getaffinity(0))
    counted, failed = {}, 0
    try:
        for peer in peers.values():
            peer.find()
        with tempfile.TemporaryDirectory(prefix="weft-check-") as folder, Processes() as processes:
            os.chmod(folder, 0o755)
            bench = Bench(peers, [cpus[0], cpus[-1]], folder, processes, lambda line: None, raise_file_limit())
            bench.start_backend()
            print(f"{'':12}{'baseline':>12}{'now':>12}{'change':>9}")
            for contestant in contestants:
                name = contestant.label
                before = baselines.get(name)
                for _ in range(TRIES):
                    now = round(count_instructions(bench, scenario, contestant, check))
                    counted[name] = min(now, counted.get(name, now))
                    if options.update or before is None or counted[name] <= before * (1 + TOLERANCE):
                        break
                change = "" if before is None else f"{counted[name] / before - 1:+.1%}"
                too_many = before is None or counted[name] > before * (1 + TOLERANCE)
                failed += too_many
                print(f"{name:12}{'none' if before is None else format(before, ','):>12}{counted[name]:>12,}"
                      f"{change:>9}{'  too many' if too_many and not options.update else ''}", flush=True)
    except (Failed, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    if options.update:
        replace(BASELINES, json.dumps(counted, indent=2) + "\n")
        print(f"written to {os.path.relpath(BASELINES, ROOT)}")
        return 0
    # The closing line that test runners print.
    print(f"{len(contestants) - failed} passed, {failed} failed")
    if failed:
        print("Find what costs more with callgrind (docs/performance.md). If it is worth its cost, commit the result of "
              "Benchmarks/check.py --update with the change, and say why.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
