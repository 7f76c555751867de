import WeftHTTP
import WeftIO

/// A message as it left the chain, copied out so that a test can compare it.
public struct FilterBenchMessage: Sendable, Equatable {
  public struct Field: Sendable, Equatable, CustomStringConvertible {
    public let name: String
    public let value: String

    public init(name: String, value: String) {
      self.name = name
      self.value = value
    }

    init(line: String) {
      let colon = line.firstIndex(of: ":") ?? line.endIndex
      name = String(line[..<colon])
      value = String(line[colon...].dropFirst().drop { $0 == " " })
    }

    public var description: String { "\(name): \(value)" }
  }

  /// Of a request.
  public internal(set) var method = ""
  /// Path and query of a request.
  public internal(set) var target = ""
  /// Of a response.
  public internal(set) var status = 0
  /// In order, names as they go out.
  public internal(set) var fields: [Field] = []
  /// The pieces in which the body left the chain, empty ones left out; a buffered body is one piece.
  public internal(set) var pieces: [[UInt8]] = []
  public internal(set) var trailers: [Field] = []

  /// The whole body.
  public var body: [UInt8] { pieces.flatMap(\.self) }
  /// The whole body as text.
  public var text: String { String(decoding: body, as: UTF8.self) }
  /// The header lines.
  public var lines: [String] { fields.map(\.description) }

  /// The values of every field called `name`, case ignored, joined by ", "; nil when there is none.
  public subscript(name: String) -> String? {
    let found = values(name)
    return found.isEmpty ? nil : found.joined(separator: ", ")
  }

  /// The values of every field called `name`, case ignored, in order.
  public func values(_ name: String) -> [String] {
    fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
  }

  init() {}

  init(request head: borrowing MessageHead) {
    method = head.headers.text(head.methodText).string
    target = head.headers.text(head.target).string
    fields = FilterBenchMessage.fields(head.headers)
  }

  init(response head: borrowing MessageHead) {
    status = head.status
    fields = FilterBenchMessage.fields(head.headers)
  }

  static func fields(_ table: borrowing HeaderTable) -> [Field] {
    var fields: [Field] = []
    for i in 0..<table.count where !table.isRemoved(i) {
      fields.append(Field(name: table.name(at: i).string, value: table.value(at: i).string))
    }
    return fields
  }
}
