import CLinux
import WeftFilter
import WeftHTTP
import WeftIO

/// What the proxy tells the upstream about the client, and what it believes of what it was told.
extension Worker {
  /// Longest X-Forwarded-For that is carried on; a longer one is a joke or an attack.
  private static let forwardedLimit = 4096

  @inline(__always)
  func addForwardingFields(_ x: ExchangeRef, _ c: ClientRef) {
    let s = x.pointee.state
    let isTrusted =
      settings.forwarding.trustedHops > 0
      || (settings.forwarding.hasTrustedProxies && settings.forwarding.trusts(c.pointee.peer))
    if isTrusted { s.pointee.clientAddress = originalClient(s, c.pointee.peer, settings.forwarding) }
    addForwardedFor(s, c)
    if !isTrusted || s.pointee.request.headers.find(.xForwardedProto) == nil {
      s.pointee.request.headers.remove(.xForwardedProto)
      s.pointee.request.headers.add(
        literal: "x-forwarded-proto", s.pointee.isTLS ? Bytes("https") : Bytes("http"), known: .xForwardedProto)
    }
    if !isTrusted || s.pointee.request.headers.find(.xForwardedHost) == nil {
      s.pointee.request.headers.remove(.xForwardedHost)
      if let host = s.pointee.request.headers.value(.host) {
        s.pointee.request.headers.add(literal: "x-forwarded-host", host, known: .xForwardedHost)
      }
    }
    if settings.forwarding.forwarded { addForwarded(s, c, isTrusted) }
    addRequestID(s)
    if settings.forwarding.writesVia { addVia(s, settings.forwarding.via) }
  }

  private func addForwardedFor(_ s: UnsafeMutablePointer<ExchangeState>, _ c: ClientRef) {
    let mode = settings.forwarding.forwardedFor
    if mode == .off { return }
    if s.pointee.request.headers.find(.xForwardedFor) == nil {
      c.pointee.withPeerText {
        _ = s.pointee.request.headers.add(literal: "x-forwarded-for", $0, known: .xForwardedFor)
      }
      return
    }
    var w = ByteWriter(scratch, Self.forwardedLimit + 128)
    if mode == .append {
      let n = s.pointee.request.headers.joined(Names.xForwardedFor, into: &w)
      if w.overflow || w.count > Self.forwardedLimit { w = ByteWriter(scratch, Self.forwardedLimit + 128) }
      if n > 0 && w.count > 0 { w.append(", ") }
    }
    s.pointee.request.headers.remove(.xForwardedFor)
    c.pointee.withPeerText { w.append($0) }
    s.pointee.request.headers.add(Names.xForwardedFor, w.bytes)
  }

  /// RFC 7239.
  private func addForwarded(_ s: UnsafeMutablePointer<ExchangeState>, _ c: ClientRef, _ isTrusted: Bool) {
    var w = ByteWriter(scratch, 2 * Self.forwardedLimit)
    if isTrusted, s.pointee.request.headers.joined(Names.forwarded, into: &w) > 0 { w.append(", ") }
    if w.overflow { w = ByteWriter(scratch, 2 * Self.forwardedLimit) }
    let isV6 = c.pointee.peer.ip.map { !$0.isV4 } ?? false
    w.append(isV6 ? "for=\"[" : "for=")
    if c.pointee.peer.ip == nil { w.append("unknown") } else { c.pointee.peer.appendIP(to: &w) }
    if isV6 { w.append("]\"") }
    if let host = s.pointee.request.headers.value(.host), host.count <= 256, !containsQuote(host) {
      w.append(";host=\"")
      w.append(host)
      w.append("\"")
    }
    w.append(s.pointee.isTLS ? ";proto=https" : ";proto=http")
    s.pointee.request.headers.remove(.forwarded)
    if !w.overflow { s.pointee.request.headers.add(Names.forwarded, w.bytes) }
  }

  private func containsQuote(_ b: Bytes) -> Bool { b.firstIndex(of: 0x22) != nil || b.firstIndex(of: 0x5c) != nil }

  /// A random UUID (RFC 9562, version 4) for a request that came without an id.
  private func addRequestID(_ s: UnsafeMutablePointer<ExchangeState>) {
    switch settings.forwarding.requestID {
    case .off: return
    case .keep: if s.pointee.request.headers.find(.xRequestID) != nil { return }
    case .generate: s.pointee.request.headers.remove(.xRequestID)
    }
    let high = context.random.next()
    cl_write_uuid(scratch, high, context.random.next())
    s.pointee.request.headers.add(literal: "x-request-id", Bytes(BytePointer(scratch), 36), known: .xRequestID)
  }

  private func addVia(_ s: UnsafeMutablePointer<ExchangeState>, _ name: String) {
    var w = ByteWriter(scratch, Self.forwardedLimit + 256)
    if s.pointee.request.headers.joined(Names.via, into: &w) > 0 { w.append(", ") }
    if w.overflow { w = ByteWriter(scratch, Self.forwardedLimit + 256) }
    switch s.pointee.request.version {
    case .http10: w.append("1.0 ")
    case .http11: w.append("1.1 ")
    case .http2: w.append("2.0 ")
    }
    w.append(name)
    s.pointee.request.headers.remove(.via)
    s.pointee.request.headers.add(Names.via, w.bytes)
  }

  /// Walks X-Forwarded-For from the right, past what trusted proxies wrote, to the first address that they vouch for.
  private func originalClient(
    _ s: UnsafeMutablePointer<ExchangeState>, _ peer: SocketAddress, _ f: ForwardingSettings
  ) -> SocketAddress {
    var w = ByteWriter(scratch, Self.forwardedLimit)
    if s.pointee.request.headers.joined(Names.xForwardedFor, into: &w) == 0 || w.overflow { return peer }
    let list = w.bytes
    var end = list.count
    var found = peer
    var hops = 0
    while end > 0 && hops < 64 {
      if f.trustedHops > 0 ? hops >= f.trustedHops : !f.trusts(found) { break }
      var start = end
      while start > 0 && list[start &- 1] != 0x2c { start &-= 1 }
      guard let address = SocketAddress(ip: list.slice(start, end).trimmed, defaultPort: 0) else { break }
      found = address
      hops &+= 1
      end = max(start &- 1, 0)
    }
    return found
  }
}

extension ForwardingSettings {
  func trusts(_ address: SocketAddress) -> Bool {
    guard let ip = address.ip else { return false }
    return trustedProxies.contains { $0.contains(ip) }
  }
}
