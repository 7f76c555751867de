/// Finds what the user probably meant.
package enum Suggestion {
  /// The nearest of `candidates` to `word`, when it is near enough to be a slip.
  package static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
    var best: (distance: Int, candidate: String)?
    let lowered = Array(word.lowercased().utf8.prefix(maximumLength))
    for candidate in candidates.prefix(maximumConsidered) {
      let other = Array(candidate.lowercased().utf8.prefix(maximumLength))
      let allowed = max(1, min(lowered.count, other.count) / 3)
      guard abs(lowered.count - other.count) <= allowed else { continue }
      let distance = distance(lowered, other)
      if distance <= allowed, distance < best?.distance ?? .max { best = (distance, candidate) }
    }
    return best?.candidate
  }

  /// `; did you mean "near"?`, or `; use one of a, b, c`, or nothing when there is nothing to offer.
  package static func advice(for word: String, among candidates: [String], listing introduction: String) -> String {
    if let near = nearest(to: word, among: candidates) { return "; did you mean \"\(near)\"?" }
    guard !candidates.isEmpty else { return "" }
    if candidates.count > maximumListed {
      return "; \(introduction) \(candidates.prefix(maximumListed).joined(separator: ", ")), ..."
    }
    return "; \(introduction) \(candidates.joined(separator: ", "))"
  }

  private static let maximumLength = 64
  /// Thousands of names, each compared with thousands of mistaken ones, would take a while.
  private static let maximumConsidered = 500
  private static let maximumListed = 24

  /// Insertions, deletions, substitutions and swaps of neighbours.
  private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for row in 1..<(left.count + 1) {
      var current = [row]
      for column in 1..<(right.count + 1) {
        let same = left[row - 1] == right[column - 1]
        var cost = min(last[column] + 1, current[column - 1] + 1, last[column - 1] + (same ? 0 : 1))
        if row > 1, column > 1, left[row - 1] == right[column - 2], left[row - 2] == right[column - 1] {
          cost = min(cost, beforeLast[column - 2] + 1)
        }
        current.append(cost)
      }
      beforeLast = last
      last = current
    }
    return last[right.count]
  }
}
