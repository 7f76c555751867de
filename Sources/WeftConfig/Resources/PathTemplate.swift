/// A path with operators in the manner of Istio: `{*}` stands for one element, `{**}` for any text, slashes included.
/// Each is a whole element, and nothing but text may follow `{**}`.
public struct PathTemplate: Sendable, Hashable {
  public enum Piece: Sendable, Hashable {
    case text(String)
    /// One byte or more, without a slash.
    case element
    /// Any bytes, none among them.
    case rest
  }

  /// Texts and operators in turn; two operators never stand side by side.
  public let pieces: [Piece]

  /// Whether `text` has an operator; it then must be a template.
  public static func isTemplate(_ text: String) -> Bool { text.contains("{*}") || text.contains("{**}") }

  /// nil when `text` is no template.
  public init?(_ text: String) {
    guard PathTemplate.problem(text) == nil else { return nil }
    var pieces: [Piece] = []
    var pending = ""
    for (i, element) in text.split(separator: "/", omittingEmptySubsequences: false).enumerated() {
      if i > 0 { pending += "/" }
      guard element == "{*}" || element == "{**}" else {
        pending += element
        continue
      }
      pieces.append(.text(pending))
      pieces.append(element == "{*}" ? .element : .rest)
      pending = ""
    }
    if !pending.isEmpty { pieces.append(.text(pending)) }
    self.pieces = pieces
  }

  /// What is wrong with `text`; nil when nothing is.
  static func problem(_ text: String) -> String? {
    guard text.hasPrefix("/") else { return "a path with an operator begins with \"/\"" }
    var hasRest = false
    for element in text.split(separator: "/", omittingEmptySubsequences: false) {
      switch element {
      case "{*}", "{**}":
        if hasRest { return "nothing but text may follow \"{**}\"; end the path there, or use \"{*}\" before it" }
        hasRest = element == "{**}"
      default:
        if element.contains("{") || element.contains("}") {
          return "\"\(element.prefix(80))\": an operator, \"{*}\" or \"{**}\", is a whole element of the path"
        }
        if element.contains("*") {
          return "\"*\" cannot stand together with \"{*}\" or \"{**}\"; use one kind of wildcard"
        }
      }
    }
    return nil
  }
}
