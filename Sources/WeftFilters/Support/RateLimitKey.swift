import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO

/// What tells the requests of one bucket from those of another.
struct RateLimitKey: Sendable {
  enum Part: Sendable {
    /// Masks of the address that are compared.
    case clientAddress(v4: UInt32, high: UInt64, low: UInt64)
    case header(HeaderName)
    case host, path, method, route
  }

  private enum PartType: String, CaseIterable {
    case clientAddress = "client-address"
    case header, host, path, method, route
  }

  /// What becomes of a request that lacks a header of the key.
  enum Missing: String, CaseIterable, Sendable {
    /// All of them share a bucket.
    case share
    /// It is not limited.
    case skip
  }

  private let parts: [Part]
  private let missing: Missing
  // Secrets, so that nobody can make requests that share a bucket, or fill one group of the table.
  private let secret0 = UInt64.random(in: 0 ... .max)
  private let secret1 = UInt64.random(in: 0 ... .max)

  init(_ reader: ObjectReader) {
    let given = reader.objects("key", count: 0...8) { RateLimitKey.part($0) }.compactMap(\.self)
    parts = reader.has("key") ? given : [RateLimitKey.address(v4: 32, v6: 64)]
    missing = reader.enumeration("missing", default: .share)
  }

  private static func part(_ reader: ObjectReader) -> Part? {
    let type: PartType? = reader.required("type", placeholder: nil) { try $0.enumeration(PartType.self) }
    let v4 = reader.optionalInt("ipv4PrefixLength", in: 0...32)
    let v6 = reader.optionalInt("ipv6PrefixLength", in: 0...128)
    let name = reader.optionalString("name", .headerName)
    if let type, type != .clientAddress {
      for field in ["ipv4PrefixLength", "ipv6PrefixLength"] where reader.has(field) {
        reader.error(field, "belongs to type client-address")
      }
    }
    if let type, type != .header, name != nil { reader.error("name", "belongs to type header") }
    switch type {
    case nil: return nil
    case .clientAddress: return address(v4: v4 ?? 32, v6: v6 ?? 64)
    case .header:
      if !reader.has("name") { reader.error("name", "is missing; it must be given with type header") }
      return name.flatMap { HeaderName($0) }.map { .header($0) }
    case .host: return .host
    case .path: return .path
    case .method: return .method
    case .route: return .route
    }
  }

  private static func address(v4: Int, v6: Int) -> Part {
    .clientAddress(
      v4: v4 == 0 ? 0 : UInt32.max << UInt32(32 - v4),
      high: v6 >= 64 ? .max : v6 == 0 ? 0 : UInt64.max << UInt64(64 - v6),
      low: v6 <= 64 ? 0 : UInt64.max << UInt64(128 - v6))
  }

  /// The hash of the request's key; nil when the request is not limited.
  func hash(_ exchange: Exchange) -> UInt64? {
    var sip = SipHash(key0: secret0, key1: secret1)
    for part in parts {
      switch part {
      case .clientAddress(let v4, let high, let low):
        if let ip = exchange.clientAddress.ip {
          // The mapped form's upper half is zero, which no other address of note has.
          sip.append(ip.isV4 ? 0 : ip.high & high)
          sip.append(ip.isV4 ? 0xffff_0000_0000 | UInt64(ip.v4 & v4) : ip.low & low)
        } else {
          sip.append(UInt64.max)
        }
      case .header(let name):
        guard let value = exchange.request.headers.value(name) else {
          if missing == .skip { return nil }
          sip.append(UInt64.max)
          continue
        }
        RateLimitKey.append(value, &sip)
      case .host:
        let value = exchange.request.headers.value(.host) ?? Bytes()
        sip.append(UInt64(value.count))
        for i in 0..<value.count { sip.append(asciiLower(value[i])) }
      case .path: RateLimitKey.append(exchange.request.path, &sip)
      case .method: RateLimitKey.append(exchange.request.headers.text(exchange.request.methodText), &sip)
      case .route: RateLimitKey.append(exchange.routeName, &sip)
      }
    }
    return sip.finish()
  }

  /// With its length, so that the border between two parts counts.
  @inline(__always)
  private static func append(_ bytes: Bytes, _ sip: inout SipHash) {
    sip.append(UInt64(bytes.count))
    sip.append(bytes)
  }
}
