internal import CYAML

/// libyaml's parser over text that the caller keeps alive: one event after another, with the place of each.
struct YAMLEvents: ~Copyable {
  enum Event {
    case documentStart
    case documentEnd
    case streamEnd
    case alias(String)
    case scalar(text: String, isPlain: Bool)
    case sequenceStart
    case sequenceEnd
    case mappingStart
    case mappingEnd
  }

  /// One event with what the node properties (anchor, tag) say.
  struct Item {
    let event: Event
    let anchor: String?
    /// The resolved tag, such as `tag:yaml.org,2002:str`.
    let tag: String?
    let line: Int32
    let column: Int32
  }

  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let input: UnsafeBufferPointer<UInt8>
  private let file: String

  /// Nil when memory ran out.
  init?(_ input: UnsafeBufferPointer<UInt8>, file: String) {
    let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
    parser.initialize(to: yaml_parser_t())
    guard yaml_parser_initialize(parser) == 1 else {
      parser.deallocate()
      return nil
    }
    yaml_parser_set_input_string(parser, input.baseAddress, input.count)
    self.parser = parser
    self.input = input
    self.file = file
  }

  deinit {
    yaml_parser_delete(parser)
    parser.deallocate()
  }

  /// The next event; throws a syntax error, after which the stream must not be read on.
  func next() throws(Diagnostic) -> Item {
    while true {
      var event = yaml_event_t()
      guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxError() }
      defer { yaml_event_delete(&event) }
      if let item = item(from: event) { return item }
    }
  }

  private func item(from raw: yaml_event_t) -> Item? {
    let event: Event
    var anchor: String?
    var tag: String?
    switch raw.type {
    case YAML_DOCUMENT_START_EVENT: event = .documentStart
    case YAML_DOCUMENT_END_EVENT: event = .documentEnd
    case YAML_STREAM_END_EVENT, YAML_NO_EVENT: event = .streamEnd
    case YAML_ALIAS_EVENT: event = .alias(YAMLEvents.string(raw.data.alias.anchor) ?? "")
    case YAML_SCALAR_EVENT:
      let scalar = raw.data.scalar
      let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
      event = .scalar(
        text: String(decoding: bytes, as: UTF8.self), isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
      (anchor, tag) = (YAMLEvents.string(scalar.anchor), YAMLEvents.string(scalar.tag))
    case YAML_SEQUENCE_START_EVENT:
      event = .sequenceStart
      (anchor, tag) = (
        YAMLEvents.string(raw.data.sequence_start.anchor), YAMLEvents.string(raw.data.sequence_start.tag)
      )
    case YAML_SEQUENCE_END_EVENT: event = .sequenceEnd
    case YAML_MAPPING_START_EVENT:
      event = .mappingStart
      (anchor, tag) = (
        YAMLEvents.string(raw.data.mapping_start.anchor), YAMLEvents.string(raw.data.mapping_start.tag)
      )
    case YAML_MAPPING_END_EVENT: event = .mappingEnd
    default: return nil
    }
    return Item(
      event: event, anchor: anchor, tag: tag, line: Int32(clamping: raw.start_mark.line &+ 1),
      column: Int32(clamping: raw.start_mark.column &+ 1))
  }

  private static func string(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
    pointer.map { String(cString: $0) }
  }

  private func syntaxError() -> Diagnostic {
    let problem = parser.pointee.problem.map { String(cString: $0) } ?? "not enough memory"
    let context = parser.pointee.context.map { " " + String(cString: $0) } ?? ""
    if parser.pointee.error == YAML_READER_ERROR {
      let before = input.prefix(parser.pointee.problem_offset)
      let line = before.reduce(1) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 }
      return Diagnostic(.error, at: SourceLocation(file: file, line: line), "not readable as YAML: \(problem)")
    }
    let mark = parser.pointee.problem_mark
    let location = SourceLocation(
      file: file, line: Int(clamping: mark.line &+ 1), column: Int(clamping: mark.column &+ 1))
    return Diagnostic(.error, at: location, "not readable as YAML: \(problem)\(context)\(hint(problem))")
  }

  private func hint(_ problem: String) -> String {
    if problem.hasSuffix("cannot start any token") {
      return "; indent with spaces, not tabs, and quote values that begin with %, @ or `"
    }
    if problem.hasPrefix("mapping values are not allowed") { return "; quote values that contain \": \"" }
    return ""
  }
}
