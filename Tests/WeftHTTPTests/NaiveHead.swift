import WeftHTTP

/// A second reading of the rules, over arrays and with no thought of speed, to hold the parser against. It says only what
/// is accepted and what it means then; why something is refused is for the corpus to say.
struct NaiveHead: Equatable {
  var length = 0
  var method = ""
  var target = ""
  var minorVersion: UInt8 = 1
  var status = 0
  var framing = BodyFraming.none
  var keepAlive = true
  var upgrades = false
  /// `name: value` of the fields that are passed on.
  var forwarded: [String] = []

  private typealias Field = (name: String, value: String)

  /// nil when the head is refused or has not ended.
  static func request(_ input: [UInt8], limits: HTTPLimits) -> NaiveHead? {
    var input = input
    var skipped = 0
    if input.starts(with: [13, 10]) {
      input.removeFirst(2)
      skipped = 2
    }
    guard let (start, fields, length) = split(input, limits), start.utf8Latin1 + 2 <= limits.maxRequestLine else {
      return nil
    }
    var head = NaiveHead()
    head.length = length + skipped
    let parts = start.parts(by: " ")
    guard parts.count == 3, isToken(parts[0]), parts[2] == "HTTP/1.1" || parts[2] == "HTTP/1.0" else { return nil }
    head.method = parts[0]
    head.minorVersion = parts[2] == "HTTP/1.1" ? 1 : 0

    let hosts = fields.filter { $0.name.lowercased() == "host" }.map(\.value)
    if hosts.count > 1 || (hosts.isEmpty && head.minorVersion == 1) { return nil }
    guard hosts.allSatisfy({ $0.isEmpty || isAuthority($0) }) else { return nil }
    guard let (target, authority) = resolve(parts[1], method: parts[0]) else { return nil }
    head.target = target

    for expectation in values("expect", fields) where expectation.lowercased() != "100-continue" { return nil }
    guard let framing = framing(fields, minorVersion: head.minorVersion) else { return nil }
    head.framing = framing ?? .none
    guard let named = head.readConnection(fields, isRequest: true) else { return nil }
    head.upgrades = head.minorVersion == 1 && upgradeIsAsked(fields)
    head.forwarded = forwarded(fields, named: named, authority: authority)
    if hosts.isEmpty { head.forwarded.append("Host: " + (authority ?? "")) }
    return head
  }

  static func response(_ input: [UInt8], to method: Method, limits: HTTPLimits) -> NaiveHead? {
    guard let (start, fields, length) = split(input, limits) else { return nil }
    var head = NaiveHead()
    head.length = length
    let parts = start.parts(by: " ")
    guard parts.count >= 2, parts[0] == "HTTP/1.1" || parts[0] == "HTTP/1.0" else { return nil }
    head.minorVersion = parts[0] == "HTTP/1.1" ? 1 : 0
    guard parts[1].unicodeScalars.count == 3, isDigits(parts[1]), let status = Int(parts[1]), status >= 100 else {
      return nil
    }
    head.status = status
    guard let announced = framing(fields, minorVersion: head.minorVersion) else { return nil }
    guard let named = head.readConnection(fields, isRequest: false) else { return nil }
    var dropped: Set<String> = []
    if status < 200 || status == 204 || (method == .connect && status < 300) {
      if let announced, announced != .none {
        if status < 200 { return nil }
        head.keepAlive = false
      }
      dropped = ["content-length", "transfer-encoding"]
    } else if method == .head || status == 304 {
      dropped = ["transfer-encoding"]
    } else if let announced {
      head.framing = announced
    } else {
      head.framing = .untilClose
      head.keepAlive = false
    }
    head.upgrades = status == 101 && upgradeIsAsked(fields)
    head.forwarded = forwarded(fields.filter { !dropped.contains($0.name.lowercased()) }, named: named, authority: nil)
    return head
  }

