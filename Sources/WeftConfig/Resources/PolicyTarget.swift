/// What a policy governs by name: a Gateway or a service of the policy's own namespace.
public struct PolicyTarget: Sendable, Hashable {
  public let kind: ResourceKind
  public let name: String
  public let origin: Origin

  /// Reads `targetRefs`, or `targetRef`, as older manifests have it.
  static func list(_ spec: ObjectReader) -> [PolicyTarget] {
    if let single = spec.optionalObject("targetRef") { return [PolicyTarget(single)].compactMap { $0 } }
    return spec.objects("targetRefs", count: 0...16, PolicyTarget.init).compactMap { $0 }
  }

  private init?(_ reader: ObjectReader) {
    kind = ResourceKind(group: reader.string("group", .group, default: ""), kind: reader.string("kind", .kind))
    name = reader.string("name", .length(1...253))
    origin = Origin(reader.node)
    let known = [Gateway.kind, KubernetesService.kind, WeftService.kind]
    if known.contains(kind) { return }
    reader.error(
      "kind",
      "a policy governs a Gateway (group gateway.networking.k8s.io) or a Service (group \"\" or weft.dev), not a \(kind); without targetRefs it governs its namespace"
    )
    return nil
  }
}
