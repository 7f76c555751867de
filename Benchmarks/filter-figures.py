#!/usr/bin/env python3
"""What calls of the shipped bundles cost.

Runs `weft filter bench` over each folder of filters/ with a request that the filter has work with, and prints a table:
time, Lua memory and allocations of a call. A bundle without a request here is an error, so that none is left out."""
import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FILTERS = os.path.join(HERE, "filters")
BEGIN, END = "<!-- filter figures: begin", "<!-- filter figures: end -->"

PERSON = json.dumps({"id": 42, "name": "Ann", "email": "ann@example.com", "password": "secret", "orders": [
    {"number": n, "item": "a chair", "note": "call +49 30 123456 before noon", "price": 129.5} for n in range(8)]})
PAGE = "the card 4111 1111 1111 1111 was charged; " * 24


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(claims, secret):
    """A JSON Web Token (HS256)."""
    text = url64(b'{"alg":"HS256","typ":"JWT"}') + "." + url64(json.dumps(claims).encode())
    return text + "." + url64(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())


def signature(secret, body):
    return "sha256=" + hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()


def case(what, settings=None, url="https://shop.example/cart?x=1", method="GET", body=None, response=None, **headers):
    """response: the body of a JSON answer."""
    return dict(what=what, settings=settings or {}, url=url, method=method, body=body, response=response,
                headers={name.replace("_", "-"): value for name, value in headers.items()})


