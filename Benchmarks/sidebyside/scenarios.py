"""What is measured: which proxies with which configurations, and what is promised of Weft."""
from dataclasses import dataclass, field

# 128 bytes with the line's end, which nginx's `return` is given as \n.
TEXT = "hello from the backend: a body of 128 bytes "
BODY = TEXT + "." * (127 - len(TEXT)) + "\n"


@dataclass(frozen=True)
class Contestant:
    """A proxy with a configuration. `config` is the file's name without its suffix in the proxy's folder."""
    label: str
    proxy: str
    config: str
    routes: int = 0
    # Requests come over TLS.
    tls: bool = False


@dataclass(frozen=True)
class Target:
    """A promise: `measure` of `subject` (divided by that of `reference`, if there is one) is at most `limit`.

    Measures: `cpu` (µs per request), `idle_mb` (resident MB before the first request), `per_connection` (resident
    bytes that a further idle connection costs).
    """
    measure: str
    subject: str
    reference: str
    limit: float


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    kind: str
    contestants: tuple
    targets: tuple = ()
    # Whether answers bear the marks of the Lua script, or of the filters; whether requests are logged to a file.
    script: bool = False
    headers: dict = field(default_factory=dict)
    logs: bool = False
    # Each request has a connection of its own.
    closes: bool = False


LOAD = "64 keep-alive connections, small GET, 128-byte response"


def _peers(config, *names):
    return tuple(Contestant(name, name, config) for name in names)


def _routes():
    contestants, targets = [], []
    for count in (10, 1000, 10000):
        for proxy in ("weft", "nginx", "envoy"):
            contestants.append(Contestant(f"{proxy} {count:,}", proxy, "routes", count))
    targets.append(Target("cpu", "weft 10,000", "nginx 10,000", 0.80))
    targets.append(Target("cpu", "weft 10,000", "envoy 10,000", 0.30))
    targets.append(Target("cpu", "weft 10,000", "weft 10", 1.10))
    return tuple(contestants), tuple(targets)


_ROUTES, _ROUTE_TARGETS = _routes()

_TLS = tuple(Contestant(name, name, "tls", tls=True) for name in ("weft", "nginx"))

SCENARIOS = (
    Scenario(
        "plain", f"Empty chain, metrics on; {LOAD}", "load",
        _peers("plain", "weft", "nginx", "haproxy", "envoy"),
        (Target("cpu", "weft", "nginx", 0.85), Target("cpu", "weft", "envoy", 0.35),
         Target("idle_mb", "weft", "", 12))),
    Scenario(
        "filters", f"Four built-in filters, against nginx without any; {LOAD}", "load",
        (Contestant("weft", "weft", "filters"), Contestant("nginx, no filters", "nginx", "plain"),
         Contestant("envoy", "envoy", "filters")),
        (Target("cpu", "weft", "nginx, no filters", 0.95), Target("cpu", "weft", "envoy", 0.35)),
        headers={"x-served-by": "bench", "strict-transport-security": "max-age=31536000"}),
    Scenario(
        "lua", f"One Lua script on request and response; {LOAD}", "load",
        (Contestant("weft", "weft", "lua"), Contestant("nginx, no script", "nginx", "plain"),
         Contestant("nginx's Lua module", "nginx", "lua"), Contestant("haproxy", "haproxy", "lua"),
         Contestant("envoy", "envoy", "lua")),
        (Target("cpu", "weft", "nginx, no script", 0.95), Target("cpu", "weft", "nginx's Lua module", 0.75),
         Target("cpu", "weft", "envoy", 0.25)),
        script=True),
    Scenario(
        "access-log", f"An access log in a file (JSON, nginx's own format where nothing else is said); {LOAD}", "load",
        (Contestant("weft", "weft", "access-log"), Contestant("nginx", "nginx", "access-log"),
         Contestant("nginx, JSON, buffered", "nginx", "access-log-buffered"),
         Contestant("envoy", "envoy", "access-log")),
        (Target("cpu", "weft", "nginx", 0.90), Target("cpu", "weft", "envoy", 0.35)),
        logs=True),
    Scenario(
        "routes", f"10, 1,000 and 10,000 routes by path prefix, requests spread over them; {LOAD}", "load",
        _ROUTES, _ROUTE_TARGETS),
    Scenario(
        "tls", f"TLS 1.3, ECDSA P-256, connections kept; {LOAD}", "load", _TLS,
        (Target("cpu", "weft", "nginx", 0.90),)),
    Scenario(
        "tls-handshakes", "A full TLS 1.3 handshake (ECDSA P-256) and a small GET on each connection, 64 at a time",
        "load", _TLS, (Target("cpu", "weft", "nginx", 1.05),), closes=True),
    Scenario(
        "idle-memory", "Resident memory with idle keep-alive connections that have each made one request", "idle",
        _peers("plain", "weft", "nginx", "haproxy", "envoy"),
        (Target("idle_mb", "weft", "", 12), Target("per_connection", "weft", "", 4096),
         Target("per_connection", "weft", "nginx", 0.5), Target("per_connection", "weft", "envoy", 0.1))),
    Scenario(
        "instructions", "User instructions per request, counted by callgrind, 16 connections", "instructions",
        (Contestant("plain", "weft", "plain"), Contestant("filters", "weft", "filters"),
         Contestant("lua", "weft", "lua"), Contestant("access-log", "weft", "access-log"),
         Contestant("routes 1,000", "weft", "routes", 1000), Contestant("tls", "weft", "tls", tls=True))),
)


def route_block(proxy, count):
    """The text of `count` routes, /service-N/ each, in the proxy's own terms."""
    if proxy == "nginx":
        return "\n".join(f"    location /service-{n}/ {{ proxy_pass http://backend; }}" for n in range(count))
    if proxy == "envoy":
        return "\n".join(
            f"              - match: {{path_separated_prefix: /service-{n}}}\n"
            "                route: {cluster: backend, timeout: 0s}" for n in range(count))
    documents = []
    for first in range(0, count, 10):
        rules = "\n".join(
            f"  - matches: [{{path: {{type: PathPrefix, value: /service-{n}}}}}]\n"
            "    backendRefs: [{group: weft.dev, name: backend}]" for n in range(first, min(first + 10, count)))
        documents.append(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"
            f"metadata: {{name: routes-{first}}}\nspec:\n  parentRefs: [{{name: bench}}]\n  rules:\n{rules}")
    return "\n---\n".join(documents)
