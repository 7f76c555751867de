import WeftIO

/// How an access log's lines look, compiled once from configuration: a run of steps over memory of the format's own, so
/// that writing a line follows no reference and allocates nothing.
///
/// Two kinds: a text with command operators, in the syntax of Envoy's access logs; or JSON, an object whose members'
/// values are such texts. docs/access-logs.md lists the operators.
///
/// `@unchecked` because of the pointer to its steps, which are written before anybody sees them and never again.
public final class AccessLogFormat: @unchecked Sendable {
  /// The default text format: Envoy's default fields, then why the response is what it is, the route and the filters run.
  public static let defaultText = """
    [%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% \
    %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" \
    "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %RESPONSE_CODE_DETAILS% \
    %ROUTE_NAME% %FILTERS%

    """

  /// The default members of a JSON line.
  public static let defaultJSON: [(String, Value)] = [
    ("start_time", .text("%START_TIME%")),
    ("method", .text("%REQ(:METHOD)%")),
    ("path", .text("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%")),
    ("protocol", .text("%PROTOCOL%")),
    ("authority", .text("%REQ(:AUTHORITY)%")),
    ("response_code", .text("%RESPONSE_CODE%")),
    ("response_flags", .text("%RESPONSE_FLAGS%")),
    ("response_code_details", .text("%RESPONSE_CODE_DETAILS%")),
    ("bytes_received", .text("%BYTES_RECEIVED%")),
    ("bytes_sent", .text("%BYTES_SENT%")),
    ("duration", .text("%DURATION%")),
    ("upstream_service_time", .text("%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%")),
    ("x_forwarded_for", .text("%REQ(X-FORWARDED-FOR)%")),
    ("user_agent", .text("%REQ(USER-AGENT)%")),
    ("request_id", .text("%REQ(X-REQUEST-ID)%")),
    ("listener", .text("%LISTENER%")),
    ("route_name", .text("%ROUTE_NAME%")),
    ("filters", .text("%FILTERS%")),
    ("upstream_service", .text("%UPSTREAM_SERVICE%")),
    ("upstream_host", .text("%UPSTREAM_HOST%")),
    ("upstream_attempts", .text("%UPSTREAM_REQUEST_ATTEMPT_COUNT%")),
    ("upstream_transport_failure_reason", .text("%UPSTREAM_TRANSPORT_FAILURE_REASON%")),
    ("downstream_remote_address", .text("%DOWNSTREAM_REMOTE_ADDRESS%")),
    ("downstream_local_address", .text("%DOWNSTREAM_LOCAL_ADDRESS%")),
  ]

  /// What a member of a JSON line holds.
  public indirect enum Value: Sendable {
    /// A format string. One operator alone keeps its type: a number stays a number, what is missing is null.
    case text(String)
    case object([(String, Value)])
    case list([Value])
  }

  let steps: UnsafeBufferPointer<CompiledStep>
  /// By slot: the formats that the steps' times use.
  let times: [TimeFormat]
  private let memory: [OwnedBytes]

  /// A text format. A newline is added where the format does not end with one.
  /// - Throws: `AccessLogFormatError`.
  public convenience init(text: String) throws {
    let template = try AccessLogTemplate(text.hasSuffix("\n") ? text : text + "\n")
    var compiler = FormatCompiler()
    for step in template.steps { try compiler.add(step, .text) }
    self.init(compiler)
  }

  /// A JSON format: one object a line, its members in the order given.
  /// - Throws: `AccessLogFormatError`, which names the member.
  public convenience init(json members: [(String, Value)] = AccessLogFormat.defaultJSON) throws {
    var compiler = FormatCompiler()
    try compiler.add(.object(members), path: "", depth: 0)
    compiler.add(literal: "\n")
    self.init(compiler)
  }

  private init(_ compiler: FormatCompiler) {
    let steps = UnsafeMutableBufferPointer<CompiledStep>.allocate(capacity: compiler.steps.count)
    _ = steps.initialize(from: compiler.steps)
    self.steps = UnsafeBufferPointer(steps)
    times = compiler.times
    memory = compiler.memory
  }

  deinit { UnsafeMutableBufferPointer(mutating: steps).deallocate() }
}

/// A step as the writer sees it: plain values and pointers into the format's memory.
struct CompiledStep {
  /// How an operator's value is set down.
  enum Mode: UInt8 {
    /// In a text line.
    case text
    /// As a whole JSON value.
    case value
    /// Inside a JSON string.
    case inString
  }

