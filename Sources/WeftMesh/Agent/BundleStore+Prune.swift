import Foundation

/// What of the archives stays: the folder is as large as what runs or may run again at once.
extension BundleStore {
  /// Versions of each FilterBundle that are kept besides what it names, for going back without the control plane.
  static let earlierKept = 3

  /// Deletes archives that nothing needs: neither what is in force, nor either version of a rollout, nor the last ones
  /// before, nor what is being fetched. Files of other kinds are left alone.
  /// - Parameters:
  ///   - bundles: in force.
  ///   - held: what the control plane sent last, which may not be in force yet.
  func prune(_ bundles: [HeldResource], _ held: [HeldResource]) {
    let needed = Set((bundles + held).flatMap(Self.wants).map(\.digest))
    let kept = state.withLock { state -> Set<String>? in
      var kept = needed.union(state.last.values).union(state.earlier.values.joined())
      // Its files may be half written.
      kept.formUnion(state.underway.map(\.digest))
      if kept == state.kept { return nil }
      state.kept = kept
      state.places = state.places.filter { kept.contains($0.key) }
      state.trusts = state.trusts.filter { kept.contains($0.key) }
      state.services = state.services.filter { kept.contains($0.key) }
      state.failed = state.failed.filter { kept.contains($0.digest) }
      state.problems = state.problems.filter { kept.contains($0.key.digest) }
      return kept
    }
    guard let kept else { return }
    let place = "\(folder)/bundles"
    for name in (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? [] {
      guard let digest = Self.digest(ofFile: name), !kept.contains(digest) else { continue }
      // A folder that somebody has put there stays, and so does what cannot be deleted: it is tried at the next change.
      unlink("\(place)/\(name)")
    }
  }

  /// Of an archive, its signatures, or what is left of writing either.
  static func digest(ofFile name: String) -> String? {
    guard let dot = name.firstIndex(of: "."),
      [".weft", ".weft.sig", ".weft.new", ".weft.sig.new"].contains(name[dot...])
    else { return nil }
    let digest = "sha256:\(name[..<dot])"
    return SHA256DigestText.isValid(digest) ? digest : nil
  }
}
