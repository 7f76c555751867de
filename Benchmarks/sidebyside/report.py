"""The results as aligned text, as Markdown and as JSON."""
import json
import os
import tempfile

from .process import Failed

BEGIN = "<!-- results: begin (written by Benchmarks/run.py --markdown, not by hand) -->"
END = "<!-- results: end -->"

_MEASURES = {"cpu": "CPU per request", "rate": "requests/s", "p99": "p99", "idle_mb": "RSS at start, MB",
             "per_connection": "bytes per idle connection", "start_ms": "start, ms", "failed": "failed requests"}


def _range(values, form):
    if values["min"] == values["max"]:
        return form(values["median"])
    return f"{form(values['median'])} ({form(values['min'])}–{form(values['max'])})"


def _number(digits):
    return lambda value: f"{value:,.{digits}f}"


def _milliseconds(microseconds):
    return f"{microseconds / 1000:.2f}"


def _load_rows(results):
    rows = [["proxy", "requests/s", "CPU µs/request", "user", "sys", "p50 ms", "p99 ms", "p99.9 ms", "RSS MB idle",
             "loaded"]]
    for contestant in results["contestants"]:
        summary = contestant.get("summary")
        if summary is None:
            continue
        rows.append([
            contestant["label"], _range(summary["rate"], _number(0)), _range(summary["cpu"], _number(2)),
            _number(2)(summary["user"]["median"]), _number(2)(summary["system"]["median"]),
            _range(summary["p50"], _milliseconds), _range(summary["p99"], _milliseconds),
            _milliseconds(summary["p999"]["median"]), _number(1)(contestant["idle_mb"]),
            _number(1)(summary["loaded_mb"]["median"])])
    return rows


def _idle_rows(results):
    rows = [["proxy", "RSS MB at start", "1,000 idle", "5,000 idle", "bytes per connection, first 1,000",
             "each further"]]
    for contestant in results["contestants"]:
        few, many = contestant["resident_mb"]
        rows.append([contestant["label"], _number(1)(contestant["idle_mb"]), _number(1)(few), _number(1)(many),
                     _number(0)(contestant["first_connections"]), _number(0)(contestant["per_connection"])])
    return rows


def _instruction_rows(results):
    rows = [["configuration", "instructions per request"]]
    for contestant in results["contestants"]:
        rows.append([contestant["label"], _number(0)(contestant["instructions"])])
    return rows


def _reload_rows(results):
    rows = _load_rows(results)
    failed = {one["label"]: sum(turn["failed"] for turn in one["rounds"]) for one in results["contestants"]}
    return [row + ["failed" if row is rows[0] else f"{failed[row[0]]:,}"] for row in rows]


def _start_rows(results):
    rows = [["proxy", "ms to the first answer", "RSS MB then"]]
    for contestant in results["contestants"]:
        times = {"median": contestant["start_ms"], "min": min(contestant["starts"]), "max": max(contestant["starts"])}
        rows.append([contestant["label"], _range(times, _number(1)), _number(1)(contestant["idle_mb"])])
    return rows


_ROWS = {"load": _load_rows, "latency": _load_rows, "reload": _reload_rows, "start": _start_rows, "idle": _idle_rows,
         "instructions": _instruction_rows}


def _target_rows(results):
    rows = [["target", "measured", "limit", "result"]]
    for target in results["targets"]:
        what = f"{target['subject']}: {_MEASURES[target['measure']]}"
        if target["reference"]:
            what += f" / {target['reference']}"
        digits = 2 if target["reference"] else (0 if target["limit"] >= 100 or target["limit"] == 0 else 1)
        form = _number(digits)
        limit = ("≥ " if target["at_least"] else "≤ ") + form(target["limit"])
        if target["value"] is None:
            rows.append([what, "not measured", limit, ""])
        else:
            rows.append([what, _range(target["value"], form), limit, "met" if target["met"] else "missed"])
    return rows