  /// Start line and fields of a head that has ended, is within the limits and keeps to the grammar of lines.
  private static func split(_ input: [UInt8], _ limits: HTTPLimits) -> (String, [Field], Int)? {
    guard let end = (0..<max(input.count - 3, 0)).first(where: { input[$0..<($0 + 4)] == [13, 10, 13, 10] }) else {
      return nil
    }
    if end + 4 > limits.maxHeadBytes { return nil }
    var lines: [[UInt8]] = [[]]
    var at = 0
    while at < end {
      if input[at] == 13 && input[at + 1] == 10 {
        lines.append([])
        at += 2
        continue
      }
      if (input[at] < 0x20 && input[at] != 9) || input[at] == 0x7f { return nil }
      lines[lines.count - 1].append(input[at])
      at += 1
    }
    var fields: [Field] = []
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: 0x3a) else { return nil }
      let name = text(line[..<colon])
      if !isToken(name) { return nil }
      fields.append((name, trim(text(line[(colon + 1)...]))))
    }
    if fields.count > limits.maxFields { return nil }
    return (text(lines[0][...]), fields, end + 4)
  }

  private static func values(_ name: String, _ fields: [Field]) -> [String] {
    fields.filter { $0.name.lowercased() == name }.map(\.value)
  }

  /// nil: refused; .some(nil): nothing is said.
  private static func framing(_ fields: [Field], minorVersion: UInt8) -> BodyFraming?? {
    let lengths = values("content-length", fields)
    let codings = values("transfer-encoding", fields)
    if !codings.isEmpty {
      if minorVersion == 0 || !lengths.isEmpty || codings.count > 1 { return nil }
      return codings[0].lowercased() == "chunked" ? .some(.chunked) : nil
    }
    if lengths.isEmpty { return .some(nil) }
    guard lengths.count == 1, isDigits(lengths[0]), lengths[0].count <= 19, let length = Int64(lengths[0]) else {
      return nil
    }
    return .some(length == 0 ? BodyFraming.none : .length(UInt64(length)))
  }

  /// Sets `keepAlive`; gives the fields that Connection names, or nil when the message is refused.
  private mutating func readConnection(_ fields: [Field], isRequest: Bool) -> Set<String>? {
    var options: Set<String> = []
    var isMalformed = false
    for value in NaiveHead.values("connection", fields) {
      let elements = value.parts(by: ",").map(NaiveHead.trim).filter { !$0.isEmpty }
      if elements.count > 32 || !elements.allSatisfy(NaiveHead.isToken) {
        isMalformed = true
      } else {
        options.formUnion(elements.map { $0.lowercased() })
      }
    }
    if isMalformed && isRequest { return nil }
    keepAlive = !isMalformed && !options.contains("close") && (minorVersion == 1 || options.contains("keep-alive"))
    return options
  }

  private static func upgradeIsAsked(_ fields: [Field]) -> Bool {
    let names = values("connection", fields).flatMap { $0.parts(by: ",").map { trim($0).lowercased() } }
    let upgrades = values("upgrade", fields)
    if !names.contains("upgrade") || upgrades.count != 1 { return false }
    return upgrades[0].parts(by: ",").map(trim).allSatisfy { element in
      let parts = element.parts(by: "/")
      return parts.count <= 2 && parts.allSatisfy(isToken) && parts[0].lowercased() != "h2c"
    }
  }

  private static func forwarded(_ fields: [Field], named: Set<String>, authority: String?) -> [String] {
    let hopByHop: Set = ["connection", "keep-alive", "proxy-connection", "upgrade"]
    let protected: Set = [
      "host", "content-length", "transfer-encoding", "te", "trailer", "expect", "forwarded", "x-request-id", "via",
      "user-agent", "referer", "content-type", "content-encoding", "accept-encoding", "origin", "location", "server",
      "date", "vary", "etag", "cookie", "authorization", "x-real-ip", "cache-control", "set-cookie",
      "proxy-authorization",
    ]
    var result: [String] = []
    for (name, value) in fields {
      let lower = name.lowercased()
      if hopByHop.contains(lower) || (lower == "te" && value.lowercased() != "trailers") { continue }
      let isProtected =
        protected.contains(lower) || lower.starts(with: "x-forwarded-") || lower.starts(with: "content-")
      if named.contains(lower) && !isProtected { continue }
      result.append("\(name): \(lower == "host" ? authority ?? value : value)")
    }
    return result
  }

  /// The target to send, and the authority that replaces Host; nil when the target is refused.
  private static func resolve(_ target: String, method: String) -> (String, String?)? {
    let bytes = target.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
    if bytes.isEmpty || bytes.contains(where: { $0 <= 0x20 || $0 >= 0x7f || $0 == 0x23 }) { return nil }
    let path = bytes.prefix { $0 != 0x3f }
    if path.contains(where: { [0x22, 0x3c, 0x3e, 0x5c].contains($0) }) { return nil }
    if method == "CONNECT" {
      return target.contains(":") && isAuthority(target, needsPort: true) ? (target, target) : nil
    }
    if target == "*" { return method == "OPTIONS" ? (target, nil) : nil }
    if target.starts(with: "/") { return (target, nil) }
    let lower = target.lowercased()
    guard let scheme = ["http://", "https://"].first(where: { lower.starts(with: $0) }) else { return nil }
    let rest = text(bytes.dropFirst(scheme.count)[...])
    let authority = String(rest.prefix { $0 != "/" && $0 != "?" })
    if !isAuthority(authority) { return nil }
    let local = String(rest.dropFirst(authority.count))
    if local.isEmpty { return (method == "OPTIONS" ? "*" : "/", authority) }
    return (local.starts(with: "?") ? "/" + local : local, authority)
  }

  private static func isAuthority(_ value: String, needsPort: Bool = false) -> Bool {
    var host = value
    var port: String?
    if let colon = value.lastIndex(of: ":"), !value.hasSuffix("]") {
      host = String(value[..<colon])
      port = String(value[value.index(after: colon)...])
    }
    if needsPort && port == nil { return false }
    if let port {
      guard isDigits(port), port.count <= 5, let number = Int(port), 1...65535 ~= number else { return false }
    }
    if host.starts(with: "[") && host.hasSuffix("]") { return isIPv6(String(host.dropFirst().dropLast())) }
    let allowed = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
    return !host.isEmpty && host.count <= 255 && host.allSatisfy(allowed.contains)
  }

  /// RFC 4291 2.2.
  private static func isIPv6(_ text: String) -> Bool {
    let halves = text.replacing("::", with: "|", maxReplacements: 1).parts(by: "|")
    if halves.count > 2 || text.contains("|") { return false }
    var groups = 0
    for (i, half) in halves.enumerated() where !half.isEmpty {
      let parts = half.parts(by: ":")
      for (j, part) in parts.enumerated() {
        if i == halves.count - 1 && j == parts.count - 1 && part.contains(".") {
          let octets = part.parts(by: ".")
          guard octets.count == 4, octets.allSatisfy(isOctet) else { return false }
          groups += 2
        } else {
          guard 1...4 ~= part.count, part.allSatisfy({ $0.isASCII && $0.isHexDigit }) else { return false }
          groups += 1
        }
      }
    }
    return halves.count == 2 ? groups <= 7 : groups == 8
  }

  private static func isOctet(_ text: String) -> Bool {
    isDigits(text) && text.count <= 3 && (text.count == 1 || !text.starts(with: "0")) && (Int(text) ?? 256) < 256
  }

  private static func isDigits(_ text: String) -> Bool {
    !text.isEmpty && text.unicodeScalars.allSatisfy { "0"..."9" ~= $0 }
  }

  private static func isToken(_ text: String) -> Bool {
    let marks = "!#$%&'*+-.^_`|~".unicodeScalars
    return !text.isEmpty
      && text.unicodeScalars.allSatisfy {
        marks.contains($0) || "0"..."9" ~= $0 || "a"..."z" ~= $0 || "A"..."Z" ~= $0
      }
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> String {
    String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
  }

  private static func trim(_ text: String) -> String {
    let scalars = text.unicodeScalars
    let tail = scalars.drop { $0 == " " || $0 == "\t" }
    return String(String.UnicodeScalarView(tail.reversed().drop { $0 == " " || $0 == "\t" }.reversed()))
  }
}

extension String {
  /// Pieces between separators, by Unicode scalar: one scalar is one byte here, and characters could span several.
  fileprivate func parts(by separator: Unicode.Scalar) -> [String] {
    unicodeScalars.split(separator: separator, omittingEmptySubsequences: false).map { String($0) }
  }

  fileprivate var utf8Latin1: Int { unicodeScalars.count }
}
