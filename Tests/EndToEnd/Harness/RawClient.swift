/// A client that sends exactly the bytes it is told to.
final class RawClient {
  let socket: StreamSocket
  let reader: MessageReader

  init(_ port: Int, receiveBuffer: Int32? = nil, patience: Double = defaultPatience) throws {
    socket = try StreamSocket.connect(.port(port), receiveBuffer: receiveBuffer)
    reader = MessageReader(socket, patience: patience)
  }

  func send(_ text: String) throws { try socket.send(Array(text.utf8)) }
  func send(_ bytes: [UInt8]) throws { try socket.send(bytes) }

  /// The final response to a request with that method, with the interim ones before it.
  func response(to method: String = "GET", keepBody: Bool = true) throws -> HTTPMessage {
    try reader.response(to: method, keepBody: keepBody)
  }

  /// Sends a request and reads its response.
  func exchange(_ request: String, method: String = "GET") throws -> HTTPMessage {
    try send(request)
    return try response(to: method)
  }

  func get(_ target: String, _ fields: String...) throws -> HTTPMessage {
    try exchange(HTTPText.get(target, fields))
  }

  /// One request on a connection of its own, which it says is the last.
  static func get(
    _ path: String = "/", host: String, at port: Int, _ fields: [String] = []
  ) throws -> HTTPMessage {
    let more = fields.map { "\($0)\r\n" }.joined()
    return try RawClient(port).exchange("GET \(path) HTTP/1.1\r\nhost: \(host)\r\n\(more)connection: close\r\n\r\n")
  }

  /// Everything up to the end of the connection; a reset counts as one.
  func untilEnd() throws -> [UInt8] {
    var all: [UInt8] = []
    while true {
      do {
        let bytes = try reader.some()
        if bytes.isEmpty { return all }
        all += bytes
      } catch SocketFault.reset {
        return all
      }
    }
  }

  /// Whether the peer ends the connection without another byte.
  func ends() throws -> Bool { try untilEnd().isEmpty }
}

/// Requests as text.
enum HTTPText {
  static func get(_ target: String, _ fields: [String] = []) -> String {
    "GET \(target) HTTP/1.1\r\nhost: test.example\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
  }

  static func post(_ target: String, body: String, _ fields: String...) -> String {
    "POST \(target) HTTP/1.1\r\nhost: test.example\r\ncontent-length: \(body.utf8.count)\r\n"
      + fields.map { $0 + "\r\n" }.joined() + "\r\n" + body
  }
}
