/// What filters do at present: the last minute, for people to read.
public struct FilterTraffic: Sendable, Codable, Hashable {
  /// NAMESPACE/NAME of the Filter.
  public var filter: String
  /// Of a Lua filter: NAMESPACE/NAME of the FilterBundle, or the name of a bundle or script, and its digest.
  public var bundle: String
  public var digest: String
  /// Calls into the script.
  public var callsPerSecond = 0.0
  /// Microseconds of processor time that a call takes on average; nil: none was timed.
  public var callTime: Double?
  public var errors: UInt64 = 0
  /// Requests that it answered itself.
  public var answered: UInt64 = 0

  /// Sums, while they are made.
  private struct Sums {
    var errors: UInt64 = 0
    var answered: UInt64 = 0
    var versions: [TelemetryAggregator.Filter: TelemetryAggregator.FilterCounts] = [:]
  }

  /// In the order of names. Where two versions run side by side, errors are those of each; else all of the filter.
  static func all(_ snapshot: TelemetryAggregator.Snapshot) -> [FilterTraffic] {
    var filters: [String: Sums] = [:]
    for figures in snapshot.filters {
      var version = figures.filter
      let counts = figures.lastMinute
      if version.digest.isEmpty {
        filters[version.filter, default: Sums()].errors &+= counts.errors
        filters[version.filter, default: Sums()].answered &+= counts.denied
        continue
      }
      version.variant = ""
      filters[version.filter, default: Sums()].versions[version, default: .init()].add(counts)
    }
    return filters.sorted { $0.key < $1.key }.flatMap { name, sums in
      rows(name, sums, seconds: snapshot.seconds)
    }
  }

  private static func rows(_ name: String, _ sums: Sums, seconds: Double) -> [FilterTraffic] {
    let versions = sums.versions.filter { $0.value.scriptCalls > 0 || $0.value.timedCalls > 0 || $0.value.errors > 0 }
    var rows = versions.sorted { ($0.key.bundle, $0.key.digest) < ($1.key.bundle, $1.key.digest) }.map {
      version, counts in
      FilterTraffic(
        filter: name, bundle: version.bundle, digest: version.digest,
        callsPerSecond: Double(counts.scriptCalls) / seconds,
        callTime: counts.timedCalls > 0 ? Double(counts.timedNanoseconds) / Double(counts.timedCalls) / 1e3 : nil,
        errors: counts.errors)
    }
    if rows.isEmpty, sums.errors > 0 || sums.answered > 0 {
      rows.append(FilterTraffic(filter: name, bundle: "", digest: ""))
    }
    if rows.count == 1 { rows[0].errors = sums.errors }
    if !rows.isEmpty { rows[0].answered = sums.answered }
    return rows
  }
}
