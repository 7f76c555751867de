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
import time


class Traffic:
    """Connections that send one request after the other.

    `counts` has the answers by the values of `headers`, as a tuple; what failed is under ("failed", why).
    """

    def __init__(self, port, connections, headers, pause=0.0, timeout=10):
        self.port, self.headers, self.pause, self.timeout = port, headers, pause, timeout
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.ends = threading.Event()
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(connections)]
        for thread in self.threads:
            thread.start()

    def work(self):
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        while not self.ends.is_set():
            try:
                client.request("GET", "/traffic")
                response = client.getresponse()
                response.read()
                if response.status == 200:
                    key = tuple(response.headers.get(name) or "none" for name in self.headers)
                else:
                    key = ("failed", str(response.status))
            except Exception as error:  # a reset, a time-out: a failed request
                client.close()
                key = ("failed", type(error).__name__)
            with self.lock:
                self.counts[key] += 1
            if self.pause:
                time.sleep(self.pause)
        client.close()

    def now(self):
        """The counts so far."""
        with self.lock:
            return self.counts.copy()

    def stop(self):
        """Ends it, and gives the counts of all."""
        self.ends.set()
        for thread in self.threads:
            thread.join(self.timeout + 5)
        return self.now()


def main():
    traffic = Traffic(int(sys.argv[1]), int(sys.argv[2]), ["x-greeting"])

    def show(counts):
        names = {key: " ".join(key if key[0] == "failed" else ("greeting", *key)) for key in counts}
        print(json.dumps({names[key]: n for key, n in counts.items()}), flush=True)

    for _ in sys.stdin:
        show(traffic.now())
    show(traffic.stop())


if __name__ == "__main__":
    main()