  let op: AccessLogOperator
  let mode: Mode
  let alternative: AccessLogOperator
  let hasAlternative: Bool
  let withoutQuery: Bool
  let original: Bool
  let from: AccessLogOperator.TimePoint
  let to: AccessLogOperator.TimePoint
  let maxLength: Int32
  let slot: Int32
  let divisor: Int64
  let text: Bytes
  let alternativeText: Bytes
}

/// Turns parsed steps into compiled ones. JSON's punctuation and the members' names become literals.
private struct FormatCompiler {
  static let maxDepth = 8
  static let maxMembers = 256

  var steps: [CompiledStep] = []
  var times: [TimeFormat] = []
  var memory: [OwnedBytes] = []
  private var pending: [UInt8] = []
  private var members = 0

  mutating func add(_ value: AccessLogFormat.Value, path: String, depth: Int) throws(AccessLogFormatError) {
    func refuse(_ reason: String, at path: String) -> AccessLogFormatError {
      var error = AccessLogFormatError(reason)
      error.field = path.isEmpty ? nil : path
      return error
    }
    if depth > FormatCompiler.maxDepth {
      throw refuse("nested deeper than \(FormatCompiler.maxDepth) levels", at: path)
    }
    switch value {
    case .text(let format):
      do {
        let template = try AccessLogTemplate(format)
        try add(template)
      } catch {
        throw refuse(error.reason, at: path)
      }
    case .object(let object):
      add(literal: "{")
      for (i, (name, value)) in object.enumerated() {
        let path = path.isEmpty ? name : "\(path).\(name)"
        members += 1
        if members > FormatCompiler.maxMembers {
          throw refuse("more than \(FormatCompiler.maxMembers) members", at: path)
        }
        if object[..<i].contains(where: { $0.0 == name }) { throw refuse("stands twice", at: path) }
        add(literal: (i == 0 ? "" : ",") + FormatCompiler.quoted(name) + ":")
        try add(value, path: path, depth: depth + 1)
      }
      add(literal: "}")
    case .list(let list):
      add(literal: "[")
      for (i, value) in list.enumerated() {
        members += 1
        if members > FormatCompiler.maxMembers {
          throw refuse("more than \(FormatCompiler.maxMembers) members", at: path)
        }
        if i > 0 { add(literal: ",") }
        try add(value, path: "\(path)[\(i)]", depth: depth + 1)
      }
      add(literal: "]")
    }
  }

  /// One JSON value: an operator alone keeps its type, anything else is a string.
  private mutating func add(_ template: AccessLogTemplate) throws(AccessLogFormatError) {
    if template.steps.count == 1, template.steps[0].op != .literal {
      try add(template.steps[0], .value)
      return
    }
    add(literal: "\"")
    for step in template.steps { try add(step, .inString) }
    add(literal: "\"")
  }

  mutating func add(_ step: AccessLogStep, _ mode: CompiledStep.Mode) throws(AccessLogFormatError) {
    if step.op == .literal {
      add(literal: mode == .text ? step.text : String(FormatCompiler.quoted(step.text).dropFirst().dropLast()))
      return
    }
    var slot = 0
    if step.op == .time || step.op == .emitTime {
      slot = times.count
      times.append(step.text.isEmpty ? .iso8601 : try TimeFormat(step.text))
    }
    append(
      CompiledStep(
        op: step.op, mode: mode, alternative: step.alternative?.op ?? .literal,
        hasAlternative: step.alternative != nil, withoutQuery: step.withoutQuery, original: step.text == "original",
        from: step.from, to: step.to, maxLength: Int32(step.maxLength), slot: Int32(slot), divisor: step.divisor,
        text: own(step.text), alternativeText: own(step.alternative?.text ?? "")))
  }

  /// Literals that follow each other become one.
  mutating func add(literal: String) {
    if let last = steps.last, last.op == .literal {
      steps.removeLast()
      memory.removeLast()
    } else {
      pending.removeAll()
    }
    pending.append(contentsOf: literal.utf8)
    let bytes = OwnedBytes(pending)
    memory.append(bytes)
    append(
      CompiledStep(
        op: .literal, mode: .text, alternative: .literal, hasAlternative: false, withoutQuery: false, original: false,
        from: .requestBegin, to: .requestBegin, maxLength: 0, slot: 0, divisor: 1, text: bytes.bytes,
        alternativeText: Bytes()))
  }

  private mutating func append(_ step: CompiledStep) { steps.append(step) }

  private mutating func own(_ text: String) -> Bytes {
    if text.isEmpty { return Bytes() }
    let bytes = OwnedBytes(text)
    memory.append(bytes)
    return bytes.bytes
  }

  private static func quoted(_ text: String) -> String {
    var out: [UInt8] = []
    JSONText.append(text, &out)
    return String(decoding: out, as: UTF8.self)
  }
}
