import WeftBundle
import WeftConfig
import WeftFilter

/// One request through one bundle: what went in, what came out.
public struct FilterTrial {
  /// What to try.
  public struct Input {
    public var request = MessageFile.request
    /// What the upstream answers; nil: 200, with the request's body.
    public var response: MessageFile?
    /// What services answer, by name; any other cannot be reached.
    public var services: [String: MessageFile] = [:]
    /// The filter's settings; nil: none.
    public var settings: ConfigNode?

    public init() {}
  }

  // Messages as lines: the start line, headers, an empty line and the body.
  let requestBefore: [String]
  /// nil: the upstream gets nothing.
  let requestAfter: [String]?
  /// nil: the upstream has not answered.
  let responseBefore: [String]?
  let responseAfter: [String]
  /// The filter answered itself.
  public let hasResponded: Bool
  public let logs: [String]
  /// Calls of services, and what came of them.
  public let calls: [String]
  /// Dynamic metadata, as `namespace.key = value`.
  public let metadata: [String]
  /// Why the filter failed.
  public let error: String?

  /// Runs the bundle in `folder`.
  /// - Throws: `ConfigError` for a bundle, settings or messages that are not right.
  public init(_ folder: String, _ input: Input) throws {
    let folder = try TestFolder(folder)
    let world = TestWorld(folder, coverage: nil, cpu: 60_000_000_000)
    var options: [(name: String, value: LuaValue)] = []
    if let settings = input.settings { options.append(("settings", LuaValue(settings))) }
    try world.configure(.table(options))

    var request = input.request
    if request["method"].isNone { request["method"] = .text("GET") }
    if request["path"].isNone { request["path"] = .text("/") }
    requestBefore = Self.lines(request: request)
    var upstreamLines: [String]?
    var callLines: [String] = []
    let result = try world.play(world.begin(.table(request.fields)), input) { asked, answer, isUpstream in
      if isUpstream {
        upstreamLines = answer["failure"].isNone ? Self.lines(response: answer) : nil
      } else {
        let outcome = answer["failure"].text ?? "\(answer["status"].integer ?? 200)"
        callLines.append(
          "\(asked["method"].text ?? "") \(asked["path"].text ?? "") of \(asked["service"].text ?? ""): \(outcome)")
      }
    }
    requestAfter = result["upstream"].isNone ? nil : Self.lines(message: result["upstream"])
    responseBefore = upstreamLines
    responseAfter = Self.lines(message: result)
    hasResponded = result["responded"].isTrue
    logs = world.log.lines.filter { !$0.isFailure }.map { "\($0.levelName): \($0.message)" }
    calls = callLines
    error = result["error"].text
    metadata = Self.metadata(result["metadata"])
  }

  private static func metadata(_ value: LuaValue) -> [String] {
    guard case .table(let namespaces) = value else { return [] }
    return namespaces.flatMap { namespace -> [String] in
      guard case .table(let keys) = namespace.value else { return [] }
      return keys.map { "\(namespace.name).\($0.name) = \($0.value.json)" }
    }
  }

  // MARK: Lines

  private static func lines(request: MessageFile) -> [String] {
    let pieces = MessageText.pieces(request["body"])
    var fields = MessageText.lines(request["headers"])
    if let host = request["host"].text { fields.insert("host: \(host)", at: 0) }
    fields = FilterBench.complete(
      request: fields, pieces, chunked: request["chunked"].isTrue || !request["trailers"].items.isEmpty)
    return lines(
      "\(request["method"].text ?? "") \(request["path"].text ?? "")", fields, pieces.flatMap(\.self),
      MessageText.lines(request["trailers"]))
  }

  private static func lines(response: MessageFile) -> [String] {
    let pieces = MessageText.pieces(response["body"])
    let status = response["status"].integer ?? 200
    let isChunked = response["chunked"].isTrue || !response["trailers"].items.isEmpty
    let fields = FilterBench.complete(
      response: MessageText.lines(response["headers"]), status,
      length: isChunked ? nil : pieces.reduce(0) { $0 + $1.count })
    return lines("\(status)", fields, pieces.flatMap(\.self), MessageText.lines(response["trailers"]))
  }

  private static func lines(message: LuaValue) -> [String] {
    let start =
      message["status"].integer.map { "\($0)" } ?? "\(message["method"].text ?? "") \(message["path"].text ?? "")"
    return lines(
      start, MessageText.lines(message["headers"]), MessageText.pieces(message["chunks"]).flatMap(\.self),
      MessageText.lines(message["trailers"]))
  }

  /// Lines of a body that are shown.
  private static let bodyLines = 60

  private static func lines(_ start: String, _ fields: [String], _ body: [UInt8], _ trailers: [String]) -> [String] {
    var lines = [start] + fields
    if !body.isEmpty {
      lines.append("")
      if let text = String(validating: body, as: UTF8.self), !text.unicodeScalars.contains(where: isControl) {
        let all = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        lines += all.prefix(bodyLines)
        if all.count > bodyLines { lines.append("(and \(all.count - bodyLines) lines)") }
      } else {
        lines.append("(\(body.count) bytes)")
      }
    }
    return lines + (trailers.isEmpty ? [] : [""] + trailers)
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 && scalar != "\n" && scalar != "\t" && scalar != "\r"
  }
}
