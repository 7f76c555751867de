"""Processes that a run starts: on which CPU, what they used, and that they all end."""
import ctypes
import os
import resource
import signal
import subprocess
import time

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """Something could not be started or answered wrongly; the text says what."""


def raise_file_limit():
    """Takes all descriptors that the system allows, for this process and those it starts, and returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Process:
    """A started program with its children; its output goes to a file."""

    def __init__(self, name, command, cpu, log_path):
        self.name = name
        self.command = command
        self.log_path = log_path

        def prepare():
            # Ends with the driver, however that ends.
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})

        with open(log_path, "ab") as log:
            try:
                self._popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                               preexec_fn=prepare)
            except OSError as error:
                raise Failed(f"{name} does not start: {error}") from error

    @property
    def pid(self):
        return self._popen.pid

    def running(self):
        return self._popen.poll() is None

    def tree(self):
        """Its process id and those of all its descendants."""
        found, waiting = [], [self.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/children") as file:
                        waiting += [int(child) for child in file.read().split()]
            except OSError:
                continue  # it ended meanwhile
        return found

    def cpu_seconds(self):
        """User and system time so far, of all threads of all its processes, those that have ended among them."""
        user = system = 0
        for pid in self.tree():
            try:
                with open(f"/proc/{pid}/stat") as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            user += int(fields[11]) + int(fields[13])
            system += int(fields[12]) + int(fields[14])
        return user / _TICK, system / _TICK

    def resident_bytes(self):
        """Resident memory of what serves: the process, or its children where it only keeps them (nginx's master)."""
        tree = self.tree()
        total = 0
        for pid in tree[1:] or tree:
            try:
                with open(f"/proc/{pid}/statm") as file:
                    total += int(file.read().split()[1]) * _PAGE
            except OSError:
                continue
        return total

    def log_tail(self, lines=6):
        try:
            with open(self.log_path, errors="replace") as file:
                return "".join(f"    {line}" for line in file.readlines()[-lines:]).rstrip("\n")
        except OSError:
            return ""

    def wait(self, seconds):
        """Waits for its end, and says whether it came in time."""
        try:
            self._popen.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            return False

    def stop(self, patience=5):
        """Asks it to end, and ends it if it does not within `patience` seconds."""
        tree = self.tree() if self.running() else []
        if self.running():
            self._popen.terminate()
            if not self.wait(patience):
                self._popen.kill()
                self._popen.wait()
        # Children that outlived their parent, if it had to be killed.
        for pid in tree[1:]:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass


class Processes:
    """All that a run started; leaving the block stops it."""

    def __init__(self):
        self._all = []

    def start(self, *arguments, **named):
        process = Process(*arguments, **named)
        self._all.append(process)
        return process

    def stop(self, process, patience=5):
        process.stop(patience)
        self._all.remove(process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self._all):
            process.stop()
        self._all.clear()


def wait_until(condition, seconds, interval=0.02):
    """Asks until the answer is true; false after that many seconds."""
    end = time.monotonic() + seconds
    while True:
        if condition():
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(interval)
