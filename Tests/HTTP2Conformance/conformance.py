#!/usr/bin/env python3
"""Holds an HTTP/2 server against RFC 9113 and RFC 7541 by raw frames.

    conformance.py PORT [CA-CERTIFICATE] [--only TEXT]

With a certificate it speaks TLS, for `a.test`. The server is to answer `/echo` with 200 and what it got, and `/hang`
never. One line per case that is not met, then a line per section with how many passed; ends with 1 if one
failed that is not known to.
"""

import collections
import sys

from cases import CASES
from wire import Connection, Failed


class Target:
    def __init__(self, port, authority):
        self.port = port
        self.authority = authority


def main(arguments):
    only = ""
    if "--only" in arguments:
        at = arguments.index("--only")
        only = arguments[at + 1]
        del arguments[at : at + 2]
    target = Target(int(arguments[0]), arguments[1] if len(arguments) > 1 else None)
    passed, total = collections.Counter(), collections.Counter()
    unexpected = 0
    for section, text, options, run in CASES:
        if only not in f"{section}: {text}":
            continue
        total[section] += 1
        known = options.get("known")
        try:
            connection = Connection(target, **{k: v for k, v in options.items() if k != "known"})
            try:
                run(connection)
            finally:
                connection.close()
            passed[section] += 1
            if known:
                unexpected += 1
                print(f"PASSED {section}: {text}, which was not met: {known}", flush=True)
        except (Failed, OSError) as problem:
            unexpected += not known
            print(f"{'KNOWN' if known else 'FAILED'} {section}: {text}: {known or problem}", flush=True)
    for section, count in total.items():
        print(f"{section}: {passed[section]} of {count}")
    print(f"all: {passed.total()} of {total.total()}")
    return 0 if total and not unexpected else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
