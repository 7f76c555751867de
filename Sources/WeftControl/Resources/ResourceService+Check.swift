import WeftConfig
import WeftStore

extension ResourceService {
  /// Refuses what would make an error that is not there now.
  /// - Returns: warnings that the client should see, and what is no longer said and newly said.
  func check(
    _ planned: [ResourceResult], on everything: Everything, _ options: WriteOptions
  ) throws(ResourceProblem) -> ([ResourceFinding], gone: Set<ResourceFinding>, new: Set<ResourceFinding>) {
    if let scope = scope(of: planned, on: everything), !changesFindings(planned, documents(everything, scope)) {
      return ([], [], [])
    }
    var documents = documents(everything)
    let before: Set<ResourceFinding>
    if let known, known.revision == everything.revision ?? 0 {
      before = known.findings
    } else {
      before = validator.findings(documents)
      known = (everything.revision ?? 0, before)
    }
    apply(planned, to: &documents)
    let after = validator.findings(documents)
    let changed = Set(planned.map(\.key))
    let introduced = Self.sorted(after.filter { $0.isError && !before.contains($0) })
    if !introduced.isEmpty {
      let isDeletion = planned.allSatisfy { $0.outcome == .deleted }
      if !isDeletion { throw .invalid(introduced) }
      if !options.isForced {
        let names = planned.map(\.key.description).joined(separator: ", ")
        throw .conflict("\(names) cannot be deleted, for others need it; change them first, or use force", introduced)
      }
    }
    let warnings = after.filter { finding in
      !finding.isError && (!before.contains(finding) || finding.resource.map(changed.contains) == true)
    }
    return (
      Self.sorted(warnings) + (options.isForced ? introduced : []), before.subtracting(after), after.subtracting(before)
    )
  }

  /// Whether there is something to say about the changes, after a look at what they can concern. What exactly there is to
  /// say, and what to suggest, everything is needed for.
  private func changesFindings(
    _ planned: [ResourceResult], _ concerned: [ResourceKey: ConfigDocuments]
  ) -> Bool {
    var documents = concerned
    let before = validator.findings(documents)
    apply(planned, to: &documents)
    let after = validator.findings(documents)
    let changed = Set(planned.map(\.key))
    return after != before || after.contains { $0.resource.map(changed.contains) != false }
  }

  private func apply(_ planned: [ResourceResult], to documents: inout [ResourceKey: ConfigDocuments]) {
    for result in planned {
      documents[result.key] =
        result.outcome == .deleted ? nil : ConfigDocuments(result.document.value, source: result.key.source)
    }
  }

  /// What the changes can concern; nil: everything.
  private func scope(of planned: [ResourceResult], on everything: Everything) -> Set<ResourceKey>? {
    var changed: [(key: ResourceKey, mentions: ResourceMentions)] = []
    for result in planned {
      if result.outcome != .deleted { changed.append((result.key, ResourceMentions(result.document))) }
      if let current = everything.resources[result.key] { changed.append((result.key, current.mentions)) }
    }
    return validator.checksEverything ? nil : ChangeScope.find(changed, in: everything.resources.mapValues(\.mentions))
  }

  func documents(_ everything: Everything, _ scope: Set<ResourceKey>? = nil) -> [ResourceKey: ConfigDocuments] {
    var documents: [ResourceKey: ConfigDocuments] = [:]
    for key in scope ?? Set(everything.resources.keys) {
      guard let stored = everything.resources[key] else { continue }
      documents[key] = ConfigDocuments(stored.document.value, source: key.source)
    }
    return documents
  }

  static func sorted(_ findings: some Collection<ResourceFinding>) -> [ResourceFinding] {
    findings.sorted {
      ($0.resource?.path ?? "", $0.path, $0.message) < ($1.resource?.path ?? "", $1.path, $1.message)
    }
  }
}
