/// What a peer sent is not HTTP/1.1 as the RFCs have it.
struct MalformedMessage: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// The peer ended the connection: between messages (`isClean`) or within one.
struct EndOfStream: Error, CustomStringConvertible {
  let isClean: Bool
  let partial: [UInt8]
  var description: String {
    isClean
      ? "the connection ended"
      : "the connection ended within a message, after \(String(decoding: partial, as: UTF8.self))"
  }
}

/// Reads messages off a socket, and is strict: what a proxy writes must be as the RFCs have it.
final class MessageReader {
  let socket: StreamSocket
  private var buffer: [UInt8] = []
  private var at = 0
  var patience: Double
  /// Sees every byte as it comes.
  var record: ([UInt8]) -> Void = { _ in }

  init(_ socket: StreamSocket, patience: Double = defaultPatience) {
    self.socket = socket
    self.patience = patience
  }

  /// Bytes that have been received and not been read.
  var rest: [UInt8] { Array(buffer[at...]) }

  private func fill() throws {
    if at == buffer.count {
      buffer.removeAll(keepingCapacity: true)
      at = 0
    }
    let bytes = try socket.receive(within: patience)
    if bytes.isEmpty { throw EndOfStream(isClean: false, partial: rest) }
    record(bytes)
    buffer += bytes
  }

  /// A line without its CRLF.
  func line() throws -> String {
    var searched = at
    while true {
      while searched < buffer.count {
        if buffer[searched] == 0x0a {
          guard searched > at, buffer[searched - 1] == 0x0d else { throw MalformedMessage("a bare LF") }
          let text = buffer[at..<(searched - 1)]
          if text.contains(0x0d) || text.contains(0) { throw MalformedMessage("a bare CR or NUL") }
          at = searched + 1
          return String(decoding: text, as: UTF8.self)
        }
        searched += 1
      }
      let distance = searched - at
      try fill()
      searched = at + distance
    }
  }

  /// Exactly so many bytes.
  func bytes(_ count: Int) throws -> [UInt8] {
    while buffer.count - at < count { try fill() }
    defer { at += count }
    return Array(buffer[at..<(at + count)])
  }

  /// Whatever comes next; empty at the end.
  func some() throws -> [UInt8] {
    if at == buffer.count {
      do { try fill() } catch is EndOfStream { return [] }
    }
    defer { at = buffer.count }
    return rest
  }

  private func fields() throws -> [(name: String, value: String)] {
    var fields: [(name: String, value: String)] = []
    while true {
      let line = try line()
      if line.isEmpty { return fields }
      guard let colon = line.firstIndex(of: ":"), colon != line.startIndex else {
        throw MalformedMessage("no field line: \(line)")
      }
      let name = line[..<colon]
      if name.contains(where: { " \t\"(),/:;<=>?@[\\]{}".contains($0) }) {
        throw MalformedMessage("no field name: \(name)")
      }
      let value = line[line.index(after: colon)...]
      fields.append((String(name), value.trimmingOptionalSpace))
    }
  }

  /// The head of a message.
  /// - Throws: `EndOfStream` that is clean when there is none.
  func head() throws -> HTTPMessage {
    if at == buffer.count {
      do { try fill() } catch let end as EndOfStream { throw EndOfStream(isClean: end.partial.isEmpty, partial: []) }
    }
    var message = HTTPMessage()
    message.startLine = try line()
    message.fields = try fields()
    message.head =
      message.startLine + "\r\n" + message.fields.map { "\($0.name): \($0.value)\r\n" }.joined() + "\r\n"
    return message
  }

  /// Settles a message's framing by its fields (RFC 9112 section 6.3).
  private func framing(_ message: HTTPMessage, withoutFields: HTTPMessage.Framing) throws -> HTTPMessage.Framing {
    let lengths = message.values("content-length")
    let codings = message.values("transfer-encoding")
    if !codings.isEmpty {
      if !lengths.isEmpty { throw MalformedMessage("Content-Length and Transfer-Encoding") }
      if codings.count > 1 || codings[0].lowercased() != "chunked" { throw MalformedMessage("coding \(codings)") }
      return .chunked
    }
    if lengths.isEmpty { return withoutFields }
    guard lengths.count == 1, let n = Int(lengths[0]), n >= 0 else { throw MalformedMessage("length \(lengths)") }
    return .length
  }

  /// A request without its body; `body(of:)` reads that.
  func requestHead() throws -> HTTPMessage {
    var message = try head()
    let parts = message.startLine.split(separator: " ", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[2] == "HTTP/1.1" || parts[2] == "HTTP/1.0" else {
      throw MalformedMessage("no request line: \(message.startLine)")
    }
    message.framing = try framing(message, withoutFields: .none)
    return message
  }

  /// A final response, with the interim ones before it.
  /// - Parameter keepBody: otherwise bytes are only counted.
  func response(to method: String, keepBody: Bool = true) throws -> HTTPMessage {
    var interim: [HTTPMessage] = []
    while true {
      var message = try responseHead(to: method)
      if message.status < 200 && message.status != 101 {
        interim.append(message)
        continue
      }
      message.interim = interim
      try body(of: &message, keep: keepBody)
      return message
    }
  }

  /// A response's head, whichever comes next.
  func responseHead(to method: String) throws -> HTTPMessage {
    var message = try head()
    guard message.startLine.hasPrefix("HTTP/1.1 "), (100...999).contains(message.status) else {
      throw MalformedMessage("no status line: \(message.startLine)")
    }
    if message.status < 200 || message.status == 204 {
      if message["content-length"] != nil || message["transfer-encoding"] != nil {
        throw MalformedMessage("\(message.status) with a body's fields: \(message.head)")
      }
    } else if method != "HEAD" && message.status != 304 {
      message.framing = try framing(message, withoutFields: .untilClose)
    }
    return message
  }

  /// Reads a body to its end.
  func body(of message: inout HTTPMessage, keep: Bool = true) throws {
    func take(_ bytes: [UInt8]) {
      message.bodyLength += bytes.count
      if keep { message.body += bytes }
    }
    func exactly(_ count: Int) throws {
      var left = count
      while left > 0 {
        let n = min(left, 1 << 20)
        if buffer.count - at == 0 { try fill() }
        let piece = try bytes(min(n, max(1, buffer.count - at)))
        left -= piece.count
        take(piece)
      }
    }
    switch message.framing {
    case .none: break
    case .length: try exactly(Int(message["content-length"] ?? "") ?? 0)
    case .untilClose:
      while true {
        let piece = try some()
        if piece.isEmpty { return }
        take(piece)
      }
    case .chunked:
      while true {
        let line = try line()
        let digits = line.prefix { $0 != ";" }.trimmingOptionalSpace
        guard let size = Int(digits, radix: 16), size >= 0 else { throw MalformedMessage("no chunk: \(line)") }
        message.chunks.append(size)
        if size == 0 { break }
        try exactly(size)
        if try bytes(2) != [0x0d, 0x0a] { throw MalformedMessage("no CRLF behind a chunk") }
      }
      message.trailers = try fields()
    }
  }
}

extension StringProtocol {
  var trimmingOptionalSpace: String {
    var view = Substring(self)
    while let first = view.first, first == " " || first == "\t" { view.removeFirst() }
    while let last = view.last, last == " " || last == "\t" { view.removeLast() }
    return String(view)
  }
}
