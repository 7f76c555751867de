import Foundation
import WeftCommand
import WeftConfig
import WeftControl

/// Resources of one kind as a table.
struct ResourceTable {
  private let type: ResourceType
  private let showsNamespace: Bool
  private let isWide: Bool
  private var table: Table

  init(_ type: ResourceType, showsNamespace: Bool, isWide: Bool) {
    self.type = type
    self.showsNamespace = showsNamespace && type.isNamespaced
    self.isWide = isWide
    var columns = self.showsNamespace ? ["NAMESPACE"] : []
    columns += ["NAME", Self.heading(type), "AGE"]
    if isWide { columns += ["GENERATION", "REVISION", "LABELS"] }
    table = Table(columns: columns)
  }

  mutating func add(_ value: JSONValue) {
    let metadata = value["metadata"]
    var row = showsNamespace ? [metadata?["namespace"]?.string ?? ""] : []
    row += [
      metadata?["name"]?.string ?? "", Terminal.harmless(Self.summary(value, type)),
      Self.age(metadata?["creationTimestamp"]?.string),
    ]
    if isWide {
      let labels = (metadata?["labels"]?.object ?? [:]).sorted { $0.key < $1.key }
        .map { "\($0.key)=\($0.value.string ?? "")" }
      row += [
        "\(metadata?["generation"]?.int ?? 0)", metadata?["resourceVersion"]?.string ?? "",
        Terminal.harmless(labels.joined(separator: ",")),
      ]
    }
    table.add(row)
  }

  var text: String { table.text(isTerminal: Terminal.hasColor(1)) }

  private static func heading(_ type: ResourceType) -> String {
    switch type.kind.kind {
    case "Gateway": "LISTENERS"
    case "HTTPRoute", "GRPCRoute", "TLSRoute": "HOSTNAMES"
    case "Service": type.kind.group.isEmpty ? "PORTS" : "ENDPOINTS"
    case "Filter", "Secret": "TYPE"
    case "Workload": "ADDRESS, HEALTH"
    case "FilterBundle": "DIGEST"
    case "AuthorizationPolicy": "ACTION"
    case "PeerAuthentication": "MODE"
    default: "TARGETS"
    }
  }

  private static func summary(_ value: JSONValue, _ type: ResourceType) -> String {
    let spec = value["spec"]
    func list(_ items: [JSONValue]?, limit: Int = 3, _ text: (JSONValue) -> String?) -> String {
      let texts = (items ?? []).compactMap(text)
      let more = texts.count > limit ? ", +\(texts.count - limit)" : ""
      return texts.prefix(limit).joined(separator: ", ") + more
    }
    switch type.kind.kind {
    case "Gateway":
      return list(spec?["listeners"]?.array) { "\($0["protocol"]?.string ?? "")/\($0["port"]?.int ?? 0)" }
    case "HTTPRoute", "GRPCRoute", "TLSRoute":
      let hosts = list(spec?["hostnames"]?.array) { $0.string }
      return hosts.isEmpty ? "*" : hosts
    case "Service":
      if type.kind.group.isEmpty { return list(spec?["ports"]?.array) { $0["port"].map(\.text) } }
      return list(spec?["endpoints"]?.array) { $0.string ?? $0["address"]?.string }
    case "Filter": return spec?["type"]?.string ?? ""
    case "Secret": return value["type"]?.string ?? "Opaque"
    case "Workload": return "\(spec?["address"]?.string ?? "") \(spec?["health"]?.string ?? "")"
    case "FilterBundle": return spec?["digest"]?.string ?? ""
    case "AuthorizationPolicy": return spec?["action"]?.string ?? "ALLOW"
    case "PeerAuthentication": return spec?["mtls"]?["mode"]?.string ?? "UNSET"
    default:
      return list((spec?["targetRefs"] ?? spec?["parentRefs"])?.array) {
        "\($0["kind"]?.string ?? "")/\($0["name"]?.string ?? "")"
      }
    }
  }

  /// How long ago a time was, as `kubectl` says it: `5s`, `3m`, `7h`, `12d`.
  static func age(_ timestamp: String?) -> String {
    guard let timestamp, let time = try? Date(timestamp, strategy: .iso8601) else { return "" }
    return duration(Date().timeIntervalSince(time))
  }

  static func duration(_ interval: TimeInterval) -> String {
    let isNegative = interval < 0
    // Bounded, so that a time that a proxy made up cannot overflow.
    let seconds = Int(min(abs(interval), 1e12))
    let text =
      switch seconds {
      case ..<120: "\(seconds)s"
      case ..<7_200: "\(seconds / 60)m"
      case ..<172_800: "\(seconds / 3_600)h"
      default: "\(seconds / 86_400)d"
      }
    return isNegative ? "-\(text)" : text
  }
}
