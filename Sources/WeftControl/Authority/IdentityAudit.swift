import Foundation
import Logging
import WeftConfig
import WeftIdentity
import WeftStore

/// Who got a certificate and who got none, in the audit log. No certificate is handed out before its entry is stored.
///
/// Whoever reaches the port can be refused as often as they like, so refusals have a limit for each minute; what is
/// beyond it is counted in the next entry. Entries have a place of their own, so that they push no others out.
actor IdentityAudit {
  static let prefix = "/control/audit-identities/"
  static let refusalsPerMinute = 60
  /// Entries of one transaction.
  private static let batch = 64

  private let store: any Store
  private let log: Logger
  private let clock: @Sendable () -> Double
  private var waiting: [(Transaction.Operation, CheckedContinuation<Void, any Error>?)] = []
  private var isWriting = false
  private var minute = 0
  private var refusals = 0
  private var omitted = 0
  private var writesSincePrune = 0

  init(
    _ store: any Store, log: Logger, clock: @escaping @Sendable () -> Double = { Date().timeIntervalSince1970 }
  ) {
    self.store = store
    self.log = log
    self.clock = clock
  }

  /// - Throws: `StoreError` when it cannot be stored; then the certificate must not be handed out.
  func issued(_ certificate: IssuedCertificate, to id: SPIFFEID, reason: String, peer: String) async throws {
    let serial = certificate.certificate.serialNumber.bytes.map { byte in
      String(repeating: "0", count: byte < 16 ? 1 : 0) + String(byte, radix: 16)
    }.joined()
    let operation = AuditLog.entry(
      "certificate issue", by: Author(name: id.description, role: "workload", address: peer),
      [
        .init(
          subject: [
            "workload": .string(id.description), "serial": .string(serial),
            "notAfter": .number("\(certificate.notAfter)"),
          ], outcome: reason, differences: [])
      ], under: Self.prefix)
    try await withCheckedThrowingContinuation { continuation in
      waiting.append((operation, continuation))
      if !isWriting { Task { await write() } }
      isWriting = true
    }
  }

  /// - Parameter verb: `certificate refuse` or `connection refuse`.
  func refused(_ verb: String, peer: String, reason: String) {
    let now = Int(clock() / 60)
    if now != minute { (minute, refusals) = (now, 0) }
    refusals += 1
    guard refusals <= Self.refusalsPerMinute else {
      omitted += 1
      return
    }
    var subject: JSONValue = ["peer": .string(peer)]
    if omitted > 0 { subject["omitted"] = .number("\(omitted)") }
    omitted = 0
    let operation = AuditLog.entry(
      verb, by: Author(name: "unknown", role: "none", address: peer),
      [.init(subject: subject, outcome: String(reason.prefix(500)), differences: [])], under: Self.prefix)
    waiting.append((operation, nil))
    if !isWriting { Task { await write() } }
    isWriting = true
  }

  /// Writes what waits, as much at a time as has come while the last transaction was under way.
  private func write() async {
    while !waiting.isEmpty {
      let part = waiting.prefix(Self.batch)
      waiting.removeFirst(part.count)
      do {
        try await store.commit(Transaction(part.map(\.0)))
        for (_, continuation) in part { continuation?.resume() }
      } catch {
        log.warning("the audit log cannot be written: \(error)")
        for (_, continuation) in part { continuation?.resume(throwing: error) }
      }
      writesSincePrune += part.count
    }
    isWriting = false
    guard writesSincePrune >= 500 else { return }
    writesSincePrune = 0
    do { try await AuditLog(store, prefix: Self.prefix).prune() } catch {
      log.warning("the audit log of identities cannot be pruned: \(error)")
    }
  }
}
