/// Indices by server name (SNI, RFC 6066 section 3): an exact name first, then the longest wildcard, then the one for any
/// name. A wildcard stands for one label or more, as in the Gateway API. Of entries with the same name the first counts.
public struct ServerNameTable: Sendable {
  private var exact: [String: Int] = [:]
  private var wildcard: [String: Int] = [:]
  private var any: Int?

  /// - Parameter names: in any case, perhaps beginning with `*.`; nil: any name, and none.
  public init(_ names: [String?]) {
    for (i, name) in names.enumerated() {
      guard let name = name.map(ServerName.normalized) else {
        any = any ?? i
        continue
      }
      if name.hasPrefix("*.") {
        let suffix = String(name.dropFirst())
        if wildcard[suffix] == nil { wildcard[suffix] = i }
      } else if exact[name] == nil {
        exact[name] = i
      }
    }
  }

  /// The index for a server name; nil: none is for it.
  /// - Parameter wanted: nil when the client gave none.
  public func index(of wanted: String?) -> Int? {
    guard let wanted else { return any }
    let name = ServerName.normalized(wanted)
    if let index = exact[name] { return index }
    if !wildcard.isEmpty {
      var rest = name[...]
      while let dot = rest.dropFirst().firstIndex(of: ".") {
        rest = rest[dot...]
        if let index = wildcard[String(rest)] { return index }
      }
    }
    return any
  }
}
