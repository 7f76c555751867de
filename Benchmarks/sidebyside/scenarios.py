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
    # The configuration of a second process of the same proxy, behind the first: the two are measured as one.
    second: str = ""


@dataclass(frozen=True)
class Load:
    """How requests come. `tool`: wrk, h2load, rate (open loop) or websocket."""
    tool: str = "wrk"
    connections: int = 64
    path: str = "/"
    # Bytes of each request's body, or of each message.
    body: int = 0
    # Each request has a connection of its own.
    closes: bool = False
    # Of each HTTP/2 connection.
    streams: int = 10
    headers: tuple = ()
    grpc: bool = False


@dataclass(frozen=True)
class Target:
    """A promise: `measure` of `subject` (divided by that of `reference`, if there is one) is at most `limit`, or at
    least with `at_least`.

    Measures: `cpu` (µs per request), `rate` (requests per second), `p99` (µs), `idle_mb` (resident MB before the first
    request), `per_connection` (resident bytes that a further idle connection costs), `start_ms`, `failed` (requests).
    """
    measure: str
    subject: str
    reference: str
    limit: float
    at_least: bool = False


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    kind: str
    contestants: tuple
    targets: tuple = ()
    load: Load = Load()
    # Whether answers bear the marks of the filters; whether requests are logged to a file.
    headers: dict = field(default_factory=dict)
    logs: bool = False
    # What a request costs is shown in ms, for it is long.
    is_bulk: bool = False


LOAD = "64 keep-alive connections, small GET, 128-byte response"


def _peers(config, *names, **more):
    return tuple(Contestant(name, name, config, **more) for name in names)


def _cpu(nginx=None, envoy=None):
    """Targets for Weft's CPU per request, as shares of the others'."""
    targets = []
    for name, limit in (("nginx", nginx), ("envoy", envoy)):
        if limit is not None:
            targets.append(Target("cpu", "weft", name, limit))
    return tuple(targets)


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
_ALL = ("weft", "nginx", "haproxy", "envoy")
_THREE = ("weft", "nginx", "envoy")
_MARKS = {"x-served-by": "bench", "strict-transport-security": "max-age=31536000"}
_H2 = Load("h2load", connections=32)
_GRPC = Load("h2load", connections=32, path="/bench.Echo/Unary", body=128, grpc=True,
             headers=(("content-type", "application/grpc"), ("te", "trailers")))
_STREAMS = "32 connections of 10 streams"

