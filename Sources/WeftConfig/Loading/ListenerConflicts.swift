extension ResourceSet {
  public func listener(_ name: ListenerName) -> Listener? {
    gateways[name.gateway]?.listeners.first { $0.name == name.listener }
  }

  /// Listeners that must not be accepted, because another one with the same port speaks another protocol; each with
  /// that other one. TLS and HTTPS can share a port, apart by server name.
  public var conflictedListeners: [ListenerName: ListenerName] {
    struct Bound {
      let name: ListenerName
      let isEncrypted: Bool
      let `protocol`: Listener.TrafficProtocol
      let addresses: Set<String>
    }
    var byPort: [Int: [Bound]] = [:]
    for gateway in gateways.all {
      let addresses = Set(gateway.addresses.map(\.value).filter { !$0.isEmpty })
      for listener in gateway.listeners where listener.protocol != .udp {
        let bound = Bound(
          name: ListenerName(gateway: gateway.name, listener: listener.name),
          isEncrypted: listener.protocol == .https || listener.protocol == .tls, protocol: listener.protocol,
          addresses: addresses)
        byPort[listener.port, default: []].append(bound)
      }
    }
    var conflicts: [ListenerName: ListenerName] = [:]
    for bounds in byPort.values where bounds.count > 1 {
      for bound in bounds {
        let other = bounds.first { other in
          other.protocol != bound.protocol && !(other.isEncrypted && bound.isEncrypted)
            && (other.addresses.isEmpty || bound.addresses.isEmpty
              || !other.addresses.isDisjoint(with: bound.addresses))
        }
        if let other { conflicts[bound.name] = other.name }
      }
    }
    return conflicts
  }
}
