/// Why an access log format was refused.
public struct AccessLogFormatError: Error, Equatable, CustomStringConvertible {
  /// The JSON member that holds the mistake, such as `request.path`; nil in a text format.
  public internal(set) var field: String?
  public let reason: String

  init(_ reason: String) { self.reason = reason }

  public var description: String { (field.map { "\($0): " } ?? "") + reason }
}

/// The name in `known` that a mistyped one most likely means, or nil when none is near.
func nearest(to name: String, among known: [String]) -> String? {
  var best: (name: String, distance: Int)?
  for candidate in known {
    let distance = editDistance(Array(name.utf8.prefix(64)), Array(candidate.utf8))
    if distance < best?.distance ?? .max { best = (candidate, distance) }
  }
  guard let best, best.distance <= max(1, name.utf8.count / 3) else { return nil }
  return best.name
}

/// Levenshtein's distance.
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
  var row = Array(0...b.count)
  for (i, x) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, y) in b.enumerated() {
      let cost = min(row[j + 1] + 1, row[j] + 1, diagonal + (x == y ? 0 : 1))
      diagonal = row[j + 1]
      row[j + 1] = cost
    }
  }
  return row[b.count]
}
