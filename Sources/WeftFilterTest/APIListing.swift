import WeftIO
import WeftLua

/// What scripts find, asked of a state itself: what the definitions for editors are held against.
public struct APIListing {
  /// Methods by class, such as `Handle:headers`, and functions by path, such as `weft.json.decode`.
  public let functions: Set<String>
  /// What is no function, by path: its value as text, or its type for what has none.
  public let values: [String: String]

  /// Of scripts of bundles.
  public init() throws {
    let listing = LuaValue(tape: try LuaListing.api())
    var functions: Set<String> = []
    var values: [String: String] = [:]
    if case .table(let classes) = listing["classes"] {
      for one in classes {
        for method in one.value.items.compactMap(\.text) {
          functions.insert("\(Self.className(one.name)):\(method)")
        }
      }
    }
    for line in listing["globals"].items.compactMap(\.text) {
      let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
      if parts.count == 2 { values[parts[0]] = parts[1] } else { functions.insert(line) }
    }
    self.functions = functions
    self.values = values
  }

  /// `streamInfo` and `public key` as classes are called: `StreamInfo`, `PublicKey`.
  private static func className(_ name: String) -> String {
    // What Envoy's importPublicKey() gives is another thing than a key of `weft.crypto`.
    if name == "publicKey" { return "ImportedKey" }
    return name.split(separator: " ").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
  }
}