def _notes(results):
    notes = [f"At {results['at_rate']:,} requests a second."] if results.get("at_rate") else []
    if apart := results.get("apart"):
        notes.append(f"Measured by itself, {apart['date']}; rounds: {apart['rounds']}, of {apart['seconds']} s each.")
    notes += [f"Left out: {label}: {reason}" for label, reason in results["left_out"].items()]
    if results.get("quiet") is False:
        notes.append(f"Other processes used {results['others']['median']:.0%} of both CPUs meanwhile: "
                     "these figures are not to be relied on.")
    return notes


def _aligned(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return lines


def _markdown_table(rows):
    def line(cells):
        return "| " + " | ".join(cells) + " |"
    return [line(rows[0]), line(["---"] + ["---:"] * (len(rows[0]) - 1))] + [line(row) for row in rows[1:]]


def _machine(run):
    machine = run["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    return [f"{machine['date']}: {machine['processor']}, {machine['cpus']} CPUs, "
            f"{machine['memory_bytes'] / 1e9:.1f} GB, {machine['distribution']}, {machine['kernel']}.",
            f"{versions}.",
            f"Medians with minimum and maximum; rounds: {run['rounds']}, of {run['seconds']} s each."]


def text(name, scenario_title, results):
    """One scenario for the terminal."""
    lines = ["", f"{name}: {scenario_title}", ""] + _aligned(_ROWS[results["kind"]](results))
    if results["targets"]:
        lines += [""] + _aligned(_target_rows(results))
    return "\n".join(lines + _notes(results))


def header(run):
    """What ran where, for the terminal."""
    return "\n".join(_machine(run))


def markdown(run, plots=None):
    """All scenarios; `plots` are paths of their pictures by name."""
    lines = ["\n".join(_machine(run))]
    for name, results in run["scenarios"].items():
        blocks = [f"### {name}", f"{results['title']}."]
        if plots and name in plots:
            blocks.append(f"![{name}]({plots[name]})")
        blocks.append("\n".join(_markdown_table(_ROWS[results["kind"]](results))))
        if results["targets"]:
            blocks.append("\n".join(_markdown_table(_target_rows(results))))
        lines += blocks + [" ".join(note.split()) for note in _notes(results)]
    return "\n\n".join(lines) + "\n"


def _around_results(path):
    """What stands before and after the results in a file; None for one that holds nothing else."""
    try:
        with open(path) as file:
            text_now = file.read()
    except FileNotFoundError:
        return None
    head, begin, rest = text_now.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if begin and end:
        return head, tail
    if text_now.strip():
        raise Failed(f"{path} has no place for the results; it needs the lines\n{BEGIN}\n{END}")
    return None


def check_markdown(path):
    """Throws Failed if the file is not one for `write_markdown`."""
    _around_results(path)


def write_markdown(path, run, plots=None):
    """Writes the tables: between the marks of a file that has them, otherwise as a new file with the marks."""
    head, tail = _around_results(path) or ("", "\n")
    replace(path, f"{head}{BEGIN}\n\n{markdown(run, plots)}\n{END}{tail}")


def read_json(path):
    """What `write_json` wrote."""
    try:
        with open(path) as file:
            run = json.load(file)
    except (OSError, ValueError) as error:
        raise Failed(f"{path} cannot be read: {error}") from error
    if not isinstance(run, dict) or "scenarios" not in run or "machine" not in run or "versions" not in run:
        raise Failed(f"{path} holds no run; --json writes one")
    return run


def write_json(path, run):
    """Writes everything that was measured, single rounds included."""
    replace(path, json.dumps(run, indent=2, ensure_ascii=False) + "\n")


def replace(path, content):
    """Writes a file as a whole or not at all."""
    folder = os.path.dirname(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "w") as file:
        file.write(content)
    os.chmod(name, 0o644)
    os.replace(name, path)
