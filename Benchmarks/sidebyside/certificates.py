"""The certificate of a run, for the scenarios with TLS."""
import os
import subprocess

from .peers import program
from .process import Failed


def make_certificate(folder):
    """Makes server.crt and server.key, ECDSA P-256, in the folder."""
    key, certificate = os.path.join(folder, "server.key"), os.path.join(folder, "server.crt")
    command = [program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
               "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=bench"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise Failed(f"openssl failed: {done.stderr.strip()}")