SCENARIOS = (
    Scenario(
        "plain", f"Empty chain, metrics on; {LOAD}", "load", _peers("plain", *_ALL),
        (*_cpu(0.80, 0.30), Target("idle_mb", "weft", "", 12))),
    Scenario(
        "filters", f"Four built-in filters, against nginx without any; {LOAD}", "load",
        (Contestant("weft", "weft", "filters"), Contestant("nginx, no filters", "nginx", "plain"),
         Contestant("envoy", "envoy", "filters")),
        (Target("cpu", "weft", "nginx, no filters", 0.95), *_cpu(envoy=0.30)), headers=_MARKS),
    Scenario(
        "filters-log", f"The four filters and an access log in a file, metrics on, against nginx with its log; {LOAD}",
        "load",
        (Contestant("weft", "weft", "filters-log"), Contestant("nginx", "nginx", "access-log"),
         Contestant("envoy", "envoy", "filters-log")),
        _cpu(0.90, 0.30), headers=_MARKS, logs=True),
    Scenario(
        "lua", f"One Lua script on request and response; {LOAD}", "load",
        (Contestant("weft", "weft", "lua"), Contestant("weft, no script", "weft", "plain"),
         Contestant("nginx, no script", "nginx", "plain"), Contestant("nginx's Lua module", "nginx", "lua"),
         Contestant("haproxy", "haproxy", "lua"), Contestant("envoy", "envoy", "lua")),
        (Target("cpu", "weft", "nginx, no script", 0.95), Target("cpu", "weft", "nginx's Lua module", 0.75),
         Target("cpu", "weft", "haproxy", 0.60), Target("cpu", "weft", "envoy", 0.25))),
    Scenario(
        "access-log", f"An access log in a file (JSON, nginx's own format where nothing else is said); {LOAD}", "load",
        (Contestant("weft", "weft", "access-log"), Contestant("nginx", "nginx", "access-log"),
         Contestant("nginx, JSON, buffered", "nginx", "access-log-buffered"),
         Contestant("envoy", "envoy", "access-log")),
        _cpu(0.90, 0.35), logs=True),
    Scenario(
        "routes", f"10, 1,000 and 10,000 routes by path prefix, requests spread over them; {LOAD}", "load",
        _ROUTES, _ROUTE_TARGETS),
    Scenario(
        "tls", f"TLS 1.3, ECDSA P-256, connections kept; {LOAD}", "load", _peers("tls", *_THREE, tls=True),
        _cpu(0.90, 0.40)),
    Scenario(
        "tls-handshakes", "A full TLS 1.3 handshake (ECDSA P-256) and a small GET on each connection, 64 at a time",
        "load", _peers("tls", *_THREE, tls=True), _cpu(1.05), Load(closes=True)),
    Scenario(
        "http2", f"HTTP/2 with clients, HTTP/1.1 to the backend; {_STREAMS}, small GET", "load",
        (Contestant("weft", "weft", "plain"), Contestant("nginx", "nginx", "http2"),
         Contestant("envoy", "envoy", "plain")), _cpu(0.85, 0.40), _H2),
    Scenario(
        "http2-http2", f"HTTP/2 on both sides; {_STREAMS}, small GET", "load", _peers("http2-upstream", *_THREE),
        _cpu(0.85, 0.40), _H2),
    Scenario(
        "grpc", f"gRPC, unary, 128 bytes each way; {_STREAMS}", "load", _peers("http2-upstream", *_THREE),
        _cpu(0.85, 0.40), _GRPC),
    Scenario(
        "sidecars", f"Client's sidecar, HTTP/2 over mutual TLS, service's sidecar, both counted; {LOAD}", "load",
        _peers("client-sidecar", "weft", "envoy", second="server-sidecar"), _cpu(envoy=0.40)),
    Scenario(
        "sidecars-grpc", f"The same with gRPC, unary, HTTP/2 all the way; {_STREAMS}", "load",
        _peers("client-sidecar", "weft", "envoy", second="server-sidecar-http2"), _cpu(envoy=0.40), _GRPC),
    Scenario(
        "post-1k", "POST of 1 KB, 64 connections", "load", _peers("plain", *_ALL), _cpu(1.0, 0.40),
        Load(path="/upload", body=1024)),
    Scenario(
        "post-100k", "POST of 100 KB, 64 connections", "load", _peers("plain", *_ALL), _cpu(1.0, 1.0),
        Load(path="/upload", body=100 * 1024)),
    Scenario(
        "download", "GET of 100 MB, 4 connections", "load", _peers("plain", *_ALL),
        (Target("rate", "weft", "nginx", 0.90, at_least=True), *_cpu(1.0)), Load(connections=4, path="/big"),
        is_bulk=True),
    Scenario(
        "download-tls", "GET of 100 MB over TLS 1.3, 4 connections", "load", _peers("tls", *_THREE, tls=True),
        (Target("rate", "weft", "nginx", 0.90, at_least=True), *_cpu(1.1)), Load(connections=4, path="/big"),
        is_bulk=True),
    Scenario(
        "websocket", "Messages of 128 bytes to an echo and back, 64 connections", "load", _peers("websocket", *_THREE),
        _cpu(1.0, 0.60), Load("websocket", body=128)),
    *(Scenario(
        f"connections-{count}", f"{count:,} keep-alive connections at work, small GET", "load", _peers("plain", *_ALL),
        _cpu(0.85, 0.35), Load(connections=count)) for count in (1, 256, 1000, 10000)),
    Scenario(
        "churn", "A connection for each small GET, 64 at a time", "load", _peers("plain", *_ALL), _cpu(1.0, 0.50),
        Load(closes=True)),
    Scenario(
        "latency", "Requests at half of the rate that nginx reaches, timed from when they were due; 64 connections",
        "latency", _peers("plain", *_ALL), (Target("p99", "weft", "nginx", 1.0), Target("p99", "weft", "envoy", 0.5))),
    Scenario(
        "reload", f"The configuration changes five times a second; {LOAD}", "reload",
        _peers("reload", "weft", "nginx"), (Target("failed", "weft", "", 0),)),
    Scenario(
        "start", "From the start of the process to its first answered request", "start", _peers("plain", *_ALL),
        (Target("start_ms", "weft", "", 50),)),
    Scenario(
        "idle-memory", "Resident memory with idle keep-alive connections that have each made one request", "idle",
        _peers("plain", *_ALL),
        (Target("idle_mb", "weft", "", 12), Target("per_connection", "weft", "", 4096),
         Target("per_connection", "weft", "nginx", 0.5), Target("per_connection", "weft", "envoy", 0.1))),
    Scenario(
        "instructions", "User instructions per request, counted by callgrind, 16 connections", "instructions",
        (Contestant("plain", "weft", "plain"), Contestant("filters", "weft", "filters"),
         Contestant("lua", "weft", "lua"), Contestant("access-log", "weft", "access-log"),
         Contestant("routes 1,000", "weft", "routes", 1000), Contestant("tls", "weft", "tls", tls=True),
         Contestant("http2", "weft", "plain"))),
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
