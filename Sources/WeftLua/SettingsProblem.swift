import CLuaHost
import WeftConfig
import WeftFilter

/// What a script's `check_settings` finds wrong with settings.
struct SettingsProblem {
  private enum Step {
    case field(String)
    /// From 0.
    case element(Int)
  }

  private let message: String
  private let path: [Step]

  /// - Parameter answer: as `wl_check_settings` gives it; nil when nothing is wrong.
  init?(_ answer: wl_text) {
    if answer.base == nil { return nil }
    guard case .list(let items)? = ValueTapeReader.value(answer.bytes), case .string(let message)? = items.first else {
      // A text that is no UTF-8, say. Something is wrong all the same.
      message = "the bundle refuses these settings, with a message that cannot be shown"
      path = []
      return
    }
    self.message = Self.line(message)
    path = items.dropFirst().compactMap { item in
      switch item {
      case .string(let name): .field(name)
      // Lua counts from 1, configuration from 0.
      case .number(let position): Int(exactly: position).flatMap { $0 >= 1 ? .element($0 - 1) : nil }
      default: nil
      }
    }
  }

  /// Why the check itself did not come to an end.
  init(_ failure: LuaFailure) {
    let place = failure.place.map { "\($0.file):\($0.line): \($0.message)" }
    message = Self.line("check_settings failed: \(place ?? failure.description)")
    path = []
  }

  /// At the setting's place below `node`, the settings; one that a default gives is at the place of what is around it.
  func diagnostic(_ node: ConfigNode) -> Diagnostic {
    var found: ConfigNode? = node
    var location = node.location
    var shown = node.path
    for step in path {
      switch step {
      case .field(let name):
        shown = shown.appending(name)
        found = found?[name]
      case .element(let index):
        shown = shown.appending(index)
        found = found.flatMap { $0.items.indices.contains(index) ? $0.items[index] : nil }
      }
      if let found { location = found.location }
    }
    return Diagnostic(at: location, path: shown, message)
  }

  /// Bytes of a message.
  private static let limit = 1024

  /// On one line, as other messages are.
  private static func line(_ text: String) -> String {
    let first = text.split(separator: "\n").first.map(String.init) ?? "are not right"
    return first.utf8.count > limit ? "\(first.prefix(limit / 4))..." : first
  }
}
