import Glibc

/// One step of a parsed format.
struct AccessLogStep: Sendable, Equatable {
  var op: AccessLogOperator
  /// A literal's text; a header, query parameter or time format.
  var text = ""
  /// The header to use when the first is absent, and its operator.
  var alternative: Alternative?
  /// Longest output in bytes before escaping.
  var maxLength = AccessLogStep.defaultMaxLength
  /// `COMMON_DURATION`.
  var from = AccessLogOperator.TimePoint.requestBegin
  var to = AccessLogOperator.TimePoint.requestBegin
  var divisor: Int64 = 1
  /// `PATH`: without the query.
  var withoutQuery = false

  struct Alternative: Sendable, Equatable {
    let op: AccessLogOperator
    let text: String
  }

  /// A value from outside is cut there, unless the format gives a bound of its own.
  static let defaultMaxLength = 4096
  static let highestMaxLength = 16384
}

/// Parses format strings: text with command operators `%NAME%`, `%NAME(argument)%`, `%NAME(argument):length%`; `%%` is a
/// percent sign.
struct AccessLogTemplate {
  static let maxLength = 16384
  static let maxSteps = 512

  let steps: [AccessLogStep]

  init(_ format: String) throws(AccessLogFormatError) {
    let utf8 = Array(format.utf8)
    if utf8.count > AccessLogTemplate.maxLength {
      throw AccessLogFormatError("the format is longer than \(AccessLogTemplate.maxLength) bytes")
    }
    let percent = UInt8(ascii: "%")
    var steps: [AccessLogStep] = []
    var literal: [UInt8] = []
    var i = 0
    while i < utf8.count {
      if utf8[i] != percent {
        literal.append(utf8[i])
        i += 1
        continue
      }
      if i + 1 < utf8.count, utf8[i + 1] == percent {
        literal.append(percent)
        i += 2
        continue
      }
      if !literal.isEmpty { steps.append(.init(op: .literal, text: String(decoding: literal, as: UTF8.self))) }
      literal = []
      // The argument may hold percent signs (a time format), but no parenthesis.
      var end = i + 1
      while end < utf8.count, utf8[end] != percent, utf8[end] != UInt8(ascii: "(") { end += 1 }
      if end < utf8.count, utf8[end] == UInt8(ascii: "(") {
        while end < utf8.count, utf8[end] != UInt8(ascii: ")") { end += 1 }
        while end < utf8.count, utf8[end] != percent { end += 1 }
      }
      let command = String(decoding: utf8[(i + 1)..<end], as: UTF8.self)
      if end >= utf8.count {
        throw AccessLogFormatError(
          "operator '%\(command.prefix(40))' has no closing '%'; write '%%' for a percent sign")
      }
      steps.append(try AccessLogTemplate.step(command))
      i = end + 1
    }
    if !literal.isEmpty { steps.append(.init(op: .literal, text: String(decoding: literal, as: UTF8.self))) }
    if steps.count > AccessLogTemplate.maxSteps {
      throw AccessLogFormatError("the format has more than \(AccessLogTemplate.maxSteps) parts")
    }
    self.steps = steps
  }

  /// One command, without its percent signs.
  private static func step(_ command: String) throws(AccessLogFormatError) -> AccessLogStep {
    var name = Substring(command)
    var argument: String?
    var maxLength: Int?
    if let open = command.firstIndex(of: "(") {
      guard let close = command.lastIndex(of: ")"), open < close else {
        throw AccessLogFormatError("'%\(command)%' has no closing parenthesis")
      }
      name = command[..<open]
      argument = String(command[command.index(after: open)..<close])
      let rest = command[command.index(after: close)...]
      if !rest.isEmpty {
        guard rest.hasPrefix(":"), let length = Int(rest.dropFirst()),
          (1...AccessLogStep.highestMaxLength).contains(length)
        else {
          throw AccessLogFormatError(
            "'%\(command)%': behind the parenthesis may stand ':' and a length of 1 to \(AccessLogStep.highestMaxLength)"
          )
        }
        maxLength = length
      }
    }
    var step = try step(name: String(name), argument: argument, command: command)
    if let maxLength { step.maxLength = maxLength }
    return step
  }

