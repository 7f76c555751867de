import WeftConfig
import WeftHTTP
import WeftIO

/// How the clients of a rule stay with one endpoint each (Gateway API, session persistence).
final class SessionSpec: Sendable {
  /// The cookie's name, or the field's.
  let name: OwnedBytes
  /// The field that carries the session; nil: a cookie does.
  let header: HeaderName?
  /// Of the cookie, behind its value; without Max-Age and Secure.
  let attributes: OwnedBytes
  /// The cookie outlives the browser.
  let isPermanent: Bool
  /// Seconds that a session lasts at most; 0: no limit.
  let absoluteTimeout: UInt64
  /// Seconds that it lasts without a request; 0: no limit.
  let idleTimeout: UInt64

  /// - Parameter rule: the rule's name, from which that of the cookie is made when none is given.
  init(_ settings: HTTPRoute.SessionPersistence, rule: String) {
    let given = settings.name ?? "weft-session-" + String(SessionToken.hash(rule.utf8) & 0xffff_ffff, radix: 16)
    name = OwnedBytes(given)
    header = settings.carrier == .header ? HeaderName(given) : nil
    attributes = OwnedBytes("; Path=\(settings.cookiePath); HttpOnly; SameSite=Lax")
    isPermanent = settings.cookieLifetime == .permanent
    absoluteTimeout = SessionSpec.seconds(settings.absoluteTimeout)
    idleTimeout = SessionSpec.seconds(settings.idleTimeout)
  }

  /// Whole seconds, for nothing finer is kept; 0 for none.
  private static func seconds(_ duration: ConfigDuration?) -> UInt64 {
    guard let duration, !duration.isZero else { return 0 }
    return UInt64(max(1, duration.milliseconds / 1_000))
  }
}

/// What a client keeps: a name for the endpoint that tells nothing of its address, and the times that limits are
/// reckoned from. The same in every proxy with the same configuration, and after a restart.
struct SessionToken {
  /// Of the endpoint; 0: no session.
  var id: UInt64 = 0
  /// Seconds since 1970.
  var created: UInt64 = 0
  var used: UInt64 = 0

  /// 16 hexadecimal digits, and twice a dot and up to 16 more.
  static let maximumLength = 50

  init() {}

  init(id: UInt64, created: UInt64, used: UInt64) {
    self.id = id
    self.created = created
    self.used = used
  }

  /// Reads what `write` wrote; nil for anything else.
  init?(_ text: Bytes) {
    guard let first = text.firstIndex(of: 0x2e), let second = text.firstIndex(of: 0x2e, from: first + 1),
      let id = SessionToken.number(text.slice(0, first)), id != 0,
      let created = SessionToken.number(text.slice(first + 1, second)),
      let used = SessionToken.number(text.slice(second + 1, text.count))
    else { return nil }
    self.init(id: id, created: created, used: used)
  }

  func write(into w: inout ByteWriter) {
    w.append(hex: id)
    w.append(byte: 0x2e)
    w.append(hex: created)
    w.append(byte: 0x2e)
    w.append(hex: used)
  }

  private static func number(_ digits: Bytes) -> UInt64? {
    if digits.count == 0 || digits.count > 16 { return nil }
    var value: UInt64 = 0
    for i in 0..<digits.count {
      let c = digits[i]
      switch c {
      case 0x30...0x39: value = value << 4 | UInt64(c &- 0x30)
      case 0x61...0x66: value = value << 4 | UInt64(c &- 0x57)
      default: return nil
      }
    }
    return value
  }

  /// Names an endpoint of a service; never 0.
  static func id(service: Bytes, address: SocketAddress) -> UInt64 {
    max(hash(service.array + [0] + Array(address.description.utf8)), 1)
  }

  /// FNV-1a.
  static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
    bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }
}
