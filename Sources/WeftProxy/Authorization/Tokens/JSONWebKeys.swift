import WeftConfig
import WeftCrypto

/// A key that tokens are verified with, of a JSON Web Key Set (RFC 7517).
struct TokenKey: Sendable {
  enum Material: Sendable {
    case publicKey(PublicKey)
    /// Of HMAC, which whoever reads the configuration can sign with as well.
    case secret([UInt8])
  }

  /// nil: a token of any `kid` may be signed with it.
  let id: String?
  /// nil: every algorithm that fits the key.
  let algorithm: String?
  let material: Material

  /// The keys of a set that are for signatures. Those of kinds that are not known are passed over (RFC 7517 section 5).
  /// - Throws: `TokenKeyError` when there is none that can be used.
  static func keys(inSet text: String) throws(TokenKeyError) -> [TokenKey] {
    let value: JSONValue
    do { value = try JSONValue(parsing: Array(text.utf8), file: "jwks") } catch {
      throw TokenKeyError("is no JSON: \(error.diagnostics.first?.message ?? "")")
    }
    guard let list = value["keys"]?.array else { throw TokenKeyError("is no key set: it has no list \"keys\"") }
    guard list.count <= 64 else { throw TokenKeyError("holds \(list.count) keys; at most 64 are taken") }
    var keys: [TokenKey] = []
    for (i, item) in list.enumerated() {
      if let use = item["use"]?.string, use != "sig" { continue }
      guard let kind = item["kty"]?.string else { throw TokenKeyError("keys[\(i)] has no kty") }
      let material: Material?
      do throws(CryptoError) { material = try Self.material(kind, item) } catch {
        throw TokenKeyError("keys[\(i)]: \(error)")
      }
      guard let material else { continue }
      keys.append(TokenKey(id: item["kid"]?.string, algorithm: item["alg"]?.string, material: material))
    }
    if keys.isEmpty {
      throw TokenKeyError("holds no key to verify with: RSA, EC on P-256 or P-384, Ed25519, or oct")
    }
    return keys
  }

  private static func material(_ kind: String, _ item: JSONValue) throws(CryptoError) -> Material? {
    func bytes(_ name: String) throws(CryptoError) -> [UInt8] {
      guard let text = item[name]?.string, let bytes = Base64URL.decode(text) else {
        throw CryptoError(operation: "read the key", reason: "\"\(name)\" is missing or no base64url")
      }
      return bytes
    }
    switch kind {
    case "RSA": return .publicKey(try rsa(try bytes("n"), try bytes("e")))
    case "EC":
      guard let curve = item["crv"]?.string.flatMap(PublicKey.Curve.init) else { return nil }
      return .publicKey(try ec(curve, try bytes("x"), try bytes("y")))
    case "OKP":
      guard item["crv"]?.string == "Ed25519" else { return nil }
      return .publicKey(try ed25519(try bytes("x")))
    case "oct":
      let secret = try bytes("k")
      // RFC 7518 3.2.
      guard secret.count >= 32 else {
        throw CryptoError(operation: "use the key", reason: "a secret of \(secret.count) bytes; at least 32 are needed")
      }
      return .secret(secret)
    default: return nil
    }
  }

  private static func rsa(_ n: [UInt8], _ e: [UInt8]) throws(CryptoError) -> PublicKey {
    try result {
      n.withUnsafeBytes { n in
        e.withUnsafeBytes { e in Result { () throws(CryptoError) in try .rsa(modulus: n, exponent: e) } }
      }
    }
  }

  private static func ec(_ curve: PublicKey.Curve, _ x: [UInt8], _ y: [UInt8]) throws(CryptoError) -> PublicKey {
    try result {
      x.withUnsafeBytes { x in
        y.withUnsafeBytes { y in Result { () throws(CryptoError) in try .ec(curve, x: x, y: y) } }
      }
    }
  }

  private static func ed25519(_ x: [UInt8]) throws(CryptoError) -> PublicKey {
    try result { x.withUnsafeBytes { x in Result { () throws(CryptoError) in try .ed25519(x) } } }
  }

  private static func result(_ body: () -> Result<PublicKey, CryptoError>) throws(CryptoError) -> PublicKey {
    try body().get()
  }

  // MARK: Verifying

  /// Whether `signature` is this key's over `data`, by the algorithm that the token names (RFC 7518 3.1).
  func verify(_ name: String, _ data: UnsafeRawBufferPointer, signature: [UInt8]) -> Bool {
    if let algorithm, algorithm != name { return false }
    switch material {
    case .publicKey(let key):
      guard let algorithm = Self.algorithms[name] else { return false }
      return signature.withUnsafeBytes { key.verify(algorithm, data, signature: $0) }
    case .secret(let secret):
      guard let digest = Self.digests[name] else { return false }
      return Self.isEqual(Self.hmac(digest, secret, data), signature)
    }
  }

  static let algorithms: [String: SignatureAlgorithm] = [
    "RS256": .rs256, "RS384": .rs384, "RS512": .rs512, "PS256": .ps256, "PS384": .ps384, "PS512": .ps512,
    "ES256": .es256, "ES384": .es384, "EdDSA": .eddsa,
  ]
  private static let digests: [String: Digest.Algorithm] = ["HS256": .sha256, "HS384": .sha384, "HS512": .sha512]

  /// nil when OpenSSL refuses.
  private static func hmac(_ algorithm: Digest.Algorithm, _ key: [UInt8], _ data: UnsafeRawBufferPointer) -> [UInt8]? {
    var output = [UInt8](repeating: 0, count: algorithm.length)
    let count = try? key.withUnsafeBytes { key in
      let mac = try Digest(algorithm, key: key)
      try mac.update(data)
      return try output.withUnsafeMutableBytes { try mac.finish(into: $0) }
    }
    return count == output.count ? output : nil
  }

  /// Takes as long for a wrong text as for the right one.
  private static func isEqual(_ a: [UInt8]?, _ b: [UInt8]) -> Bool {
    guard let a, a.count == b.count else { return false }
    return zip(a, b).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
  }
}

/// Why a key set cannot be used.
struct TokenKeyError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Base64 for URLs, without padding (RFC 4648 section 5, RFC 7515 section 2).
enum Base64URL {
  static func decode(_ text: some StringProtocol) -> [UInt8]? {
    var plain = ""
    plain.reserveCapacity(text.utf8.count + 3)
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "-"): plain.append("+")
      case UInt8(ascii: "_"): plain.append("/")
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        plain.unicodeScalars.append(Unicode.Scalar(byte))
      default: return nil
      }
    }
    if text.utf8.count % 4 == 1 { return nil }
    plain += String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
    return Base64.decode(plain)
  }
}
