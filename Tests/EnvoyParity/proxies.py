"""The two proxies, each with every case's script on a route of its own, and their logs."""
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# What `metadata()` and `filterContext()` find on every route.
METADATA = {"tier": "gold", "level": 3, "ratio": 0.5, "flag": True, "tags": ["a", "b"], "nested": {"x": "y"}}
CONTEXT = {"key": "value", "number": 7, "flag": False, "list": ["a", "b"], "inner": {"x": "y"}}
MARKER = """
function envoy_on_request(handle)
  handle:logErr("marker " .. handle:headers():get(":path"))
  handle:respond({[":status"] = "204"})
end
"""
_LUA = "type.googleapis.com/envoy.extensions.filters.http.lua.v3."


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Proxy:
    """A running proxy. `name` is also the suffix of what is recorded of it."""

    name = ""

    def __init__(self, cases, backend, folder):
        self.port, self._admin, self._dead = free_port(), free_port(), free_port()
        self._backend = backend
        self._log_path = os.path.join(folder, self.name + ".log")
        self._config = os.path.join(folder, self.name + self._suffix)
        with open(self._config, "w") as file:
            file.write(self._configuration([(case.host, case.script) for case in cases] + [("marker.case", MARKER)]))
        with open(self._log_path, "wb") as log:
            self._process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._read = 0
        self._wait_until_ready()

    def _wait_until_ready(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                if urllib.request.urlopen(f"http://127.0.0.1:{self._admin}{self._ready}", timeout=2).status == 200:
                    return
            except OSError:
                time.sleep(0.05)
        self.stop()
        with open(self._log_path, errors="replace") as log:
            raise RuntimeError(f"{self.name} does not start:\n" + log.read()[-3000:])

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log_until(self, marker):
        """What scripts logged up to the line with `marker`, as (level, message)."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with open(self._log_path, "rb") as file:
                file.seek(self._read)
                text = file.read()
            at = text.find(marker.encode())
            end = text.find(b"\n", at)
            if at >= 0 and end >= 0:
                self._read += end + 1
                return [entry for entry in self._entries(text[:text.rfind(b"\n", 0, at) + 1].decode(errors="replace"))]
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.name} has ended:\n" + text.decode(errors="replace")[-3000:])
            time.sleep(0.01)
        raise RuntimeError(f"{self.name} logged no {marker}")


class Envoy(Proxy):
    name, _suffix = "envoy", ".json"
    _ready = "/ready"

    def __init__(self, cases, backend, folder):
        sys.path.insert(0, os.path.join(ROOT, "Benchmarks"))
        from sidebyside.peers import Envoy as Installed
        installed = Installed()
        installed.find()
        self._binary, self.version = installed._binary, installed.version()
        super().__init__(cases, backend, folder)

    def _command(self):
        return [self._binary, "-c", self._config, "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "off",
                "--component-log-level", "lua:trace", "--log-format", "%l %v"]

    def _entries(self, text):
        levels = {"warn": "warning"}
        # A message may have several lines.
        for level, message in re.findall(
                r"^(\w+) script log: (.*?)(?=^(?:trace|debug|info|warn|warning|error|critical) |\Z)", text, re.M | re.S):
            yield levels.get(level, level), message

    def _configuration(self, scripts):
        hosts = [{
            "name": host, "domains": [host],
            "metadata": {"filter_metadata": {"envoy.filters.http.lua": METADATA}},
            "routes": [{"name": "route", "match": {"prefix": "/"}, "route": {"cluster": "backend"},
                        "metadata": {"filter_metadata": {"envoy.filters.http.lua": METADATA}}}],
            "typed_per_filter_config": {"envoy.filters.http.lua": {
                "@type": _LUA + "LuaPerRoute", "source_code": {"inline_string": script}, "filter_context": CONTEXT}},
        } for host, script in scripts]
        http = "type.googleapis.com/envoy.extensions.filters"
        manager = {
            "@type": http + ".network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "http",
            "use_remote_address": True, "http_protocol_options": {"enable_trailers": True},
            "route_config": {"virtual_hosts": hosts},
            "http_filters": [
                {"name": "envoy.filters.http.lua", "typed_config": {"@type": _LUA + "Lua"}},
                {"name": "envoy.filters.http.router", "typed_config": {"@type": http + ".http.router.v3.Router"}}],
        }
        options = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http_protocol_options": {"enable_trailers": True}}}}
        clusters = [{
            "name": name, "type": "STATIC", "connect_timeout": "5s", "typed_extension_protocol_options": options,
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [
                {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}]}]},
        } for name, port in (("backend", self._backend.port), ("callee", self._backend.port), ("dead", self._dead))]
        address = {"socket_address": {"address": "127.0.0.1", "port_value": self.port}}
        chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        return json.dumps({
            "node": {"id": "parity", "cluster": "parity"},
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": self._admin}}},
            "static_resources": {
                "listeners": [{"name": "http", "address": address, "filter_chains": [chain]}], "clusters": clusters},
        })


class Weft(Proxy):
    name, _suffix = "weft", ".yaml"
    _ready = "/readyz"

    def __init__(self, cases, backend, folder, binary):
        self._binary = binary
        super().__init__(cases, backend, folder)

    def _command(self):
        return [self._binary, "run", "-f", self._config, "--admin", f"127.0.0.1:{self._admin}", "--workers", "1",
                "--log-level", "trace", "--log-format", "json"]

    def _entries(self, text):
        for line in text.splitlines():
            entry = json.loads(line)
            if "bundle" in entry.get("metadata", {}):
                # Weft adds a traceback to an error.
                yield entry["level"], entry["message"].split("\nstack traceback:")[0]

    def _configuration(self, scripts):
        gateway = "gateway.networking.k8s.io/v1"
        documents = [{
            "apiVersion": gateway, "kind": "Gateway", "metadata": {"name": "gateway"},
            "spec": {"gatewayClassName": "weft", "addresses": [{"value": "127.0.0.1"}],
                     "listeners": [{"name": "http", "protocol": "HTTP", "port": self.port}]}}]
        for name, port in (("backend", self._backend.port), ("callee", self._backend.port), ("dead", self._dead)):
            documents.append({"apiVersion": "weft.dev/v1", "kind": "Service", "metadata": {"name": name},
                              "spec": {"endpoints": [f"127.0.0.1:{port}"]}})
        for host, script in scripts:
            name = host[:-5]
            documents.append({
                "apiVersion": "weft.dev/v1", "kind": "Filter", "metadata": {"name": name},
                "spec": {"type": "lua", "config": {
                    "script": script, "onError": "skip", "clearRouteCache": True, "settings": CONTEXT, "services": ["callee", "dead"],
                    "limits": {"logLines": 10000}}}})
            documents.append({
                "apiVersion": gateway, "kind": "HTTPRoute",
                "metadata": {"name": name, "annotations": {"metadata.weft.dev/lua": json.dumps(METADATA)}},
                "spec": {"parentRefs": [{"name": "gateway"}], "hostnames": [host], "rules": [{
                    "filters": [{"type": "ExtensionRef",
                                 "extensionRef": {"group": "weft.dev", "kind": "Filter", "name": name}}],
                    "backendRefs": [{"group": "weft.dev", "kind": "Service", "name": "backend"}]}]}})
        return "\n---\n".join(json.dumps(document) for document in documents) + "\n"
