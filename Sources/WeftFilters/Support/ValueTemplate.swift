import Glibc
import WeftFilter
import WeftHTTP
import WeftIO

/// Text with `%OPERATOR%`s that stand for what is known of an exchange: the values that `header-modifier` and `respond`
/// write. Operators are called as in access logs; `%%` is a percent sign.
public struct ValueTemplate: Sendable {
  /// What an operator stands for.
  enum Variable: Sendable {
    case clientAddress, clientHost, peerAddress, peerHost, localAddress, localHost, localPort
    case httpVersion, method, path, authority, scheme, route, listener, service, upstreamAddress
    case status, attempts
    case requestHeader(HeaderName, fallback: HeaderName?)
    case responseHeader(HeaderName, fallback: HeaderName?)
  }

  enum Piece: Sendable {
    case literal(OwnedBytes)
    case variable(Variable)
  }

  let pieces: [Piece]

  /// The text, when it is the same for every exchange.
  var constant: OwnedBytes? {
    if pieces.isEmpty { return OwnedBytes("") }
    if pieces.count == 1, case .literal(let text) = pieces[0] { return text }
    return nil
  }

  /// Text that is taken as it stands, percent signs included.
  public init(literal text: String) { pieces = [.literal(OwnedBytes(text))] }

  /// - Throws: for an operator that does not exist, or that has no value where the template is used.
  /// - Parameter inResponse: whether there is a response when the template is filled in.
  public init(_ text: String, inResponse: Bool) throws(InvalidFilterValue) {
    var pieces: [Piece] = []
    var literal: [UInt8] = []
    let source = Array(text.utf8)
    let percent = UInt8(ascii: "%")
    var i = 0
    while i < source.count {
      if source[i] != percent {
        literal.append(source[i])
        i += 1
        continue
      }
      if i + 1 < source.count, source[i + 1] == percent {
        literal.append(percent)
        i += 2
        continue
      }
      guard let end = source[(i + 1)...].firstIndex(of: percent) else {
        throw InvalidFilterValue("\"\(text)\" has a \"%\" that ends nowhere; write \"%%\" for a percent sign")
      }
      if !literal.isEmpty { pieces.append(.literal(OwnedBytes(literal))) }
      literal = []
      let command = String(decoding: source[(i + 1)..<end], as: UTF8.self)
      switch try ValueTemplate.meaning(of: command, inResponse: inResponse) {
      case .fixed(let known): literal += known
      case .variable(let variable): pieces.append(.variable(variable))
      }
      i = end + 1
    }
    if !literal.isEmpty { pieces.append(.literal(OwnedBytes(literal))) }
    self.pieces = pieces
  }

  // MARK: Operators

  private enum Meaning {
    case fixed([UInt8])
    case variable(Variable)
  }

  private static let plain: [(name: String, variable: Variable, needsResponse: Bool)] = [
    ("DOWNSTREAM_REMOTE_ADDRESS", .clientAddress, false),
    ("DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", .clientHost, false),
    ("DOWNSTREAM_DIRECT_REMOTE_ADDRESS", .peerAddress, false),
    ("DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", .peerHost, false),
    ("DOWNSTREAM_LOCAL_ADDRESS", .localAddress, false),
    ("DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", .localHost, false), ("DOWNSTREAM_LOCAL_PORT", .localPort, false),
    ("PROTOCOL", .httpVersion, false), ("ROUTE_NAME", .route, false), ("LISTENER", .listener, false),
    ("UPSTREAM_SERVICE", .service, false), ("UPSTREAM_CLUSTER", .service, false),
    ("UPSTREAM_HOST", .upstreamAddress, true), ("RESPONSE_CODE", .status, true),
    ("UPSTREAM_REQUEST_ATTEMPT_COUNT", .attempts, true),
  ]

  /// Every operator, for the documentation and its test.
  static var operators: [String] {
    plain.map(\.name) + ["REQ", "REQUEST_HEADER", "RESP", "RESPONSE_HEADER", "HOSTNAME", "ENVIRONMENT"]
  }