  private static func step(
    name: String, argument: String?, command: String
  ) throws(AccessLogFormatError) -> AccessLogStep {
    func refuse(_ reason: String) -> AccessLogFormatError { AccessLogFormatError("'%\(command)%': \(reason)") }
    switch name {
    case "REQ", "REQUEST_HEADER": return try header(argument, .requestHeader, refuse)
    case "RESP", "RESPONSE_HEADER": return try header(argument, .responseHeader, refuse)
    case "TRAILER", "RESPONSE_TRAILER": return try header(argument, .responseTrailer, refuse)
    case "START_TIME", "EMIT_TIME":
      let op: AccessLogOperator = name == "START_TIME" ? .time : .emitTime
      if let argument, !argument.isEmpty { _ = try TimeFormat(argument) }
      return AccessLogStep(op: op, text: argument ?? "")
    case "QUERY_PARAM":
      guard let argument, !argument.isEmpty else { throw refuse("names no parameter: %QUERY_PARAM(name)%") }
      return AccessLogStep(op: .queryParameter, text: argument)
    case "PATH": return try path(argument ?? "", refuse)
    case "COMMON_DURATION": return try duration(argument ?? "", refuse)
    case "ENVIRONMENT":
      guard let argument, !argument.isEmpty else { throw refuse("names no variable: %ENVIRONMENT(NAME)%") }
      return AccessLogStep(op: .literal, text: getenv(argument).map { String(cString: $0) } ?? "-")
    case "HOSTNAME":
      var buffer = [CChar](repeating: 0, count: 256)
      let known = gethostname(&buffer, buffer.count - 1) == 0
      let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      return AccessLogStep(op: .literal, text: known ? String(decoding: bytes, as: UTF8.self) : "-")
    default: break
    }
    guard let known = AccessLogOperator.plain.first(where: { $0.name == name }) else {
      let hint = nearest(to: name.uppercased(), among: AccessLogOperator.names).map { "; did you mean '%\($0)%'?" }
      throw AccessLogFormatError("unknown operator '%\(name)%'\(hint ?? "")")
    }
    if argument != nil { throw refuse("takes no argument") }
    return AccessLogStep(op: known.operator)
  }

  private static func header(
    _ argument: String?, _ op: AccessLogOperator, _ refuse: (String) -> AccessLogFormatError
  ) throws(AccessLogFormatError) -> AccessLogStep {
    let names = (argument ?? "").split(separator: "?", omittingEmptySubsequences: false).map { $0.lowercased() }
    if names.count > 2 { throw refuse("has more than one alternative") }
    var parsed: [AccessLogStep.Alternative] = []
    for name in names {
      let field = op == .requestHeader ? AccessLogOperator.requestField(name) : nil
      if let field {
        parsed.append(.init(op: field, text: name))
      } else if op == .responseHeader && name == ":status" {
        parsed.append(.init(op: .responseCode, text: name))
      } else if op == .responseHeader && name == "x-envoy-upstream-service-time" {
        // What Envoy writes into that header before it logs, measured here.
        parsed.append(.init(op: .upstreamServiceTime, text: name))
      } else if name.hasPrefix(":") {
        let known = op == .requestHeader ? [":method", ":path", ":authority", ":scheme"] : [":status"]
        let hint = nearest(to: name, among: known).map { "; did you mean '\($0)'?" }
        throw refuse("unknown pseudo-header '\(name)'\(hint ?? "")")
      } else if name.isEmpty || name.utf8.count > 256 || !name.utf8.allSatisfy(isToken) {
        throw refuse("'\(name)' is no header name")
      } else {
        parsed.append(.init(op: op, text: name))
      }
    }
    var step = AccessLogStep(op: parsed[0].op, text: parsed[0].text)
    step.alternative = parsed.count > 1 ? parsed[1] : nil
    return step
  }

  /// RFC 9110 5.6.2.
  private static func isToken(_ c: UInt8) -> Bool {
    switch UnicodeScalar(c) {
    case "a"..."z", "A"..."Z", "0"..."9", "!", "#", "$", "%", "&", "'", "*", "+", "-", ".", "^", "_", "`", "|", "~":
      true
    default: false
    }
  }

  /// `WQ` or `NQ` (with or without the query), then `ORIG`, `PATH` or `ORIG_OR_PATH`.
  private static func path(
    _ argument: String, _ refuse: (String) -> AccessLogFormatError
  ) throws(AccessLogFormatError) -> AccessLogStep {
    let parts =
      argument.isEmpty ? [] : argument.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    var step = AccessLogStep(op: .path)
    switch parts.first ?? "WQ" {
    case "WQ", "": break
    case "NQ": step.withoutQuery = true
    default: throw refuse("the first argument is WQ (with the query) or NQ (without)")
    }
    switch parts.count > 1 ? parts[1] : "ORIG_OR_PATH" {
    case "ORIG_OR_PATH", "ORIG", "": step.text = "original"
    case "PATH": step.text = "current"
    default: throw refuse("the second argument is ORIG, PATH or ORIG_OR_PATH")
    }
    if parts.count > 2 { throw refuse("has more than two arguments") }
    return step
  }

  private static func duration(
    _ argument: String, _ refuse: (String) -> AccessLogFormatError
  ) throws(AccessLogFormatError) -> AccessLogStep {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 3 else { throw refuse("is written %COMMON_DURATION(START:END:ms)%") }
    let points = AccessLogOperator.TimePoint.allCases.map(\.rawValue).joined(separator: ", ")
    guard let from = AccessLogOperator.TimePoint(rawValue: parts[0]) else {
      throw refuse("'\(parts[0])' is none of \(points)")
    }
    guard let to = AccessLogOperator.TimePoint(rawValue: parts[1]) else {
      throw refuse("'\(parts[1])' is none of \(points)")
    }
    guard let unit = AccessLogOperator.precisions.first(where: { $0.name == parts[2] }) else {
      throw refuse("the precision is ms, us or ns")
    }
    var step = AccessLogStep(op: .commonDuration)
    (step.from, step.to, step.divisor) = (from, to, unit.nanoseconds)
    return step
  }
}
