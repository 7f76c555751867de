import CLuaHost
import WeftCrypto
import WeftIO
import WeftRegex

/// What the libraries of the `weft` table ask. Called from C while Lua runs: nothing here raises, blocks or calls back
/// into the host.
enum LuaLibrary {
  static func table() -> wl_library {
    wl_library(
      wall: { LuaEnvironment.of($0)?.wall ?? 0 },
      monotonic: { LuaEnvironment.of($0)?.monotonic ?? 0 },
      random: { LuaEnvironment.of($0)?.nextRandom() ?? 0 },
      random_bytes: { LuaLibrary.randomBytes($1, $2) },
      digest_begin: { LuaLibrary.makeDigest($0, $1) },
      digest_update: { LuaLibrary.update($0, $1) },
      digest_end: { LuaLibrary.end($0, $1) },
      pbkdf2: { LuaLibrary.derive($0, $1, $2, $3, $4, $5) },
      key_read: { LuaLibrary.readKey($0, $1, $2, $3) },
      key_free: { LuaLibrary.free(PublicKey.self, $0) },
      key_kind: { wl_text(LuaLibrary.kind($0)) },
      key_bits: { Int32(LuaLibrary.object(PublicKey.self, $0)?.bits ?? 0) },
      key_verify: { LuaLibrary.verify($0, $1, $2, $3) },
      regex_compile: { LuaLibrary.compile($0, $1, $2, $3) },
      regex_free: { LuaLibrary.free(Pattern.self, $0) },
      regex_bytes: { LuaLibrary.object(Pattern.self, $0)?.memory ?? 0 },
      regex_groups: { Int32(LuaLibrary.object(Pattern.self, $0)?.groupCount ?? 0) },
      regex_group: { Int32(LuaLibrary.object(Pattern.self, $0)?.groupNumber($1.bytes.string) ?? 0) },
      regex_match: { LuaLibrary.match($0, $1, $2, $3, $4, $5) },
      shared_open: { LuaLibrary.openShared($0, $1, $2) },
      shared_get: { LuaLibrary.sharedGet($0, $1, $2, $3) },
      shared_set: { LuaLibrary.sharedSet($0, $1, $2, $3, $4, $5) },
      shared_increment: { LuaLibrary.sharedIncrement($0, $1, $2, $3, $4, $5, $6) },
      shared_delete: { LuaLibrary.sharedDelete($0, $1, $2) },
      shared_ttl: { LuaLibrary.sharedTimeLeft($0, $1, $2) },
      shared_count: { LuaLibrary.sharedCount($1) },
      shared_keys: { LuaLibrary.sharedKeys($0, $1, $2) },
      shared_flush: { LuaLibrary.sharedFlush($1) },
      http_begin: { LuaLibrary.beginRequest($0, $1, $2) },
      http_field: { LuaEnvironment.of($0)?.addRequestField($1.bytes, $2.bytes) },
      http_send: { LuaLibrary.sendRequest($0, $1, $2) },
      http_ready: { LuaEnvironment.of($0)?.isAnswered($1) == true ? 1 : 0 },
      http_answer: { LuaEnvironment.of($0)?.takeAnswer($1) ?? .none },
      http_forget: { if let slot = $1 { LuaEnvironment.of($0)?.forgetRequests(of: slot) } },
      metric_make: { LuaLibrary.makeMetric($0, $1, $2) },
      metric_series: { LuaLibrary.metricSeries($0, $1, $2, $3) },
      metric_change: { LuaLibrary.changeMetric($0, $1, $2, $3, $4) },
      record: { LuaLibrary.record($0, $1) },
      log_enabled: { LuaEnvironment.of($0)?.isLogged($1) == true ? 1 : 0 },
      log: { LuaEnvironment.of($0)?.log($1, $2.bytes) })
  }

  // MARK: Objects that the host keeps