  private static func meaning(of command: String, inResponse: Bool) throws(InvalidFilterValue) -> Meaning {
    var name = Substring(command)
    var argument: String?
    if let open = command.firstIndex(of: "(") {
      guard command.last == ")" else {
        throw InvalidFilterValue("\"%\(command)%\" has no closing parenthesis")
      }
      name = command[..<open]
      argument = String(command[command.index(after: open)...].dropLast())
    }
    switch name {
    case "REQ", "REQUEST_HEADER": return .variable(try requestHeader(command, argument ?? ""))
    case "RESP", "RESPONSE_HEADER":
      if !inResponse { throw InvalidFilterValue("\"%\(command)%\" has no value in a request") }
      let (first, second) = try names(command, argument ?? "")
      return .variable(.responseHeader(first, fallback: second))
    case "ENVIRONMENT":
      guard let argument, !argument.isEmpty else {
        throw InvalidFilterValue("\"%\(command)%\" names no variable; write %ENVIRONMENT(NAME)%")
      }
      return .fixed(getenv(argument).map { Array(String(cString: $0).utf8) } ?? [])
    case "HOSTNAME": return .fixed(hostname())
    default: break
    }
    guard argument == nil, let known = plain.first(where: { $0.name == name }) else {
      throw InvalidFilterValue(
        "unknown operator \"%\(command)%\"; known are \(operators.joined(separator: ", ")); write \"%%\" for a percent sign"
      )
    }
    if known.needsResponse && !inResponse { throw InvalidFilterValue("\"%\(command)%\" has no value in a request") }
    return .variable(known.variable)
  }

  private static func requestHeader(_ command: String, _ argument: String) throws(InvalidFilterValue) -> Variable {
    switch argument.lowercased() {
    case ":method": return .method
    case ":path": return .path
    case ":authority": return .authority
    case ":scheme": return .scheme
    default: break
    }
    let (first, second) = try names(command, argument)
    return .requestHeader(first, fallback: second)
  }

  /// Reads `name` or `name?other`.
  private static func names(
    _ command: String, _ argument: String
  ) throws(InvalidFilterValue) -> (HeaderName, HeaderName?) {
    var found: [HeaderName] = []
    for text in argument.split(separator: "?", omittingEmptySubsequences: false) {
      guard let name = HeaderName(String(text)) else {
        throw InvalidFilterValue("\"%\(command)%\" names no header")
      }
      found.append(name)
    }
    guard let first = found.first, found.count <= 2 else {
      throw InvalidFilterValue("\"%\(command)%\" has more than one alternative")
    }
    return (first, found.count == 2 ? found[1] : nil)
  }

  private static func hostname() -> [UInt8] {
    var buffer = [CChar](repeating: 0, count: 256)
    if gethostname(&buffer, buffer.count - 1) != 0 { return [] }
    return buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
  }
}

extension ValueTemplate {
  /// Writes the text for `exchange`. An operator that has no value stands for nothing.
  func fill(_ exchange: Exchange, into w: inout ByteWriter) {
    for piece in pieces {
      switch piece {
      case .literal(let text): w.append(text.bytes)
      case .variable(let variable): ValueTemplate.append(variable, exchange, &w)
      }
    }
  }

  private static func append(_ variable: Variable, _ exchange: Exchange, _ w: inout ByteWriter) {
    switch variable {
    case .clientAddress: append(exchange.clientAddress, &w)
    case .clientHost: exchange.clientAddress.appendIP(to: &w)
    case .peerAddress: append(exchange.peerAddress, &w)
    case .peerHost: exchange.peerAddress.appendIP(to: &w)
    case .localAddress: append(exchange.localAddress, &w)
    case .localHost: exchange.localAddress.appendIP(to: &w)
    case .localPort: w.append(decimal: UInt64(exchange.localAddress.port))
    case .httpVersion: w.append(exchange.request.version.name)
    case .method: w.append(exchange.request.headers.text(exchange.request.methodText))
    case .path: w.append(exchange.request.headers.text(exchange.request.target))
    case .authority: w.append(exchange.request.headers.value(.host) ?? Bytes())
    case .scheme: w.append(exchange.scheme)
    case .route: w.append(exchange.routeName)
    case .listener: w.append(exchange.listenerName)
    case .service: w.append(exchange.serviceName)
    case .upstreamAddress: append(exchange.upstreamAddress, &w)
    case .status: w.append(decimal: exchange.response.status)
    case .attempts: w.append(decimal: exchange.attempts)
    case .requestHeader(let name, let fallback):
      if let value = exchange.request.headers.value(name) { return w.append(value) }
      if let fallback, let value = exchange.request.headers.value(fallback) { w.append(value) }
    case .responseHeader(let name, let fallback):
      if let value = exchange.response.headers.value(name) { return w.append(value) }
      if let fallback, let value = exchange.response.headers.value(fallback) { w.append(value) }
    }
  }

  /// With its port, unless that is unknown, as it is of a client that X-Forwarded-For names.
  private static func append(_ address: SocketAddress, _ w: inout ByteWriter) {
    if address.ip != nil && address.port == 0 { address.appendIP(to: &w) } else { address.append(to: &w) }
  }
}
