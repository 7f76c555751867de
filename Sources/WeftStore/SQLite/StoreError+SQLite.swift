import GRDB

extension StoreError {
  /// What an error of SQLite means for those who use the store.
  init(_ error: any Error, path: String) {
    if let known = error as? StoreError {
      self = known
      return
    }
    guard let failure = error as? DatabaseError else {
      self = error is CancellationError ? .closed : .unavailable("\(path): \(error)")
      return
    }
    let reason = failure.message ?? "SQLite error \(failure.resultCode.rawValue)"
    switch failure.resultCode {
    case .SQLITE_FULL:
      self = .unavailable("\(path) cannot grow, the disk is full: make room; nothing that was acknowledged is lost")
    case .SQLITE_IOERR:
      self = .unavailable(
        "\(path) cannot be written (\(reason)): check the disk, its quota and the limit on the size of files; nothing that was acknowledged is lost"
      )
    case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_CANTOPEN, .SQLITE_AUTH:
      self = .unavailable("\(path) cannot be written (\(reason)): check the owner and mode of the folder and its files")
    case .SQLITE_CORRUPT, .SQLITE_NOTADB:
      self = .unusable("\(path) is damaged (\(reason)): stop the control plane and restore the folder from a backup")
    case .SQLITE_MISUSE, .SQLITE_ABORT, .SQLITE_INTERRUPT: self = .closed
    default:
      self = .unavailable("\(path): \(reason)")
    }
  }
}