  private static func keep<T: AnyObject>(_ object: T) -> UnsafeMutableRawPointer {
    Unmanaged.passRetained(object).toOpaque()
  }

  private static func object<T: AnyObject>(_ type: T.Type, _ pointer: UnsafeMutableRawPointer?) -> T? {
    pointer.map { Unmanaged<T>.fromOpaque($0).takeUnretainedValue() }
  }

  private static func free<T: AnyObject>(_ type: T.Type, _ pointer: UnsafeMutableRawPointer?) {
    if let pointer { Unmanaged<T>.fromOpaque(pointer).release() }
  }

  // MARK: Digests

  private static func randomBytes(_ out: UnsafeMutablePointer<UInt8>?, _ count: Int) -> Int32 {
    do {
      try RandomBytes.fill(UnsafeMutableRawBufferPointer(start: out, count: out == nil ? 0 : count))
      return 1
    } catch {
      return 0
    }
  }

  private static func makeDigest(_ algorithm: Int32, _ key: UnsafePointer<wl_text>?) -> UnsafeMutableRawPointer? {
    guard let algorithm = Digest.Algorithm(rawValue: Int(algorithm)) else { return nil }
    guard let key else { return (try? Digest(algorithm)).map(keep) }
    return (try? Digest(algorithm, key: key.pointee.raw)).map(keep)
  }

  private static func update(_ digest: UnsafeMutableRawPointer?, _ bytes: wl_text) -> Int32 {
    do {
      try object(Digest.self, digest)?.update(bytes.raw)
      return 1
    } catch {
      return 0
    }
  }

  private static func end(_ digest: UnsafeMutableRawPointer?, _ out: UnsafeMutablePointer<UInt8>?) -> Int {
    defer { free(Digest.self, digest) }
    guard let out, let digest = object(Digest.self, digest) else { return 0 }
    return (try? digest.finish(into: UnsafeMutableRawBufferPointer(start: out, count: Int(WL_DIGEST_BYTES)))) ?? 0
  }

  private static func derive(
    _ algorithm: Int32, _ password: wl_text, _ salt: wl_text, _ iterations: UInt32,
    _ out: UnsafeMutablePointer<UInt8>?, _ count: Int
  ) -> Int32 {
    guard let algorithm = Digest.Algorithm(rawValue: Int(algorithm)), let out else { return 0 }
    do throws(CryptoError) {
      try PBKDF2.derive(
        algorithm, password: password.raw, salt: salt.raw, iterations: Int(iterations),
        into: UnsafeMutableRawBufferPointer(start: out, count: count))
      return 1
    } catch {
      return 0
    }
  }

  // MARK: Public keys

  private static func readKey(
    _ context: UnsafeMutableRawPointer?, _ kind: Int32, _ parts: UnsafePointer<wl_text>?,
    _ error: UnsafeMutablePointer<wl_text>?
  ) -> UnsafeMutableRawPointer? {
    guard let environment = LuaEnvironment.of(context), let parts, let error else { return nil }
    do throws(CryptoError) {
      return keep(try key(Int(kind), parts))
    } catch let failure {
      error.pointee = environment.lend("\(failure)")
      return nil
    }
  }

  private static func key(_ kind: Int, _ parts: UnsafePointer<wl_text>) throws(CryptoError) -> PublicKey {
    switch kind {
    case WL_KEY_RSA: return try PublicKey.rsa(modulus: parts[0].raw, exponent: parts[1].raw)
    case WL_KEY_EC:
      let name = parts[0].bytes.string
      guard let curve = PublicKey.Curve(rawValue: name) else {
        throw CryptoError(operation: "read the EC key", reason: "the curve \(name.prefix(40)) is not supported")
      }
      return try PublicKey.ec(curve, x: parts[1].raw, y: parts[2].raw)
    case WL_KEY_OKP:
      let name = parts[0].bytes.string
      if name != "Ed25519" {
        throw CryptoError(operation: "read the key", reason: "the curve \(name.prefix(40)) is not supported")
      }
      return try PublicKey.ed25519(parts[1].raw)
    default: return try PublicKey(parts[0].raw)
    }
  }