CASES = {
    "ab-bucket": case("a client with a cookie", {"buckets": [{"name": "a", "weight": 9}, {"name": "b", "weight": 1}]},
                      cookie="theme=dark; ab=a"),
    "api-key": case("a known key", {"keys": [{"consumer": "ann", "sha256": hashlib.sha256(b"the-key").hexdigest()}]},
                    x_api_key="the-key"),
    "basic-auth": case(
        "a password that was checked before",
        {"users": [{"name": "ann", "password": "pbkdf2_sha256$1000$" + base64.b64encode(b"salt-salt-salt").decode() + "$"
                    + base64.b64encode(hashlib.pbkdf2_hmac("sha256", b"the-word", b"salt-salt-salt", 1000)).decode()}]},
        authorization="Basic " + base64.b64encode(b"ann:the-word").decode()),
    "body-redact": case("a page of 1 KiB with 24 numbers", response=PAGE),
    "bot-block": case("a browser", user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"),
    "canary": case("a client who is not chosen", {"mark": "x-release"}, cookie="theme=dark"),
    "coalesce": case("one request at a time"),
    "correlation-id": case("a new identifier"),
    "geo-tag": case("an address out of 200 ranges", {"places": [
        {"tag": f"t{n}", "ranges": [f"10.{n}.0.0/16"]} for n in range(200)]}),
    "ip-allow-deny": case("an address out of 101 ranges", {
        "allow": ["0.0.0.0/0", "::/0"], "deny": [f"10.{n}.0.0/16" for n in range(99)]}),
    "jwt": case("a token (HS256)", {"algorithms": ["HS256"], "keys": [{"secret": "a-secret-of-at-least-32-bytes-here"}]},
                authorization="Bearer " + token({"sub": "ann", "exp": 4000000000}, "a-secret-of-at-least-32-bytes-here")),
    "maintenance": case("a path that stays open", {"paths": ["/cart"]}),
    "path-guard": case("a path that is allowed"),
    "quota": case("a consumer within two windows", {"windows": [
        {"requests": 1000000000, "per": "minute"}, {"requests": 1000000000, "per": "day"}]}, x_consumer="ann"),
    "redact": case("a JSON response of 1 KiB", {"detect": ["email", "card", "iban", "phone"]}, response=PERSON),
    "request-validation": case("an object of two fields", {"schema": {
        "type": "object", "required": ["item", "count"], "additionalProperties": False,
        "properties": {"item": {"type": "string", "maxLength": 100}, "count": {"type": "integer", "maximum": 99}}}},
        method="POST", body='{"item": "a chair", "count": 2}', content_type="application/json"),
    "response-cache": case("a response that is there", {"defaultTtl": 3600}),
    "security-headers": case("a page"),
    "tenant-tag": case("a name of a host", {"hosts": {"shop.example": "acme"}}),
    "transform": case("a header and a field each way, JSON of 1 KiB", {
        "request": {"set": {"x-api-version": "2"}, "json": {"set": {"/source": "web"}}},
        "response": {"remove": ["x-debug"], "json": {"remove": ["/password"]}}},
        method="POST", body=PERSON, response=PERSON, content_type="application/json"),
    "waf": case("a query and three headers", user_agent="Mozilla/5.0", referer="https://shop.example/", cookie="a=1"),
    "webhook-signature": case("a body of 1 KiB (GitHub)", {"secrets": ["the-secret"]}, method="POST", body=PERSON,
                              x_hub_signature_256=signature("the-secret", PERSON)),
}


def bench(binary, name, case, seconds):
    """The functions of `weft filter bench --json`."""
    with tempfile.TemporaryDirectory() as folder:
        command = [binary, "filter", "bench", os.path.join(FILTERS, name), case["url"], "--json", "--seconds", str(seconds),
                   "--method", case["method"], "--settings", json.dumps(case["settings"])]
        for header, value in case["headers"].items():
            command += ["-H", f"{header}: {value}"]
        if case["body"] is not None:
            command += ["--data", case["body"]]
        if case["response"] is not None:
            path = os.path.join(folder, "response.json")
            kind = "application/json" if case["response"].startswith("{") else "text/html"
            with open(path, "w") as file:
                json.dump({"status": 200, "headers": {"content-type": kind}, "body": case["response"]}, file)
            command += ["--response", path]
        result = subprocess.run(command, capture_output=True, text=True)
    try:
        answer = json.loads(result.stdout)
    except ValueError:
        answer = {}
    if result.returncode != 0 or not answer.get("functions"):
        raise SystemExit(f"{name}: weft filter bench failed, {result.returncode}: {answer.get('error')} "
                         f"{result.stdout if not answer else ''}{result.stderr}")
    return answer["functions"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("filters", nargs="*", help="names of folders below filters/; all when none is given")
    parser.add_argument("--binary", default=os.path.join(HERE, ".build/release/weft"))
    parser.add_argument("--seconds", type=float, default=2, help="how long to measure each")
    parser.add_argument("--markdown", metavar="FILE", help="write the table into this page, which has a place for it")
    arguments = parser.parse_args()
    if arguments.markdown and BEGIN not in open(arguments.markdown).read():
        parser.error(f"{arguments.markdown} has no place for the table: a line that begins with {BEGIN}")
    if not os.access(arguments.binary, os.X_OK):
        parser.error(f"there is no {arguments.binary}; build it with make build, or give --binary")
    shipped = sorted(n for n in os.listdir(FILTERS) if os.path.exists(os.path.join(FILTERS, n, "bundle.yaml")))
    for name in arguments.filters:
        if name not in shipped:
            parser.error(f"there is no filters/{name}")
    for name in shipped:
        if name not in CASES:
            raise SystemExit(f"filters/{name}: Benchmarks/filter-figures.py has no request for it; add one to CASES")
    lines = ["| filter | request | function | µs | Lua bytes | allocations |", "| --- | --- | --- | ---: | ---: | ---: |"]
    for name in arguments.filters or shipped:
        for row in bench(arguments.binary, name, CASES[name], arguments.seconds):
            lines.append(f"| `{name}` | {CASES[name]['what']} | `{row['function']}` | {row['nanoseconds'] / 1000:.2f} | "
                         f"{row['bytes']:.0f} | {row['allocations']:.0f} |")
            print(lines[-1], flush=True)
    if arguments.markdown:
        with open(arguments.markdown) as file:
            head, rest = file.read().split(BEGIN, 1)
        with open("/proc/cpuinfo") as file:
            processor = re.search(r"model name\s*: (.*)", file.read())
        version = subprocess.run([arguments.binary, "--version"], capture_output=True, text=True).stdout.strip()
        intro = (f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, weft {version}, "
                 f"{processor.group(1).strip() if processor else 'an unknown processor'}; medians.")
        text = "\n".join([f"{BEGIN} (written by Benchmarks/filter-figures.py --markdown, not by hand) -->", "", intro, ""] + lines)
        with open(arguments.markdown, "w") as file:
            file.write(head + text + "\n\n" + END + rest.split(END, 1)[1])


if __name__ == "__main__":
    sys.exit(main())
