import GRPCCore

extension StoreError {
  /// What an answer of etcd that is not about reaching it means for those who use the store.
  init(etcd error: any Error) {
    if let known = error as? StoreError {
      self = known
      return
    }
    guard let failure = error as? RPCError else {
      self = error is CancellationError ? .closed : .unavailable("etcd: \(error)")
      return
    }
    switch failure.code {
    case .cancelled: self = .closed
    case .resourceExhausted where failure.message.contains("space"):
      self = .unavailable(
        "etcd has no space left (\(failure.message)): compact and defragment it, or raise its quota, then disarm its alarm"
      )
    case .unauthenticated, .permissionDenied:
      self = .unavailable("etcd refuses (\(failure.message)): check the client certificate and its role")
    case .dataLoss: self = .unusable("etcd's data are damaged (\(failure.message)): restore the member from a snapshot")
    default: self = .unavailable("etcd: \(failure.message)")
    }
  }
}

extension RPCError {
  /// The revision is no longer kept.
  var isCompacted: Bool { code == .outOfRange && message.contains("compacted") }
  /// The revision is yet to come.
  var isFuture: Bool { code == .outOfRange && message.contains("future") }
  var isLeaseNotFound: Bool { code == .notFound && message.contains("lease") }
}
