import WeftIO
import WeftLua

/// What scripts and tests find, asked of the states themselves: what the definitions for editors are held against.
public enum APIListing {
  /// Methods by class, under `weft.`, such as `Handle:headers`; functions and values of the `weft` table, such as
  /// `weft.json.decode`.
  public static func scripts() throws -> Set<String> {
    var names: Set<String> = []
    let listing = LuaValue(tape: try LuaListing.api())
    if case .table(let classes) = listing["classes"] {
      for one in classes {
        for method in one.value.items.compactMap(\.text) { names.insert("\(className(one.name)):\(method)") }
      }
    }
    names.formUnion(listing["weft"].items.compactMap(\.text))
    return names
  }

  /// `streamInfo` and `public key` as classes are called: `StreamInfo`, `PublicKey`.
  private static func className(_ name: String) -> String {
    // What Envoy's importPublicKey() gives is another thing than a key of `weft.crypto`.
    if name == "publicKey" { return "ImportedKey" }
    return name.split(separator: " ").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
  }

  /// What a file of definitions declares, in the same form. A class has the methods of those that it names as its parents,
  /// too.
  public static func declared(_ text: String) -> Set<String> {
    var names: Set<String> = []
    var parents: [String: String] = [:]
    for line in text.split(separator: "\n") {
      if line.hasPrefix("---@class weft."), let colon = line.firstIndex(of: ":") {
        let name = line[..<colon].dropFirst("---@class weft.".count)
        parents[String(name)] = String(line[line.index(after: colon)...].trimmed.dropFirst("weft.".count))
      } else if line.hasPrefix("function "), let end = line.firstIndex(of: "(") {
        names.insert(String(line[..<end].dropFirst("function ".count)))
      } else if line.hasPrefix("weft."), let end = line.firstIndex(of: " ") {
        names.insert(String(line[..<end]))
      }
    }
    // A table that holds others stands for them.
    names = names.filter { name in !names.contains { $0.hasPrefix("\(name).") } }
    for (child, parent) in parents {
      var ancestor: String? = parent
      while let present = ancestor {
        for name in names where name.hasPrefix("\(present):") {
          names.insert("\(child):\(name.dropFirst(present.utf8.count + 1))")
        }
        ancestor = parents[present]
      }
    }
    return names
  }
}

extension Substring {
  fileprivate var trimmed: Substring { drop { $0 == " " } }
}
