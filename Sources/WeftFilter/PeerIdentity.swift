import WeftIO

/// A verified peer's SPIFFE ID in the parts that policies ask about; all empty for a peer without one.
package struct PeerIdentity: Sendable {
  /// The ID without `spiffe://`.
  package let principal: OwnedBytes
  /// Of an ID such as `spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT`, and of no other.
  package let namespace: OwnedBytes
  /// `NAMESPACE/ACCOUNT`.
  package let account: OwnedBytes

  package init(spiffeID: String?) {
    let text = spiffeID.map { $0.dropFirst("spiffe://".count) } ?? ""
    principal = OwnedBytes(String(text))
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    let isWorkload = parts.count == 5 && parts[1] == "ns" && parts[3] == "sa" && parts.allSatisfy { !$0.isEmpty }
    namespace = OwnedBytes(isWorkload ? String(parts[2]) : "")
    account = OwnedBytes(isWorkload ? "\(parts[2])/\(parts[4])" : "")
  }
}
