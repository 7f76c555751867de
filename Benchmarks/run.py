#!/usr/bin/env python3
"""Compares Weft with nginx, HAProxy, nginx's Lua module and Envoy, side by side on this machine.

One proxy at a time works, on one CPU; what loads it and what it forwards to share another. The proxies take turns,
round by round. docs/performance.md says how to read the result. Everything listens on 127.0.0.1 and is stopped at the
end.
"""
import argparse
import os
import signal
import sys
import tempfile
import time

from sidebyside import machine, plot, report, summary
from sidebyside.measure import RUN, Bench
from sidebyside.peers import ROOT, all_peers
from sidebyside.process import Failed, Processes, raise_file_limit
from sidebyside.scenarios import SCENARIOS


def parse(arguments):
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", metavar="SCENARIO", nargs="*",
                        help="what to run (default: all); --list names them")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each proxy (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=4, help="length of a round (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write everything measured, single rounds included")
    parser.add_argument("--into", metavar="FILE",
                        help="an earlier run's JSON: what is measured now takes its place there, and says so; the rest stays")
    parser.add_argument("--markdown", metavar="FILE",
                        help="write the tables: between the marks of a file that has them, or as a new file")
    parser.add_argument("--plots", metavar="FOLDER", help="draw each scenario as SVG; --markdown shows them")
    parser.add_argument("--binary", metavar="PATH", default=os.path.join(ROOT, ".build", "release", "weft"),
                        help="Weft's program (default: .build/release/weft)")
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    options = parser.parse_args(arguments)
    for name in options.scenarios:
        if name not in names:
            parser.error(f"there is no scenario '{name}'; there are {', '.join(names)}")
    if not 1 <= options.rounds <= 1000 or not 1 <= options.seconds <= 600:
        parser.error("--rounds takes 1 to 1000, --seconds 1 to 600")
    return options


def find_peers(binary, wanted):
    """The proxies that are here, with their versions; why the others are not. Weft and nginx must be."""
    found, versions, missing = {}, {}, {}
    for name, peer in all_peers(binary).items():
        if name not in wanted and name != "nginx":
            continue
        try:
            peer.find()
            versions[name] = peer.version()
            found[name] = peer
        except Failed as error:
            if name in ("weft", "nginx"):
                raise
            missing[name] = str(error)
    return found, versions, missing


def duration(chosen, peers, rounds, seconds):
    """About how long the run takes, in seconds."""
    total = 0.0
    for scenario in chosen:
        count = sum(1 for contestant in scenario.contestants if contestant.proxy in peers)
        load = rounds * (seconds + 0.1) + 4
        total += count * {"load": load, "latency": load, "reload": load, "start": rounds, "idle": 8,
                          "instructions": 25}[scenario.kind]
    return total


def main():
    options = parse(sys.argv[1:])
    if options.list:
        for scenario in SCENARIOS:
            print(f"{scenario.name:<18}{scenario.title}")
        return 0
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        print("This takes two CPUs: one for the proxy, one for its load.", file=sys.stderr)
        return 1
    cpus = cpus[:2]
    # Ctrl-C and `kill` both leave through the blocks that stop what was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = [scenario for scenario in SCENARIOS if not options.scenarios or scenario.name in options.scenarios]
    file_limit = raise_file_limit()
    started = time.monotonic()

    def progress(line):
        print(f"[{time.monotonic() - started:5.0f} s] {line}", file=sys.stderr, flush=True)

    failed = False
    try:
        if options.markdown:
            report.check_markdown(options.markdown)
        earlier = report.read_json(options.into) if options.into else None
        peers, versions, missing = find_peers(
            os.path.abspath(options.binary),
            {contestant.proxy for scenario in chosen for contestant in scenario.contestants})
        run = {"machine": machine.facts(cpus), "versions": versions, "missing": missing, "rounds": options.rounds,
               "seconds": options.seconds, "scenarios": {}}
        print(report.header(run))
        if earlier:
            summary.check_same_machine(earlier, run)
        for name, reason in missing.items():
            print(f"{name} is left out: {reason}")
        progress(f"about {duration(chosen, peers, options.rounds, options.seconds) / 60:.0f} minutes")
        os.sched_setaffinity(0, {cpus[1]})
        with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder, Processes() as processes:
            # nginx's workers may run as another user.
            os.chmod(folder, 0o755)
            bench = Bench(peers, cpus, folder, processes, progress, file_limit)
            bench.start_backend()
            for scenario in chosen:
                progress(scenario.name)
                results = RUN[scenario.kind](bench, scenario, options.rounds, options.seconds)
                results |= {"title": scenario.title, "kind": scenario.kind, "is_bulk": scenario.is_bulk}
                summary.summarise(scenario, results)
                run["scenarios"][scenario.name] = results
                print(report.text(scenario.name, scenario.title, results), flush=True)
                weft_labels = {contestant.label for contestant in scenario.contestants if contestant.proxy == "weft"}
                failed = failed or any(label in results["left_out"] for label in weft_labels)
        if earlier:
            run = summary.merged(earlier, run, [scenario.name for scenario in SCENARIOS])
            report.write_json(options.into, run)
        if options.json:
            report.write_json(options.json, run)
        plots = plot.write_plots(options.plots, run) if options.plots else {}
        if options.markdown:
            page = os.path.dirname(os.path.abspath(options.markdown))
            report.write_markdown(options.markdown, run,
                                  {name: os.path.relpath(path, page) for name, path in plots.items()})
    except (Failed, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
