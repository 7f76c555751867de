#!/usr/bin/env bash
# Makes an authority, a server's certificate for *.localhost names, and a client's with a SPIFFE ID, each good for 30
# days, in certificates/ beside this script.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p certificates
cd certificates

key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null ||
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

key ca.key
openssl req -x509 -new -key ca.key -subj "/CN=Example CA" -days 30 -out ca.crt \
  -addext "keyUsage=critical,keyCertSign,cRLSign"

# issue NAME SUBJECT-ALTERNATIVE-NAMES
issue() {
  key "$1.key"
  openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out "$1.crt" 2>/dev/null \
    -extfile <(printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=%s\n' "$2")
  rm "$1.csr"
}
issue server "DNS:shop.localhost,DNS:internal.localhost,URI:spiffe://example.org/ns/edge/sa/gateway"
issue cart "DNS:cart.localhost,URI:spiffe://example.org/ns/shop/sa/cart"
