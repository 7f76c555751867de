import Glibc
import TestCertificates
import Testing
import WeftIO

@testable import WeftTLS

/// A server's and a client's session on the two ends of a socket pair, driven by one thread.
final class Pair {
  var server: TLSSession
  var client: TLSSession
  let fds: (server: Int32, client: Int32)

  init(
    _ names: TLSServerNames, _ context: TLSClientContext, store: UnsafeMutablePointer<TLSSessionStore>? = nil,
    buffer: Int32 = 0
  ) throws {
    signal(SIGPIPE, SIG_IGN)
    var ends: [Int32] = [0, 0]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
    fds = (ends[0], ends[1])
    if buffer > 0 { for fd in ends { _ = Socket.setSendBuffer(fd, bytes: buffer) } }
    server = try #require(TLSSession.server(ends[0], names))
    client = try #require(TLSSession.client(ends[1], context, store: store))
  }

  deinit {
    server.free()
    client.free()
    close(fds.server)
    close(fds.client)
  }

  /// Steps both sides until each is done or has failed; nil when they do not come to an end.
  func shake() -> (server: TLSSession.Progress, client: TLSSession.Progress)? {
    var (s, c) = (TLSSession.Progress.wantsRead, TLSSession.Progress.wantsRead)
    for _ in 0..<50 {
      if c != .done && c != .failed { c = client.handshake() }
      if s != .done && s != .failed { s = server.handshake() }
      if (s == .done || s == .failed) && (c == .done || c == .failed) { return (s, c) }
      // A side that failed has gone: the other learns it.
      if s == .failed { shutdown(fds.server, Int32(SHUT_WR)) }
      if c == .failed { shutdown(fds.client, Int32(SHUT_WR)) }
    }
    return nil
  }

  /// Both sides are done.
  func established() throws {
    let outcome = try #require(shake())
    try #require(
      outcome.server == .done && outcome.client == .done,
      "server \(outcome.server) \(server.failure?.message ?? ""), client \(outcome.client) \(client.failure?.message ?? "")"
    )
  }

  func receive(_ session: TLSSession, _ count: Int = 65_536) -> (bytes: [UInt8], result: IOResult) {
    var bytes = [UInt8](repeating: 0, count: count)
    let result = bytes.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.map { session.receive($0, count) } ?? IOResult(raw: 0)
    }
    return (Array(bytes.prefix(result.count)), result)
  }

  func send(_ session: TLSSession, _ bytes: [UInt8]) -> IOResult {
    bytes.withUnsafeBufferPointer { buffer in
      buffer.baseAddress.map { session.send($0, buffer.count) } ?? IOResult(raw: 0)
    }
  }

  /// Sends from `from` and receives at `to`; what arrived.
  func exchange(_ text: String, from: TLSSession, to: TLSSession) -> String {
    _ = send(from, Array(text.utf8))
    return String(decoding: receive(to).bytes, as: UTF8.self)
  }
}

extension TestAuthority {
  func identity(
    _ name: String, names: [String] = [], key: KeyKind = .ec, days: Int = 30, staples: Bool = false
  ) throws -> TLSIdentity {
    let issued = try issue(name, names: names, key: key, days: days)
    return try TLSIdentity(
      certificates: issued.certificate, key: issued.key, staple: staples ? ocspResponse(for: issued) : nil)
  }

  var trust: TrustStore { get throws { try TrustStore(authorities: certificate) } }
}

/// A port with one context for every name.
func port(
  _ identities: [TLSIdentity], settings: TLSSettings = TLSSettings(), validation: ClientValidation? = nil,
  tickets: TicketKeys? = nil
) throws -> TLSServerNames {
  let context = try TLSServerContext(identities: identities, settings: settings, validation: validation, scope: "test")
  return try TLSServerNames([.init(hostname: nil, context: context)], tickets: try tickets ?? TicketKeys())
}
