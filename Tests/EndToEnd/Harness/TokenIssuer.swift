/// An issuer of JWTs: makes keys with openssl, and tokens of each algorithm with them.
struct TokenIssuer {
  let folder: TemporaryFolder
  /// `{"keys": [...]}`, indented by nothing.
  let jwks: String

  private static let script = """
    import base64, hashlib, hmac, json, subprocess, sys
    def b64(b): return base64.urlsafe_b64encode(b).rstrip(b"=").decode()
    def run(*a, **k): return subprocess.run(a, check=True, capture_output=True, **k).stdout
    SECRET = b"0123456789abcdef0123456789abcdef"
    def sign(alg, kid, data):
        if alg == "HS256": return hmac.new(SECRET, data, hashlib.sha256).digest()
        if alg == "none": return b""
        if alg == "EdDSA":
            open("data", "wb").write(data)
            return run("openssl", "pkeyutl", "-sign", "-inkey", kid + ".pem", "-rawin", "-in", "data")
        der = run("openssl", "dgst", "-sha256", "-sign", kid + ".pem", input=data)
        if alg == "RS256": return der
        out, at = b"", 3 if der[1] < 0x80 else 4
        for _ in range(2):
            n = der[at]
            out += int.from_bytes(der[at + 1:at + 1 + n], "big").to_bytes(32, "big")
            at += n + 2
        return out
    def token(alg, kid, claims):
        text = b64(json.dumps({"alg": alg, "kid": kid}).encode()) + "." + b64(json.dumps(claims).encode())
        return text + "." + b64(sign(alg, kid, text.encode()))
    def keys():
        run("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "rsa.pem")
        run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "ec.pem")
        run("openssl", "genpkey", "-algorithm", "ED25519", "-out", "ed.pem")
        n = run("openssl", "rsa", "-in", "rsa.pem", "-noout", "-modulus").decode().strip().split("=")[1]
        point = run("openssl", "pkey", "-in", "ec.pem", "-pubout", "-outform", "DER")[-64:]
        ed = run("openssl", "pkey", "-in", "ed.pem", "-pubout", "-outform", "DER")[-32:]
        return {"keys": [
            {"kty": "RSA", "kid": "rsa", "n": b64(bytes.fromhex(n)), "e": "AQAB"},
            {"kty": "EC", "kid": "ec", "crv": "P-256", "x": b64(point[:32]), "y": b64(point[32:])},
            {"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": b64(ed)},
            {"kty": "oct", "kid": "hs", "alg": "HS256", "k": b64(SECRET)}]}
    if sys.argv[1] == "keys": print(json.dumps(keys()))
    else: print(token(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
    """

  init() throws {
    folder = try TemporaryFolder()
    try folder.write("jwt.py", Self.script)
    jwks = try Self.run(folder, "keys")
  }

  func token(_ algorithm: String, _ key: String, _ claims: String) throws -> String {
    try Self.run(folder, algorithm, key, claims)
  }

  func token(_ claims: String) throws -> String { try token("ES256", "ec", claims) }

  private static func run(_ folder: TemporaryFolder, _ arguments: String...) throws -> String {
    let result = try Tool.run(
      "sh", ["-c", "cd \(folder.path(".")) && exec python3 jwt.py \"$@\"", "sh"] + arguments)
    if result.code != 0 { throw MalformedMessage("jwt.py: \(result.errorOutput)") }
    return result.output.split(separator: "\n").joined()
  }
}
