/// A request or response as it was received.
struct HTTPMessage: Sendable {
  enum Framing: Sendable, Equatable { case none, length, chunked, untilClose }

  var startLine = ""
  var fields: [(name: String, value: String)] = []
  var framing = Framing.none
  var body: [UInt8] = []
  /// Bytes of the body; more than `body.count` when the body was not kept.
  var bodyLength = 0
  /// Sizes of the chunks, as sent.
  var chunks: [Int] = []
  var trailers: [(name: String, value: String)] = []
  /// Interim responses that came before this one.
  var interim: [HTTPMessage] = []
  /// The head as it came, with its empty line.
  var head = ""

  private func part(_ index: Int) -> String {
    let parts = startLine.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
    return index < parts.count ? String(parts[index]) : ""
  }

  // Of responses.
  var status: Int { Int(part(1)) ?? 0 }
  var reason: String { part(2) }
  // Of requests.
  var method: String { part(0) }
  var target: String { part(1) }
  var path: String { String(target.prefix { $0 != "?" }) }

  /// A parameter of the target's query.
  func parameter(_ name: String) -> String? {
    guard let question = target.firstIndex(of: "?") else { return nil }
    for pair in target[target.index(after: question)...].split(separator: "&") {
      let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if sides[0] == name { return sides.count > 1 ? String(sides[1]) : "" }
    }
    return nil
  }

  func number(_ name: String, _ fallback: Int) -> Int { parameter(name).flatMap { Int($0) } ?? fallback }

  /// Values of all fields of that name, in order.
  func values(_ name: String) -> [String] {
    fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
  }

  /// The only value of that name; joined by `" | "` when there are several, so that a test notices.
  subscript(name: String) -> String? {
    let all = values(name)
    return all.isEmpty ? nil : all.joined(separator: " | ")
  }

  func trailer(_ name: String) -> String? { trailers.first { $0.name.lowercased() == name.lowercased() }?.value }

  var text: String { String(decoding: body, as: UTF8.self) }

  /// Field names, sorted, in lower case.
  var fieldNames: [String] { fields.map { $0.name.lowercased() }.sorted() }
}
