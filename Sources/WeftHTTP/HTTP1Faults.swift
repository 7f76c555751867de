import WeftIO

/// What is wrong with a line that the fast path could not read, or that nothing is and the rest of it has not come yet.
extension HTTP1Parser {
  /// Where a line ends.
  private enum LineEnd {
    case notYet
    /// At a CRLF, which is at this index.
    case crlf(Int)
    /// At a control character at this index, which is none.
    case fault(HTTPParseError?, at: Int)
  }

  private static func lineEnd(_ p: BytePointer, _ n: Int, from: Int) -> LineEnd {
    let e = ByteScan.text(p, n, from)
    if e >= n { return .notYet }
    switch p[e] {
    case 0x0d:
      if e &+ 1 >= n { return .notYet }
      return p[e &+ 1] == 0x0a ? .crlf(e) : .fault(.bareCR, at: e)
    case 0x0a: return .fault(.bareLF, at: e)
    case 0x00: return .fault(.nul, at: e)
    default: return .fault(nil, at: e)
    }
  }

  static func forgetRequestLine(_ m: inout MessageHead) {
    m.method = .other
    m.methodText = TextReference()
    m.target = TextReference()
    m.originalTarget = TextReference()
    m.pathLength = 0
    m.startLineLength = 0
  }

  @inline(never)
  static func requestLineFault(
    _ p: BytePointer, _ received: Int, _ m: inout MessageHead, _ limits: HTTPLimits
  ) -> ParseOutcome {
    forgetRequestLine(&m)
    let limit = min(limits.maxRequestLine, limits.headLimit)
    let n = min(received, limit)
    switch lineEnd(p, n, from: 0) {
    case .notYet: return received > limit ? .malformed(.requestLineTooLong) : .incomplete
    case .fault(let fault?, _): return .malformed(fault)
    case .fault(nil, let e):
      if e == 0 && p[0] == 0x16 { return .malformed(.tlsHandshake) }
      // A control character other than those that end lines: in the method, or behind it.
      return .malformed(Bytes(p, e).firstIndex(of: 0x20) == nil ? .methodInvalid : .targetInvalid)
    case .crlf(let e): return .malformed(requestLineFault(Bytes(p, e)))
    }
  }

  private static func requestLineFault(_ line: Bytes) -> HTTPParseError {
    if line.isEmpty { return .emptyRequestLine }
    guard let space = line.firstIndex(of: 0x20) else {
      return HeaderTable.isFieldName(line) ? .requestLineInvalid : .methodInvalid
    }
    if !HeaderTable.isFieldName(line.slice(0, space)) { return .methodInvalid }
    let start = space &+ 1
    guard let end = line.firstIndex(of: 0x20, from: start) else {
      return start == line.count ? .requestLineInvalid : .versionMissing
    }
    if end == start { return .requestLineInvalid }
    if let fault = targetFault(line.slice(start, end)) { return fault }
    return versionFault(line.slice(end &+ 1, line.count))
  }

  private static func targetFault(_ target: Bytes) -> HTTPParseError? {
    var end = ByteScan.path(target.base, target.count, 0)
    if end < target.count && target[end] == 0x3f { end = ByteScan.query(target.base, target.count, end) }
    if end == target.count { return nil }
    return target[end] == 0x23 ? .targetFragment : .targetInvalid
  }

  private static func versionFault(_ version: Bytes) -> HTTPParseError {
    if version.firstIndex(of: 0x20) != nil { return .requestLineInvalid }
    let wellFormed =
      version.count == 8 && version.hasPrefix(Bytes("HTTP/")) && version[5] &- 0x30 < 10 && version[6] == 0x2e
      && version[7] &- 0x30 < 10
    return wellFormed ? .versionUnsupported : .versionInvalid
  }

  @inline(never)
  static func statusLineFault(_ p: BytePointer, _ n: Int, received: Int, _ m: inout MessageHead) -> ParseOutcome {
    m.status = 0
    m.reason = TextReference()
    m.startLineLength = 0
    switch lineEnd(p, n, from: 0) {
    case .notYet: return received > n ? .malformed(.headTooLarge) : .incomplete
    case .fault(let fault, _): return .malformed(fault ?? .statusLineInvalid)
    case .crlf(let e):
      let line = Bytes(p, e)
      if !line.hasPrefix(Bytes("HTTP/")) { return .malformed(.statusLineInvalid) }
      let version = line.slice(0, line.firstIndex(of: 0x20) ?? e)
      if version == Bytes("HTTP/1.1") || version == Bytes("HTTP/1.0") { return .malformed(.statusInvalid) }
      return .malformed(versionFault(version))
    }
  }

  @inline(never)
  static func fieldLineFault(_ p: BytePointer, _ n: Int, from: Int, received: Int) -> ParseOutcome {
    switch lineEnd(p, n, from: from) {
    case .notYet: return received > n ? .malformed(.headTooLarge) : .incomplete
    case .fault(let fault?, _): return .malformed(fault)
    case .fault(nil, let e):
      let hasColon = Bytes(p + from, e &- from).firstIndex(of: 0x3a) != nil
      return .malformed(hasColon ? .fieldValueInvalid : .fieldNameInvalid)
    case .crlf(let e): return .malformed(fieldLineFault(Bytes(p + from, e &- from)))
    }
  }

  private static func fieldLineFault(_ line: Bytes) -> HTTPParseError {
    if line.isEmpty { return .fieldNameInvalid }
    if line[0] == 0x20 || line[0] == 0x09 { return .lineFolding }
    guard let colon = line.firstIndex(of: 0x3a) else { return .fieldColonMissing }
    if colon == 0 { return .fieldNameEmpty }
    let name = line.slice(0, colon)
    let trimmed = name.trimmed
    return trimmed.count < name.count && HeaderTable.isFieldName(trimmed) ? .fieldNameSpace : .fieldNameInvalid
  }
}
