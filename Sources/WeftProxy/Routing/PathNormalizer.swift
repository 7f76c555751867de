import WeftIO

/// Brings a request's path into the one form that routes are matched against and that is sent upstream, so that no
/// other spelling of a path gets past the route that was meant for it.
///
/// Always: dot segments are resolved (RFC 3986 5.2.4), whether their dots are percent-encoded or not, and a path that
/// climbs above its root is refused. `Options` add more. Never: an encoded slash (`%2F`) is not decoded, for it is part
/// of an element and not between two; a backend that decodes it before it resolves dot segments must be protected by a
/// route that refuses such paths. Letters keep their case.
enum PathNormalizer {
  struct Options: OptionSet, Sendable {
    let rawValue: UInt8
    /// Decodes percent-encoded letters, digits, `-`, `.`, `_` and `~`, which mean the same encoded or not (RFC 3986
    /// 6.2.2.2): without it, `/%61dmin` is not `/admin` to a route, but is to most backends.
    static let decodeUnreserved = Options(rawValue: 1)
    /// Takes several slashes in a row for one, as most file servers do.
    static let mergeSlashes = Options(rawValue: 2)
  }

  enum Outcome: Equatable {
    /// The path is in normal form as it stands; nothing was written.
    case unchanged
    /// The normal form was appended to the writer.
    case changed
    /// The path leads above its root, holds a malformed percent code or `%00`, or its normal form did not fit: answer 400. What was written is of no use.
    case refused
  }

  /// Normalises `path`, which is without its query. What does not begin with a slash (`*`) is left as it is.
  /// - Parameter w: memory that `path` does not lie in, with room for `path.count` bytes.
  static func normalise(_ path: Bytes, options: Options = [], into w: inout ByteWriter) -> Outcome {
    if !mayNeedWork(path, options) { return .unchanged }
    if !isWellFormed(path) { return .refused }
    if !needsWork(path, options) { return .unchanged }
    return rewrite(path, options, &w) ? .changed : .refused
  }

  /// One look at all bytes, eight at a time: without a dot or a percent sign there is nothing to resolve or to decode.
  @inline(__always)
  private static func mayNeedWork(_ path: Bytes, _ options: Options) -> Bool {
    if path.isEmpty || path[0] != 0x2f { return false }
    if options.contains(.mergeSlashes) { return true }
    let n = path.count
    var i = 0
    while i &+ 8 <= n {
      let word = WordHash.load(path.base + i)
      if WordHash.equal(word, 0x2e) | WordHash.equal(word, 0x25) != 0 { return true }
      i &+= 8
    }
    while i < n {
      if path[i] == 0x2e || path[i] == 0x25 { return true }
      i &+= 1
    }
    return false
  }

  /// Whether every percent sign begins a code (RFC 3986 2.1), and none of them stands for NUL, at which some backends
  /// would end the path.
  private static func isWellFormed(_ path: Bytes) -> Bool {
    var i = 0
    while let at = path.firstIndex(of: 0x25, from: i) {
      guard let c = PercentCode.byte(path, at), c != 0 else { return false }
      i = at &+ 3
    }
    return true
  }

  private static func needsWork(_ path: Bytes, _ options: Options) -> Bool {
    var i = 0
    while i < path.count {
      if path[i] == 0x2f {
        if options.contains(.mergeSlashes) && i &+ 1 < path.count && path[i &+ 1] == 0x2f { return true }
        if dots(path, i &+ 1).isDotSegment { return true }
      } else if options.contains(.decodeUnreserved), let c = PercentCode.byte(path, i), isUnreserved(c) {
        return true
      }
      i &+= 1
    }
    return false
  }

  /// The dots, encoded or not, that start a path element at `start`; no more than three are counted.
  private static func dots(_ path: Bytes, _ start: Int) -> (count: Int, isDotSegment: Bool) {
    var i = start
    var count = 0
    while i < path.count && count < 3 {
      if path[i] == 0x2e {
        i &+= 1
      } else if PercentCode.byte(path, i) == 0x2e {
        i &+= 3
      } else {
        break
      }
      count &+= 1
    }
    return (count, (count == 1 || count == 2) && (i == path.count || path[i] == 0x2f))
  }

  /// Appends the normal form; false when there is none or no room.
  private static func rewrite(_ path: Bytes, _ options: Options, _ w: inout ByteWriter) -> Bool {
    let root = w.count
    var start = 1
    while start <= path.count {
      let end = path.firstIndex(of: 0x2f, from: start) ?? path.count
      let isLast = end == path.count
      let (count, isDotSegment) = dots(path, start)
      if isDotSegment {
        if count == 2 && !removeLast(&w, root) { return false }
        // `/a/.` and `/a/b/..` name what is within `/a/`.
        if isLast { w.append(byte: 0x2f) }
      } else if start < end || isLast || !options.contains(.mergeSlashes) {
        w.append(byte: 0x2f)
        append(path.slice(start, end), options, &w)
      }
      start = end &+ 1
    }
    return !w.overflow
  }

  /// Takes back the last element with the slash before it; false when there is none.
  private static func removeLast(_ w: inout ByteWriter, _ root: Int) -> Bool {
    var n = w.count
    while n > root {
      n &-= 1
      if w.base[n] == 0x2f {
        w.count = n
        return true
      }
    }
    return false
  }

  private static func append(_ element: Bytes, _ options: Options, _ w: inout ByteWriter) {
    if !options.contains(.decodeUnreserved) || !QueryText.isEncoded(element) {
      w.append(element)
      return
    }
    var i = 0
    while i < element.count {
      if let c = PercentCode.byte(element, i), isUnreserved(c) {
        w.append(byte: c)
        i &+= 3
      } else {
        w.append(byte: element[i])
        i &+= 1
      }
    }
  }

  /// RFC 3986 2.3.
  private static func isUnreserved(_ c: UInt8) -> Bool {
    (c | 0x20) &- 0x61 < 26 || c &- 0x30 < 10 || c == 0x2d || c == 0x2e || c == 0x5f || c == 0x7e
  }
}
