"""A picture of each scenario: bars of what counts most in it, as SVG that reads on light and dark pages."""
import os
from xml.sax.saxutils import escape

from .report import replace

_BAR, _GAP, _LABEL, _WIDTH, _RIGHT = 22, 10, 190, 430, 150
_COLOURS = {"weft": "#2f7d6d", "nginx": "#8a8f98", "haproxy": "#a7896b", "envoy": "#9a7fb5"}


def _bars(results):
    """Title of the axis, and label, proxy, value, least and most of each bar."""
    kind = results["kind"]
    rows = []
    for contestant in results["contestants"]:
        if kind == "latency":
            title, values = "p99, ms", [one["p99"] / 1000 for one in contestant["rounds"]]
        elif kind in ("load", "reload"):
            bulk = results.get("is_bulk")
            title = "CPU per request, ms" if bulk else "CPU per request, µs (user and system)"
            values = [one["cpu"] / (1000 if bulk else 1) for one in contestant["rounds"]]
        elif kind == "start":
            title, values = "ms to the first answer", contestant["starts"]
        elif kind == "idle":
            title, values = "bytes per further idle connection", [contestant["per_connection"]]
        else:
            title, values = "user instructions per request", [contestant["instructions"]]
        ordered = sorted(values)
        middle = len(ordered) // 2
        median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
        rows.append((contestant["label"], contestant["proxy"], median, ordered[0], ordered[-1]))
    return (title, rows) if rows else (None, [])


def _number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 10 else f"{value:,.2f}"


def svg(name, results):
    """The picture, or None when there is nothing to show."""
    title, rows = _bars(results)
    longest = max((row[4] for row in rows), default=0)
    if longest <= 0:
        return None
    height = 34 + len(rows) * (_BAR + _GAP)
    width = _LABEL + _WIDTH + _RIGHT
    text = 'font-family="system-ui, sans-serif" font-size="13" fill="#7a7f87"'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
             f'height="{height}" role="img">', f"<title>{escape(name)}: {escape(title)}</title>",
             f'<text x="{_LABEL}" y="18" {text}>{escape(title)}</text>']
    for number, (label, proxy, median, least, most) in enumerate(rows):
        y = 30 + number * (_BAR + _GAP)
        length = median / longest * _WIDTH
        middle = y + _BAR / 2
        lines.append(f'<text x="{_LABEL - 8}" y="{middle + 4:.1f}" text-anchor="end" {text}>{escape(label)}</text>')
        lines.append(f'<rect x="{_LABEL}" y="{y}" width="{length:.1f}" height="{_BAR}" rx="2" '
                     f'fill="{_COLOURS.get(proxy, "#8a8f98")}"/>')
        if most > least:
            first, last = (_LABEL + value / longest * _WIDTH for value in (least, most))
            lines.append(f'<path d="M{first:.1f} {middle}H{last:.1f}" stroke="#33373d" stroke-width="1.5"/>')
        lines.append(f'<text x="{_LABEL + max(length, most / longest * _WIDTH) + 6:.1f}" y="{middle + 4:.1f}" {text}>'
                     f"{_number(median)}</text>")
    return "\n".join(lines + ["</svg>"]) + "\n"


def write_plots(folder, run):
    """Writes a picture of each scenario into a folder, and returns their paths by scenario."""
    paths = {}
    for name, results in run["scenarios"].items():
        picture = svg(name, results)
        if picture:
            paths[name] = os.path.join(folder, f"{name}.svg")
            replace(paths[name], picture)
    return paths
