/// What a listener expects of the PROXY protocol. The Gateway API has no field for it, so it stands in annotations of the
/// Gateway: `weft.dev/proxy-protocol: "web=require, tls=optional"` and `weft.dev/proxy-protocol-from: "10.0.0.0/8"`.
public struct ListenerProxyProtocol: Sendable, Hashable {
  public enum Mode: String, Sendable, Hashable, CaseIterable {
    /// Every connection begins with a header.
    case require
    /// Connections may begin with one.
    case optional
  }

  public let mode: Mode
  /// Addresses and networks whose header is believed; nobody else's is.
  public let sources: [String]
  /// Clients of Unix sockets are believed too.
  public let trustsUnixSockets: Bool

  static let modes = "weft.dev/proxy-protocol"
  static let from = "weft.dev/proxy-protocol-from"
  private static let unix = "unix"
  private static let sourceLimit = 1024

  /// By the listener's name. Mistakes are reported at the annotation.
  static func read(
    _ metadata: ResourceMetadata, _ reader: ObjectReader, listeners: [String]
  ) -> [String: ListenerProxyProtocol] {
    let given = metadata.annotations
    let annotations = reader.node.child("metadata")?.child("annotations")
    func report(_ name: String, _ message: String) {
      reader.report(Origin(annotations?.child(name) ?? annotations ?? reader.node).error(message))
    }
    for key in given.keys.sorted() where key.hasPrefix(modes) && key != modes && key != from {
      report(key, "is no annotation of Weft\(Suggestion.advice(for: key, among: [modes, from], listing: "known are"))")
    }
    guard let text = given[modes] else {
      if given[from] != nil { report(from, "has no effect without \(modes), which names the listeners") }
      return [:]
    }
    guard let list = given[from] else {
      report(modes, "needs \(from): the addresses of the proxies in front, such as \"10.0.0.0/8, \(unix)\"")
      return [:]
    }
    var sources = items(list)
    let trustsUnix = sources.contains(unix)
    sources.removeAll { $0 == unix }
    if sources.isEmpty && !trustsUnix { report(from, "names nobody; give addresses, networks or \(unix)") }
    if sources.count > sourceLimit { report(from, "has \(sources.count) entries; \(sourceLimit) are allowed") }
    for source in sources where !AddressSyntax.isCIDR(source) {
      report(
        from,
        "\(JSONText.quote(String(source.prefix(80)))) is neither an address, nor a network such as 10.0.0.0/8, nor \(unix)"
      )
    }
    var result: [String: ListenerProxyProtocol] = [:]
    let entries = items(text)
    if entries.isEmpty { report(modes, "names no listener; write LISTENER=require or LISTENER=optional") }
    for entry in entries {
      let parts = entry.split(separator: "=", omittingEmptySubsequences: false).map { trimmed($0) }
      guard parts.count == 2, let mode = Mode(rawValue: parts[1]) else {
        report(
          modes,
          "\(JSONText.quote(String(entry.prefix(80)))) is not understood; write LISTENER=require or LISTENER=optional")
        continue
      }
      guard listeners.contains(parts[0]) else {
        let advice = Suggestion.advice(for: parts[0], among: listeners, listing: "known are")
        report(modes, "there is no listener \(JSONText.quote(String(parts[0].prefix(80))))\(advice)")
        continue
      }
      let setting = ListenerProxyProtocol(mode: mode, sources: sources, trustsUnixSockets: trustsUnix)
      if result.updateValue(setting, forKey: parts[0]) != nil {
        report(modes, "names the listener \"\(parts[0])\" twice")
      }
    }
    return result
  }

  private static func items(_ text: String) -> [String] {
    text.split(separator: ",").map { trimmed($0) }.filter { !$0.isEmpty }
  }

  private static func trimmed(_ text: Substring) -> String {
    var text = text
    while let first = text.first, first.isWhitespace { text.removeFirst() }
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text)
  }
}

extension ConfigNode {
  fileprivate func child(_ name: String) -> ConfigNode? { entries.first { $0.key == name }?.value }
}
