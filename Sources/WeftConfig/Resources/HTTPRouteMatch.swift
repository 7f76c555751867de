/// What a request must be like: every given condition holds.
public struct HTTPRouteMatch: Sendable, Hashable {
  public struct Path: Sendable, Hashable {
    public enum MatchType: String, Sendable, Hashable, CaseIterable {
      case exact = "Exact"
      /// By whole elements: `/a` matches `/a` and `/a/b`, not `/ab`.
      case pathPrefix = "PathPrefix"
      case regularExpression = "RegularExpression"
    }

    public let type: MatchType
    public let value: String
  }

  /// A condition on a header or query parameter.
  public struct Field: Sendable, Hashable {
    public enum MatchType: String, Sendable, Hashable, CaseIterable {
      case exact = "Exact"
      case regularExpression = "RegularExpression"
    }

    public let type: MatchType
    public let name: String
    public let value: String
  }

  public let path: Path
  /// Each with a name of its own, whatever the case of its letters.
  public let headers: [Field]
  /// Each with a name of its own.
  public let queryParams: [Field]
  public let method: HTTPMethodName?
  public let origin: Origin

  /// The match of a rule that gives none.
  static let everything = HTTPRouteMatch(
    path: Path(type: .pathPrefix, value: "/"), headers: [], queryParams: [], method: nil,
    origin: Origin(SourceLocation(file: "")))
}

/// The methods that the Gateway API lets a route match.
public enum HTTPMethodName: String, Sendable, Hashable, CaseIterable {
  case get = "GET"
  case head = "HEAD"
  case post = "POST"
  case put = "PUT"
  case delete = "DELETE"
  case connect = "CONNECT"
  case options = "OPTIONS"
  case trace = "TRACE"
  case patch = "PATCH"
}

extension HTTPRouteMatch {
  init(_ reader: ObjectReader) {
    path = reader.optionalObject("path", Path.init) ?? Path(type: .pathPrefix, value: "/")
    let headers = reader.objects("headers", count: Bounds.conditions) { Field($0, valueLength: 4096) }
    self.headers = DistinctNames.keepFirst(headers, by: \.name, in: "headers", reader, ignoringCase: true)
    let queryParams = reader.objects("queryParams", count: Bounds.conditions) { Field($0, valueLength: 1024) }
    self.queryParams = DistinctNames.keepFirst(queryParams, by: \.name, in: "queryParams", reader)
    method = reader.optionalEnumeration("method")
    origin = Origin(reader.node)
  }
}

extension HTTPRouteMatch.Path {
  init(_ reader: ObjectReader) {
    type = reader.enumeration("type", default: .pathPrefix)
    switch type {
    case .exact, .pathPrefix: value = reader.string("value", .length(1...1024), .matchablePath, default: "/")
    case .regularExpression: value = reader.string("value", .length(1...1024), .regularExpression, default: "/")
    }
  }
}

extension HTTPRouteMatch.Field {
  init(_ reader: ObjectReader, valueLength: Int) {
    type = reader.enumeration("type", default: .exact)
    name = reader.string("name", .headerName)
    switch type {
    case .exact: value = reader.string("value", .length(1...valueLength))
    case .regularExpression: value = reader.string("value", .length(1...valueLength), .regularExpression)
    }
  }
}

extension StringRule {
  /// A path for an exact or prefix match: in the one form to which requests' paths are normalised.
  static let matchablePath = StringRule { path in
    guard path.hasPrefix("/") else { return "\"\(path)\" must begin with \"/\"" }
    let elements = path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    for (index, element) in elements.enumerated() {
      let isLast = index == elements.count - 1
      if element.isEmpty, !isLast { return "\"\(path)\" must not contain \"//\"" }
      guard element.elementsEqual(".".utf8) || element.elementsEqual("..".utf8) else { continue }
      let dots = String(Substring(element))
      return isLast ? "\"\(path)\" must not end with \"/\(dots)\"" : "\"\(path)\" must not contain \"/\(dots)/\""
    }
    if let slash = PathSyntax.encodedSlash(in: path) { return "\"\(path)\" must not contain \"\(slash)\"" }
    return PathSyntax.isValid(path) ? nil : "\"\(path)\" has characters that a path cannot have; write them as %XX"
  }
}

/// Paths of URIs (RFC 3986 section 3.3).
enum PathSyntax {
  /// Whether every byte is a path character or part of a percent-encoded triplet.
  static func isValid(_ path: String) -> Bool {
    var rest = path.utf8[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%") {
        guard let high = rest.popFirst(), let low = rest.popFirst(), isHexDigit(high), isHexDigit(low) else {
          return false
        }
      } else if !isPathByte(byte) {
        return false
      }
    }
    return true
  }

  /// The first `%2f` or `%2F`.
  static func encodedSlash(in path: String) -> Substring? {
    var rest = path[...]
    while let percent = rest.utf8.firstIndex(of: UInt8(ascii: "%")) {
      let triplet = rest[percent...].prefix(3)
      if triplet == "%2f" || triplet == "%2F" { return triplet }
      rest = rest[percent...].dropFirst()
    }
    return nil
  }

  private static func isHexDigit(_ byte: UInt8) -> Bool { Character(Unicode.Scalar(byte)).isHexDigit }

  private static func isPathByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: #"-/._~!$&'()*+,;=:@"#.utf8.contains(byte)
    }
  }
}
