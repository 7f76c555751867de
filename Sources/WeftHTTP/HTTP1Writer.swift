import WeftIO

/// Writes heads and chunk framing. What does not fit is left out, and the writer's `overflow` says so.
public enum HTTP1Writer {
  /// The request line and the fields of `h`, without the empty line: add lines, then CRLF. Always HTTP/1.1.
  public static func requestHead(_ h: borrowing MessageHead, into w: inout ByteWriter) {
    if h.startLineLength == 0 {
      w.append(h.headers.text(h.methodText))
      w.append(byte: 0x20)
      w.append(h.headers.text(h.target))
      w.append(" HTTP/1.1\r\n")
    }
    h.headers.serialise(startLine: h.startLineLength, into: &w)
  }

  /// The status line and the fields of `h`, without the empty line: add lines, then CRLF. Always HTTP/1.1.
  public static func responseHead(_ h: borrowing MessageHead, into w: inout ByteWriter) {
    if h.startLineLength == 0 { statusLine(h.status, reason: h.headers.text(h.reason), into: &w) }
    h.headers.serialise(startLine: h.startLineLength, into: &w)
  }

  /// - Parameter reason: empty for the standard phrase.
  public static func statusLine(_ status: Int, reason: Bytes = Bytes(), into w: inout ByteWriter) {
    w.append("HTTP/1.1 ")
    w.append(decimal: status)
    w.append(byte: 0x20)
    if reason.isEmpty {
      w.append(StatusCode.reason(status))
    } else {
      w.append(reason)
    }
    w.append("\r\n")
  }

  /// What stands before the `size` bytes of a chunk; CRLF must follow them. `size` must not be 0, which ends the body.
  @inlinable
  public static func chunk(size: Int, into w: inout ByteWriter) {
    w.append(hex: UInt64(size.magnitude))
    w.append("\r\n")
  }

  /// The end of a chunked body without trailers.
  @inlinable
  public static func lastChunk(into w: inout ByteWriter) { w.append("0\r\n\r\n") }

  /// The end of a chunked body, with its trailers.
  public static func lastChunk(trailers: borrowing HeaderTable, into w: inout ByteWriter) {
    w.append("0\r\n")
    trailers.serialise(into: &w)
    w.append("\r\n")
  }
}
