/// Names of services in the mesh, as clusters have them.
public enum MeshHosts {
  /// What full names end with.
  public static let domain = "svc.cluster.local"

  /// Every name of a service for clients of a namespace.
  public static func names(of service: ResourceName, from namespace: String) -> [String] {
    let qualified = "\(service.name).\(service.namespace)"
    let names = [qualified, "\(qualified).svc", "\(qualified).\(domain)"]
    return service.namespace == namespace ? [service.name] + names : names
  }

  /// The service that a host, with or without a port, may mean for clients of a namespace; nil when it means none.
  public static func service(_ host: String, from namespace: String) -> ResourceName? {
    let lower = host.lowercased()
    var name = lower.prefix { $0 != ":" }
    if name.hasSuffix(".") { name = name.dropLast() }
    if AddressSyntax.isIPv4(String(name)) { return nil }
    for suffix in [".\(domain)", ".svc"] where name.hasSuffix(suffix) {
      name = name.dropLast(suffix.utf8.count)
      let labels = name.split(separator: ".", omittingEmptySubsequences: false)
      return labels.count == 2 ? checked(String(labels[0]), String(labels[1])) : nil
    }
    let labels = name.split(separator: ".", omittingEmptySubsequences: false)
    switch labels.count {
    case 1: return checked(String(labels[0]), namespace)
    case 2: return checked(String(labels[0]), String(labels[1]))
    default: return nil
    }
  }

  private static func checked(_ name: String, _ namespace: String) -> ResourceName? {
    DNSName.isLabel(name) && DNSName.isLabel(namespace) ? ResourceName(namespace: namespace, name: name) : nil
  }
}
