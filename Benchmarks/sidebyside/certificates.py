"""The certificates of a run, for the scenarios with TLS: ECDSA P-256, good for two days."""
import os
import subprocess

from .peers import program
from .process import Failed


def make_certificates(folder):
    """Makes in the folder server.crt and server.key, self-signed, and ca.crt with peer.crt and peer.key under it, which
    are for both ends of a connection of mutual TLS, at the name server.bench."""
    _openssl(folder, "req", "-x509", *_key("server.key"), "-out", "server.crt", "-days", "2", "-subj", "/CN=bench")
    _openssl(folder, "req", "-x509", *_key("ca.key"), "-out", "ca.crt", "-days", "2", "-subj", "/CN=bench authority",
             "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    extensions = os.path.join(folder, "peer.extensions")
    with open(extensions, "w") as file:
        file.write("subjectAltName=DNS:server.bench,URI:spiffe://bench/ns/default/sa/peer\n"
                   "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n")
    _openssl(folder, "req", *_key("peer.key"), "-out", "peer.csr", "-subj", "/CN=server.bench")
    _openssl(folder, "x509", "-req", "-in", "peer.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
             "-extfile", extensions, "-out", "peer.crt", "-days", "2")


def _key(name):
    return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name


def _openssl(folder, *arguments):
    done = subprocess.run([program("openssl"), *arguments], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60)
    if done.returncode != 0:
        raise Failed(f"openssl failed: {done.stderr.strip()}")