  private static func kind(_ key: UnsafeMutableRawPointer?) -> Bytes {
    switch object(PublicKey.self, key)?.kind {
    case .rsa: Bytes("RSA")
    case .ec: Bytes("EC")
    case .ed25519: Bytes("Ed25519")
    case nil: Bytes()
    }
  }

  private static func verify(
    _ key: UnsafeMutableRawPointer?, _ algorithm: Int32, _ data: wl_text, _ signature: wl_text
  ) -> Int32 {
    guard let key = object(PublicKey.self, key), let algorithm = SignatureAlgorithm(rawValue: Int(algorithm)) else {
      return 0
    }
    if !key.fits(algorithm) { return -1 }
    return key.verify(algorithm, data.raw, signature: signature.raw) ? 1 : 0
  }

  // MARK: Regular expressions

  private static func compile(
    _ context: UnsafeMutableRawPointer?, _ pattern: wl_text, _ flags: Int32, _ error: UnsafeMutablePointer<wl_text>?
  ) -> UnsafeMutableRawPointer? {
    guard let environment = LuaEnvironment.of(context), let error else { return nil }
    // A pattern is text for PCRE2's wrapper; other bytes can be written as escapes.
    guard let text = String(validating: pattern.bytes.array, as: UTF8.self) else {
      error.pointee = environment.lend("the pattern is not UTF-8")
      return nil
    }
    var options: Pattern.Options = []
    if flags & Int32(WL_RE_CASELESS) != 0 { options.insert(.caseInsensitive) }
    if flags & Int32(WL_RE_DOTALL) != 0 { options.insert(.dotMatchesNewline) }
    if flags & Int32(WL_RE_MULTILINE) != 0 { options.insert(.multiline) }
    if flags & Int32(WL_RE_UTF8) != 0 { options.insert(.utf8) }
    do throws(PatternError) {
      return keep(try Pattern(text, anchoring: .anywhere, options: options))
    } catch let failure {
      error.pointee = environment.lend("\(failure.message), at offset \(failure.offset)")
      return nil
    }
  }

  private static func match(
    _ context: UnsafeMutableRawPointer?, _ regex: UnsafeMutableRawPointer?, _ subject: wl_text, _ from: Int,
    _ offsets: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<wl_text>?
  ) -> Int32 {
    guard let environment = LuaEnvironment.of(context), let pattern = object(Pattern.self, regex), let offsets,
      let error
    else { return 0 }
    var why = "no memory"
    let result: Int32? = environment.withScratch { scratch in
      do throws(PatternMatchError) {
        guard let match = try pattern.firstMatch(in: subject.bytes, from: from, scratch: scratch) else { return 0 }
        for group in 0...pattern.groupCount {
          let range = match.range(group)
          offsets[2 * group] = range?.lowerBound ?? unset
          offsets[2 * group + 1] = range?.upperBound ?? unset
        }
        // `\K` in a lookahead may leave a match whose end lies before its start.
        return match.range(0) == nil ? 0 : 1
      } catch let failure {
        why = reason(failure)
        return -1
      }
    }
    if let result, result >= 0 { return result }
    error.pointee = environment.lend(why)
    return -1
  }

  /// WL_RE_UNSET, whose bits are those of -1.
  private static let unset = -1

  private static func reason(_ failure: PatternMatchError) -> String {
    switch failure {
    case .stepLimit: "it takes too many steps"
    case .memoryLimit: "it takes too much memory"
    case .timeLimit: "it takes too long"
    case .outputLimit: "its result is too long"
    case .engine(let number): "PCRE2 error \(number)"
    }
  }
}

extension wl_text {
  /// The bytes, borrowed.
  var raw: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: base == nil ? 0 : count) }
}
