"""Ports of 127.0.0.1: free ones, and who listens at one."""
import os
import socket

_LISTEN = "0A"


class Ports:
    """Hands out free ports, each once."""

    def __init__(self):
        self._given = set()

    def take(self):
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            if port not in self._given and not listening_sockets(port):
                self._given.add(port)
                return port


def listening_sockets(port):
    """The inode numbers of all sockets that listen at the port, at whatever address."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as file:
                rows = file.readlines()[1:]
        except OSError:
            continue  # a system without IPv6
        for row in rows:
            fields = row.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


def sockets_of(pids):
    """The inode numbers of all sockets that these processes hold."""
    found = set()
    for pid in pids:
        try:
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
                if target.startswith("socket:["):
                    found.add(target[8:-1])
        except OSError:
            continue  # it ended meanwhile
    return found


def served_by(port, process):
    """Whether the process listens at the port, and none but it and its children."""
    listening = listening_sockets(port)
    return bool(listening) and listening <= sockets_of(process.tree())
