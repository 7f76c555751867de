import Synchronization
import WeftIO

/// What is known of one endpoint's health, shared by all workers and the supervisor: what one of them finds out holds for
/// all from the next request on. Reading it costs a load.
///
/// The same object serves from one configuration to the next as long as the endpoint is in both.
final class EndpointHealth: Sendable {
  let address: SocketAddress
  /// Counts of the whole service.
  private let counts: HealthCounts
  private let state = Atomic<UInt32>(0)
  private let errors = Atomic<UInt32>(0)
  private let gatewayErrors = Atomic<UInt32>(0)
  private let ejections = Atomic<UInt32>(0)
  /// Monotonic milliseconds.
  private let ejectionEnd = Atomic<UInt64>(0)

  // Bits of `state`.
  private static let checkFailed: UInt32 = 1
  private static let ejected: UInt32 = 2
  private static let removed: UInt32 = 4

  init(_ address: SocketAddress, _ counts: HealthCounts) {
    self.address = address
    self.counts = counts
  }

  /// Whether it gets requests, but for a panic.
  @inline(__always) var isAvailable: Bool { state.load(ordering: .relaxed) == 0 }
  var hasFailedCheck: Bool { state.load(ordering: .relaxed) & Self.checkFailed != 0 }
  var isEjected: Bool { state.load(ordering: .relaxed) & Self.ejected != 0 }
  /// How many times it has been left out lately.
  var ejectionCount: UInt32 { ejections.load(ordering: .relaxed) }
  /// When it comes back; monotonic milliseconds.
  var ejectedUntil: UInt64 { ejectionEnd.load(ordering: .relaxed) }

  /// - Returns: the state before.
  @discardableResult
  private func set(_ bit: UInt32) -> UInt32 {
    let old = state.bitwiseOr(bit, ordering: .acquiringAndReleasing).oldValue
    if bit == Self.removed {
      if old != 0 && old & Self.removed == 0 { counts.unavailable.subtract(1, ordering: .relaxed) }
    } else if old == 0 {
      counts.unavailable.add(1, ordering: .relaxed)
    }
    return old
  }

  @discardableResult
  private func clear(_ bit: UInt32) -> Bool {
    let old = state.bitwiseAnd(~bit, ordering: .acquiringAndReleasing).oldValue
    if old == bit { counts.unavailable.subtract(1, ordering: .relaxed) }
    return old & bit != 0
  }

  // MARK: Checks

  /// What the checks say, once they have said it often enough.
  func setCheckFailed(_ hasFailed: Bool) {
    if hasFailed { set(Self.checkFailed) } else { clear(Self.checkFailed) }
  }

  /// It is no endpoint of the service any more.
  func remove() {
    if set(Self.removed) & (Self.ejected | Self.removed) == Self.ejected {
      counts.ejected.subtract(1, ordering: .relaxed)
    }
  }

  // MARK: Outlier detection

  /// A response that is no error.
  @inline(__always)
  func succeeded() {
    if errors.load(ordering: .relaxed) != 0 { errors.store(0, ordering: .relaxed) }
    if gatewayErrors.load(ordering: .relaxed) != 0 { gatewayErrors.store(0, ordering: .relaxed) }
  }

  /// A response with a status from 500, or a failure that counts as one.
  /// - Parameter total: the service's endpoints.
  /// - Returns: why it is left out from now on; nil when it is not.
  func failed(status: Int, _ outlier: OutlierDetection, of total: Int, now: UInt64) -> EjectionReason? {
    var reason: EjectionReason?
    let count = errors.add(1, ordering: .relaxed).newValue
    if outlier.consecutive5xx != 0 && count >= outlier.consecutive5xx { reason = .consecutive5xx }
    if (502...504).contains(status) {
      let count = gatewayErrors.add(1, ordering: .relaxed).newValue
      if outlier.consecutiveGatewayErrors != 0 && count >= outlier.consecutiveGatewayErrors {
        reason = reason ?? .consecutiveGatewayErrors
      }
    } else if gatewayErrors.load(ordering: .relaxed) != 0 {
      gatewayErrors.store(0, ordering: .relaxed)
    }
    guard let reason, eject(outlier, of: total, now: now) else { return nil }
    return reason
  }

  private func eject(_ outlier: OutlierDetection, of total: Int, now: UInt64) -> Bool {
    if !isAvailable && isEjected { return false }
    let share = outlier.maxEjectionPercent == 0 ? 0 : max(1, total * outlier.maxEjectionPercent / 100)
    let limit = total < 2 ? 0 : min(share, total)
    if counts.ejected.add(1, ordering: .relaxed).oldValue >= limit {
      counts.ejected.subtract(1, ordering: .relaxed)
      return false
    }
    // Each base time without an ejection makes up for an earlier one.
    let last = ejectionEnd.load(ordering: .relaxed)
    let forgiven = last == 0 || now <= last ? 0 : (now - last) / max(UInt64(outlier.baseEjectionTime), 1)
    let before = UInt64(ejections.load(ordering: .relaxed))
    let times = (before > forgiven ? before - forgiven : 0) + 1
    let time = min(UInt64(outlier.baseEjectionTime) * min(times, 1 << 20), UInt64(outlier.maxEjectionTime))
    ejectionEnd.store(now + time, ordering: .relaxed)
    if set(Self.ejected) & (Self.ejected | Self.removed) != 0 {
      // Another worker was faster, or the endpoint has just been removed.
      counts.ejected.subtract(1, ordering: .relaxed)
      return false
    }
    ejections.store(UInt32(clamping: times), ordering: .relaxed)
    return true
  }

  /// Ends an ejection whose time is over.
  /// - Returns: whether there was one.
  func endEjection(now: UInt64) -> Bool {
    guard isEjected, ejectionEnd.load(ordering: .relaxed) <= now else { return false }
    return endEjection()
  }

  /// Ends an ejection at once.
  @discardableResult
  func endEjection() -> Bool {
    errors.store(0, ordering: .relaxed)
    gatewayErrors.store(0, ordering: .relaxed)
    guard clear(Self.ejected) else { return false }
    counts.ejected.subtract(1, ordering: .relaxed)
    return true
  }
}

/// Endpoints of a service that are left out.
final class HealthCounts: Sendable {
  /// For whatever reason.
  let unavailable = Atomic<Int>(0)
  let ejected = Atomic<Int>(0)
}

/// Why an endpoint is left out, as metrics call it.
enum EjectionReason: String, Sendable {
  case consecutive5xx = "consecutive_5xx"
  case consecutiveGatewayErrors = "consecutive_gateway_errors"
}

/// `OutlierDetectionSettings` as workers need it; times in milliseconds.
struct OutlierDetection: Sendable, Hashable {
  var consecutive5xx: UInt32
  var consecutiveGatewayErrors: UInt32
  var baseEjectionTime: UInt32
  var maxEjectionTime: UInt32
  var maxEjectionPercent: Int
}
