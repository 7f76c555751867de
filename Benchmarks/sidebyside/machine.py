"""What the run stood on, and whether anything else ran meanwhile."""
import datetime
import os
import platform


def facts(cpus):
    model = "unknown"
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    model = line.partition(":")[2].strip()
                    break
    except OSError:
        pass
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    distribution = "unknown"
    try:
        distribution = platform.freedesktop_os_release().get("PRETTY_NAME", distribution)
    except OSError:
        pass
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": model,
        "cpus": os.cpu_count(),
        "memory_bytes": memory,
        "kernel": f"{platform.system()} {platform.release()}",
        "distribution": distribution,
        "proxy_cpu": cpus[0],
        "load_cpu": cpus[1],
    }


class Quiet:
    """Measures how much of the CPUs went to processes that are not ours, time stolen by the hypervisor included."""

    _TICK = os.sysconf("SC_CLK_TCK")

    def __init__(self, cpus):
        self._cpus = {f"cpu{cpu}" for cpu in cpus}
        self._busy, self._total = self._read()

    def _read(self):
        busy = total = 0
        with open("/proc/stat") as file:
            for line in file:
                name, *fields = line.split()
                if name in self._cpus:
                    # user nice system idle iowait irq softirq steal; guest time is part of user time
                    times = [int(field) for field in fields[:8]]
                    total += sum(times)
                    busy += sum(times) - times[3] - times[4]
        return busy, total

    def other_share(self, own_seconds):
        """The share of both CPUs' time since the start that others used, when our processes used `own_seconds`."""
        busy, total = self._read()
        if total <= self._total:
            return 0.0
        others = (busy - self._busy) / self._TICK - own_seconds
        return max(0.0, others / ((total - self._total) / self._TICK))
