/// As much of HTTP/1.1 as a load needs: where a response ends, and its status.
enum HTTPResponse {
  /// - Returns: nil when more bytes are needed.
  /// - Throws: `LoadError` when it is no response with a Content-Length.
  static func read(_ bytes: [UInt8]) throws -> (status: Int, length: Int)? {
    guard let end = headEnd(bytes) else {
      if bytes.count > 65_536 { throw LoadError("a response's head has no end") }
      return nil
    }
    let head = String(decoding: bytes[0..<end], as: UTF8.self)
    guard let status = Int(head.dropFirst(9).prefix(3)) else { throw LoadError("not a response: \(head.prefix(80))") }
    var length: Int?
    for line in head.split(separator: "\r\n").dropFirst() where line.utf8.count > 15 {
      guard line.prefix(15).lowercased() == "content-length:" else { continue }
      length = Int(line.dropFirst(15).drop { $0 == " " })
    }
    guard let length, length >= 0 else { throw LoadError("a response has no Content-Length: \(head.prefix(200))") }
    return bytes.count >= end + length ? (status, end + length) : nil
  }

  /// Behind the empty line.
  static func headEnd(_ bytes: [UInt8]) -> Int? {
    var i = 3
    while i < bytes.count {
      if bytes[i] == 10 && bytes[i - 1] == 13 && bytes[i - 2] == 10 && bytes[i - 3] == 13 { return i + 1 }
      i += 1
    }
    return nil
  }
}
