#!/usr/bin/env python3
"""Sends requests over keep-alive connections until told to stop, and counts what came back.

usage: traffic.py PORT CONNECTIONS
Reads commands from standard input: an empty line prints the counts so far, end of file stops.
"""
import collections
import http.client
import json
import sys
import threading

port, connections = int(sys.argv[1]), int(sys.argv[2])
lock = threading.Lock()
counts = collections.Counter()
stop = threading.Event()


def work():
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    while not stop.is_set():
        try:
            client.request("GET", "/traffic")
            response = client.getresponse()
            response.read()
            key = ("greeting", response.headers.get("x-greeting") or "none") if response.status == 200 else ("failed", str(response.status))
        except Exception as error:  # a reset, a time-out: a failed request
            client.close()
            key = ("failed", type(error).__name__)
        with lock:
            counts[key] += 1
    client.close()


threads = [threading.Thread(target=work, daemon=True) for _ in range(connections)]
for thread in threads:
    thread.start()
for _ in sys.stdin:
    with lock:
        print(json.dumps({f"{kind} {value}": n for (kind, value), n in counts.items()}), flush=True)
stop.set()
for thread in threads:
    thread.join(15)
print(json.dumps({f"{kind} {value}": n for (kind, value), n in counts.items()}), flush=True)
