/// `PeerAuthentication`, of `weft.dev/v1` or Istio's `security.istio.io`: whether workloads take connections with mutual
/// TLS, without, or both. `PeerAuthenticationResolver` says which policy holds for a port.
public struct PeerAuthentication: Resource {
  public static let kind = ResourceKind(group: ResourceKind.weft, kind: "PeerAuthentication")
  /// The same kind under the group that existing manifests have.
  public static let alias = ResourceKind(group: ResourceKind.istioSecurity, kind: "PeerAuthentication")
  public static let versions = ["v1", "v1beta1"]

  public enum Mode: String, Sendable, Hashable, CaseIterable {
    /// What the wider policy says.
    case unset = "UNSET"
    /// Plain connections only.
    case disable = "DISABLE"
    /// Plain connections and mutual TLS.
    case permissive = "PERMISSIVE"
    /// Mutual TLS only.
    case strict = "STRICT"
  }

  public let metadata: ResourceMetadata
  public let origin: Origin
  /// Labels that a governed workload has; nil or empty: the whole namespace, or the mesh in the root namespace.
  public let selector: [String: String]?
  public let mode: Mode
  /// For ports of the workload. Only a policy with a selector has any.
  public let portModes: [Int: Mode]

  public init(_ reader: ObjectReader, metadata: ResourceMetadata) {
    self.metadata = metadata
    origin = Origin(reader.node)
    let spec = reader.object("spec")
    selector = spec.optionalObject("selector") { $0.stringMap("matchLabels") }
    mode = spec.optionalObject("mtls")?.enumeration("mode", default: Mode.unset) ?? .unset
    let pairs = spec.map("portLevelMtls") { (key: String, node: ConfigNode) -> (Int, Mode) in
      guard let port = AddressSyntax.port(key[...]) else {
        throw node.error("the port \"\(key.prefix(80))\" is not a number from 1 to 65535")
      }
      for entry in node.entries where entry.key != "mode" {
        throw entry.value.error("\"\(entry.key.prefix(80))\" is not known; a port has a mode")
      }
      guard let value = node["mode"] else { throw node.error("needs a mode: \(Mode.names)") }
      return (port, try value.enumeration(Mode.self))
    }
    portModes = Dictionary(pairs) { first, _ in first }
    if !portModes.isEmpty, selector?.isEmpty ?? true {
      spec.error("portLevelMtls", "needs a selector with matchLabels, for ports are those of a workload")
    }
  }
}

extension PeerAuthentication.Mode {
  static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

  /// As the option `weft.dev/peer-authentication` has it.
  public var option: String { self == .unset ? "not given" : rawValue.lowercased() }
}
