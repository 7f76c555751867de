import Foundation
import WeftIdentity

/// A join token as a proxy uses it. Who has signed it is the control plane's to verify: a forged one gets no certificate.
extension JoinToken {
  /// The token that a proxy was given, if it is for that one.
  /// - Throws: when it is none, for another proxy, or over.
  init(_ text: String, for options: MeshOptions, now: Double = Date().timeIntervalSince1970) throws(MeshError) {
    do { try self.init(unverified: text) } catch { throw MeshError(error.description) }
    guard workload.namespace == options.namespace, workload.name == options.name, kind.rawValue == options.kind.rawValue
    else {
      throw MeshError(
        "the join token is for the \(kind.rawValue) \(workload.namespace)/\(workload.name), not for the \(options.kind.rawValue) \(options.namespace)/\(options.name); make one for this proxy with \"weft token create --join\""
      )
    }
    guard now < Double(expires) else {
      throw MeshError("the join token has expired; make a new one with \"weft token create --join\"")
    }
  }
}
