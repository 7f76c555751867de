import WeftHTTP
import WeftIO
import WeftRegex

/// What conditions ask of one request. It remembers the last header and the last parameter, because neighbouring
/// entries mostly ask for the same.
struct RequestValues {
  let method: Method
  let methodText: Bytes
  let query: Bytes
  private var headerName: BytePointer?
  private var headerValue: Bytes?
  private var parameterName: BytePointer?
  private var parameterValue: Bytes?

  @inline(__always)
  init(method: Method, methodText: Bytes, query: Bytes) {
    self.method = method
    self.methodText = methodText
    self.query = query
  }

  /// The value of the header `name`, several fields joined by a comma (RFC 9110 5.3), or for Cookie by a semicolon
  /// (RFC 9113 8.2.3); nil when there is none.
  mutating func header(
    _ name: HeaderName, in headers: borrowing HeaderTable, _ scratch: borrowing RouteScratch
  ) throws(PatternMatchError) -> Bytes? {
    if headerName == name.bytes.base { return headerValue }
    let value = try RequestValues.joined(name, headers, scratch)
    headerName = name.bytes.base
    headerValue = value
    return value
  }

  /// The value of the first query parameter called `name`, still encoded; nil when there is none.
  mutating func parameter(_ name: Bytes) -> Bytes? {
    if parameterName == name.base { return parameterValue }
    let value = QueryText.first(name, in: query)
    parameterName = name.base
    parameterValue = value
    return value
  }

  /// `encoded` decoded, in place when nothing is encoded.
  static func decoded(_ encoded: Bytes, _ scratch: borrowing RouteScratch) throws(PatternMatchError) -> Bytes {
    if !QueryText.isEncoded(encoded) { return encoded }
    var w = ByteWriter(scratch.parameter, RouteScratch.valueLimit)
    QueryText.decode(encoded, into: &w)
    if w.overflow { throw .outputLimit }
    return w.bytes
  }

  private static func joined(
    _ name: HeaderName, _ headers: borrowing HeaderTable, _ scratch: borrowing RouteScratch
  ) throws(PatternMatchError) -> Bytes? {
    guard let first = headers.find(name) else { return nil }
    var following = headers.find(name, from: first &+ 1)
    if following == nil { return headers.value(at: first) }
    var w = ByteWriter(scratch.header, RouteScratch.valueLimit)
    w.append(headers.value(at: first))
    while let i = following {
      w.append(name.known == .cookie ? Bytes("; ") : Bytes(","))
      w.append(headers.value(at: i))
      following = headers.find(name, from: i &+ 1)
    }
    if w.overflow { throw .outputLimit }
    return w.bytes
  }
}

extension RouteStorage.ValueCondition {
  /// Whether `value` is what is asked for.
  @inline(__always)
  func holds(_ value: Bytes, _ scratch: borrowing RouteScratch) throws(PatternMatchError) -> Bool {
    guard let pattern else { return value == exact }
    return try RouteStorage.matches(pattern, value, scratch)
  }

  /// Whether `encoded`, decoded, is what is asked for.
  @inline(__always)
  func holdsDecoded(_ encoded: Bytes, _ scratch: borrowing RouteScratch) throws(PatternMatchError) -> Bool {
    guard let pattern else { return QueryText.equalsDecoded(encoded, exact) }
    return try RouteStorage.matches(pattern, RequestValues.decoded(encoded, scratch), scratch)
  }
}

extension RouteStorage {
  /// A match that does not touch the pattern's reference count, which all workers share.
  @inline(__always)
  static func matches(
    _ pattern: Unmanaged<Pattern>, _ subject: Bytes, _ scratch: borrowing RouteScratch
  ) throws(PatternMatchError) -> Bool {
    let result = pattern._withUnsafeGuaranteedRef { (p: Pattern) -> Result<Bool, PatternMatchError> in
      do throws(PatternMatchError) { return .success(try p.matches(subject, scratch: scratch.patterns)) } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  /// Whether everything holds that `entry` asks for besides host and path.
  @inline(__always)
  func holds(
    _ entry: Entry, _ request: inout RequestValues, _ headers: borrowing HeaderTable,
    _ scratch: borrowing RouteScratch
  ) throws(PatternMatchError) -> Bool {
    scratch.countStep()
    if entry.isUnconditional { return true }
    if entry.methodCount > 0 && !holdsMethod(entry, request) { return false }
    var i = Int(entry.headerStart)
    let headerEnd = i &+ Int(entry.headerCount)
    while i < headerEnd {
      let condition = headerConditions[i]
      guard let value = try request.header(condition.name, in: headers, scratch) else { return false }
      if try !condition.value.holds(value, scratch) { return false }
      i &+= 1
    }
    var k = Int(entry.queryStart)
    let queryEnd = k &+ Int(entry.queryCount)
    while k < queryEnd {
      let condition = queryConditions[k]
      guard let value = request.parameter(condition.name) else { return false }
      if try !condition.value.holdsDecoded(value, scratch) { return false }
      k &+= 1
    }
    return true
  }

  @inline(__always)
  private func holdsMethod(_ entry: Entry, _ request: RequestValues) -> Bool {
    if entry.method != request.method { return false }
    if entry.method != .other { return true }
    return request.methodText == Bytes(text.bytes.base + Int(entry.methodStart), Int(entry.methodCount))
  }
}
