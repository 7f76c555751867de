/// The way from the root of a document to a node, such as `spec.rules[0].filters[1].extensionRef`.
public indirect enum FieldPath: Sendable, Hashable, CustomStringConvertible {
  case root
  case field(FieldPath, String)
  case index(FieldPath, Int)
  /// Written down elsewhere; shown as it is.
  case verbatim(String)

  /// The path of field `name` of the mapping at this path.
  public func appending(_ name: String) -> FieldPath { .field(self, name) }

  /// The path of element `index` of the sequence at this path.
  public func appending(_ index: Int) -> FieldPath { .index(self, index) }

  public var description: String {
    var text = ""
    write(to: &text, indices: true)
    return text
  }

  /// The path with every index left out (`spec.rules[].filters[].type`): the name of a field of the schema.
  public var pattern: String {
    var text = ""
    write(to: &text, indices: false)
    return text
  }

  private func write(to text: inout String, indices: Bool) {
    switch self {
    case .root: break
    case .verbatim(let path): text += path
    case .index(let parent, let index):
      parent.write(to: &text, indices: indices)
      text += indices ? "[\(index)]" : "[]"
    case .field(let parent, let name):
      parent.write(to: &text, indices: indices)
      if name.utf8.allSatisfy(FieldPath.isPlain), !name.isEmpty {
        if !text.isEmpty { text += "." }
        text += name
      } else {
        text += "[\"\(name)\"]"
      }
    }
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
      true
    default: false
    }
  }
}

extension FieldPath {
  /// A path that somebody else has written down: it is shown as it is.
  public static func text(_ text: String) -> FieldPath { text.isEmpty ? .root : .verbatim(text) }
}
