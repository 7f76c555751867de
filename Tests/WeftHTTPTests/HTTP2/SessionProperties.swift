import WeftHTTP
import WeftIO

/// What must hold for whatever a peer of an HTTP/2 session sends. Used by the tests and by the fuzzer.
enum SessionProperties {
  private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  /// - Parameter input: the first byte chooses the role and how the rest, the peer's bytes, is split. A server gets the
  ///   preface and SETTINGS in front of them when the byte says so.
  /// - Returns: what does not hold, or nil.
  static func violation(of input: [UInt8]) -> String? {
    guard let choice = input.first else { return nil }
    let isServer = choice & 1 == 0
    guard let peer = try? Peer(role: isServer ? .server : .client, settings: HTTP2Settings()) else { return nil }
    if choice & 2 != 0 { peer.limits = CodecProperties.tightLimits }
    if !isServer {
      // The session knows them by their address.
      _ = peer.request(Pair.get)
      _ = peer.request(Pair.get + [("content-length", "5")], body: "hello")
      _ = peer.output()
    }
    var rest = (isServer && choice & 4 != 0 ? preface + [0, 0, 0, 4, 0, 0, 0, 0, 0] : []) + input.dropFirst()
    let step = choice & 8 != 0 ? Int(choice >> 4) + 1 : max(rest.count, 1)
    var answered: Set<Int32> = []
    while !rest.isEmpty {
      // Memory that ends where the bytes end.
      let isFine = withExactCopy(rest.prefix(step)) { peer.receive(Bytes($0, $1)) }
      rest.removeFirst(min(step, rest.count))
      if isServer {
        for (id, s) in peer.streams where s.heads > 0 && !answered.contains(id) {
          answered.insert(id)
          if let fault = headViolation(s) { return "stream \(id): \(fault)" }
          if s.closedWith != nil { continue }
          s.trailersToSend = id % 4 == 1 ? [("x-sum", "1")] : []
          peer.respond(s, [(":status", "200"), ("x-a", "b")], body: id % 3 == 0 ? "" : "body")
        }
      }
      _ = peer.output()
      if !isFine || peer.isOver { break }
    }
    for (id, s) in peer.streams {
      if s.head.headers.count > peer.limits.maxFields + 1 { return "stream \(id): \(s.head.headers.count) fields" }
    }
    return nil
  }

  /// A head that is taken must mean the same when HTTP/1.1 is spoken to the service.
  private static func headViolation(_ s: Peer.Stream) -> String? {
    if s.fault != nil || s.head.method == .connect || s.heads != 1 { return nil }
    var space = [UInt8](repeating: 0, count: 96 * 1024)
    let written = space.withUnsafeMutableBufferPointer { buffer -> [UInt8] in
      guard let base = buffer.baseAddress else { return [] }
      var w = ByteWriter(base, buffer.count)
      HTTP1Writer.requestHead(s.head, into: &w)
      w.append("\r\n")
      return w.overflow ? [] : w.bytes.array
    }
    let again = parseRequest(written, limits: HTTPLimits(maxRequestLine: 40_000, maxHeadBytes: 90_000, maxFields: 200))
    guard let length = again.headLength else { return "HTTP/1.1 reads it as \(again.outcome)" }
    if length != written.count { return "HTTP/1.1 ends it after \(length) of \(written.count) bytes" }
    let method = latin1(s.head.headers.text(s.head.methodText))
    if again.methodText != method { return "another method, \(again.methodText)" }
    if again.target != latin1(s.head.headers.text(s.head.target)) { return "another target, \(again.target)" }
    let names = again.rows.map(\.name).map { $0.lowercased() }
    if names.contains("transfer-encoding") || names.contains("upgrade") || names.contains("connection") {
      return "fields of the connection: \(names)"
    }
    if names.filter({ $0 == "host" }).count != 1 { return "not one Host: \(names)" }
    return nil
  }
}
