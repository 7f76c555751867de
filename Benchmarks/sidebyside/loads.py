"""The programs that load a proxy: wrk, h2load, and weft-load for what these have not. Each gives requests,
microseconds, and latencies p50, p99, p999 in microseconds."""
import json
import os
import statistics
import subprocess

from .peers import CONFIGS, ROOT, program
from .process import Failed

AGENT = "bench"
_SCRIPT = os.path.join(CONFIGS, "load", "report.lua")
WEFT_LOAD = os.path.join(ROOT, ".build", "release", "WeftLoad")


def _run(name, command, cpu, seconds, halfway):
    """Runs a load on a CPU, calls `halfway` shortly before the end, and returns what it printed."""
    load = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
    try:
        try:
            load.wait(seconds * 0.8)
        except subprocess.TimeoutExpired:
            halfway()
        output, _ = load.communicate(timeout=seconds + 20)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{name} did not end in time") from error
    finally:
        if load.poll() is None:
            load.kill()
            load.wait()
    return output


def _result_line(name, output):
    for line in output.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line[7:])
    raise Failed(f"{name} failed: {output.strip()[-300:]}")


def _refuse_failures(result, kinds):
    failures = {kind: result[kind] for kind in kinds if result[kind]}
    if failures or not result["requests"]:
        said = ", ".join(f"{count} {kind}" for kind, count in failures.items()) or "no request was answered"
        raise Failed(f"requests failed under load: {said}")
    return result


def run_wrk(port, cpu, load, seconds, routes, halfway, tls=False, tolerant=False):
    """Keeps all connections busy over HTTP/1.1. With `tolerant`, failed requests are counted as `failed` instead of
    ending the scenario."""
    close = ["-H", "Connection: close"] if load.closes else []
    scheme = "https" if tls else "http"
    command = [program("wrk"), "-t1", f"-c{load.connections}", f"-d{seconds}s", "--timeout", "10s", "-s", _SCRIPT,
               "-H", f"User-Agent: {AGENT}", *close, f"{scheme}://127.0.0.1:{port}{load.path}", "--", str(routes),
               str(load.body)]
    result = _result_line("wrk", _run("wrk", command, cpu, seconds, halfway))
    kinds = ("connect", "read", "write", "timeout", "status")
    result["failed"] = sum(result[kind] for kind in kinds)
    return result if tolerant and result["requests"] else _refuse_failures(result, kinds)


def run_h2load(port, cpu, load, seconds, folder, halfway, tls=False):
    """Keeps all streams busy over HTTP/2, with a body for each request if there is one."""
    log = os.path.join(folder, "h2load.log")
    if os.path.exists(log):
        os.remove(log)
    command = [program("h2load"), "-D", str(seconds), "-c", str(load.connections), "-m", str(load.streams), "-t", "1",
               f"--log-file={log}", "-H", f"user-agent: {AGENT}"]
    for name, value in load.headers:
        command += ["-H", f"{name}: {value}"]
    if load.body:
        command += ["-d", write_body(load, folder)]
    output = _run("h2load", command + [f"http{'s' if tls else ''}://127.0.0.1:{port}{load.path}"], cpu, seconds,
                  halfway)
    latencies, failed = [], 0
    try:
        with open(log) as file:
            for line in file:
                fields = line.split("\t")
                if fields[1] == "200":
                    latencies.append(int(fields[2]))
                else:
                    failed += 1
    except (OSError, ValueError, IndexError) as error:
        raise Failed(f"h2load wrote no usable log: {output.strip()[-300:]}") from error
    # What was under way when the time was over stands there as failed.
    if failed > load.connections * load.streams or len(latencies) < 2:
        raise Failed(f"requests failed under load: {failed} of {failed + len(latencies)}: {output.strip()[-300:]}")
    cuts = statistics.quantiles(latencies, n=1000)
    return {"requests": len(latencies), "microseconds": seconds * 1_000_000, "p50": cuts[499], "p99": cuts[989],
            "p999": cuts[998]}


def run_rate(port, cpu, load, seconds, rate, halfway):
    """Sends at a fixed rate, and counts latencies from when requests were due."""
    command = [WEFT_LOAD, "rate", "--port", str(port), "--rate", str(rate), "--connections", str(load.connections),
               "--seconds", str(seconds), "--path", load.path]
    return _refuse_failures(_result_line("weft-load", _run("weft-load", command, cpu, seconds, halfway)), ("status",))


def run_websocket(port, cpu, load, seconds, halfway):
    """Sends messages and waits for each one's echo."""
    command = [WEFT_LOAD, "websocket", "--port", str(port), "--connections", str(load.connections), "--size",
               str(load.body), "--seconds", str(seconds)]
    return _refuse_failures(_result_line("weft-load", _run("weft-load", command, cpu, seconds, halfway)), ("status",))


def write_body(load, folder):
    """Writes the body of a load's requests into a file, and returns its path."""
    path = os.path.join(folder, "load.body")
    with open(path, "wb") as file:
        file.write(message(load.body) if load.grpc else b"x" * load.body)
    return path


def message(size):
    """A gRPC message: not compressed, its length, and so many bytes."""
    return b"\0" + size.to_bytes(4, "big") + b"x" * size
