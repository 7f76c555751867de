import CLinux

/// One series: its labels, and its cells in each shard that uses it.
struct SeriesState: Sendable {
  let labels: [String]
  /// `name="value",...`, escaped for the exposition.
  let labelText: [UInt8]
  /// By shard.
  var cells: [Cells?] = []
  /// Leases that use the series.
  var leases = 0
  /// Resolved without a lease: stays for the process' life.
  var pinned = false
}

/// One family with its series. Slots keep their number while their series lives.
struct FamilyState: Sendable {
  let descriptor: MetricDescriptor
  let layout: HistogramLayout?
  var series: [SeriesState?] = []
  var freeSlots: [Int] = []
  var index: [[String]: Int] = [:]
  /// Series that count against the bound.
  var bounded = 0
  /// Times that a label set had to share the overflow series.
  var overflowed: UInt64 = 0

  var cellCount: Int { layout?.cellCount ?? 1 }
}

struct SeriesReference: Hashable, Sendable {
  let family: Int
  let slot: Int
}

struct ShardState: Sendable {
  var arena = CellArena()
  var inUse = true
}

/// What the registry's lock guards. Families are value types: a scrape copies them in one step and reads the cells after
/// the lock is free again.
struct RegistryState: Sendable {
  var families: [FamilyState] = []
  var byName: [String: Int] = [:]
  var collected: [CollectedFamily] = []
  var shards: [ShardState] = []
  var leases: [UInt64: Set<SeriesReference>] = [:]
  var nextLease: UInt64 = 0
  /// Scrapes under way, and cells that wait until none is: else a scrape would print a new series' count as an old one's.
  var readers = 0
  var quarantine: [(shard: Int, cells: Cells, count: Int)] = []

  /// The cells of a series in one shard, made when they do not exist yet.
  mutating func resolve(family f: Int, shard: Int, labels: [String], lease: UInt64?) -> Cells {
    precondition(
      labels.count == families[f].descriptor.labelNames.count,
      "metric \(families[f].descriptor.name) has labels \(families[f].descriptor.labelNames)")
    let slot = slot(family: f, labels: labels)
    if let lease {
      retain(SeriesReference(family: f, slot: slot), by: lease)
    } else {
      families[f].series[slot]?.pinned = true
    }
    if let series = families[f].series[slot], shard < series.cells.count, let cells = series.cells[shard] {
      return cells
    }
    let cells = shards[shard].arena.take(families[f].cellCount)
    let missing = shard + 1 - (families[f].series[slot]?.cells.count ?? 0)
    if missing > 0 { families[f].series[slot]?.cells.append(contentsOf: repeatElement(nil, count: missing)) }
    families[f].series[slot]?.cells[shard] = cells
    return cells
  }

  private mutating func slot(family f: Int, labels: [String]) -> Int {
    if let slot = families[f].index[labels] { return slot }
    let overflow = Array(repeating: MetricDescriptor.overflowLabel, count: labels.count)
    var labels = labels
    var pinned = false
    if labels == overflow && !labels.isEmpty {
      pinned = true
    } else if families[f].bounded >= families[f].descriptor.maxSeries {
      families[f].overflowed &+= 1
      if let slot = families[f].index[overflow] { return slot }
      labels = overflow
      pinned = true
    } else {
      families[f].bounded += 1
    }
    var series = SeriesState(
      labels: labels, labelText: PrometheusText.labels(families[f].descriptor.labelNames, labels))
    series.pinned = pinned
    let slot: Int
    if let free = families[f].freeSlots.popLast() {
      slot = free
      families[f].series[slot] = series
    } else {
      slot = families[f].series.count
      families[f].series.append(series)
    }
    families[f].index[labels] = slot
    return slot
  }

  mutating func retain(_ reference: SeriesReference, by lease: UInt64) {
    guard leases[lease, default: []].insert(reference).inserted else { return }
    families[reference.family].series[reference.slot]?.leases += 1
  }

  /// Ends a lease; series that nobody else uses are dropped.
  mutating func release(_ lease: UInt64) {
    for reference in leases.removeValue(forKey: lease) ?? [] {
      families[reference.family].series[reference.slot]?.leases -= 1
      guard let series = families[reference.family].series[reference.slot], series.leases == 0, !series.pinned
      else { continue }
      families[reference.family].series[reference.slot] = nil
      families[reference.family].freeSlots.append(reference.slot)
      families[reference.family].index[series.labels] = nil
      families[reference.family].bounded -= 1
      for (shard, cells) in series.cells.enumerated() {
        if let cells { quarantine.append((shard, cells, families[reference.family].cellCount)) }
      }
    }
    emptyQuarantine()
  }

  mutating func emptyQuarantine() {
    if readers > 0 { return }
    for (shard, cells, count) in quarantine { shards[shard].arena.give(cells, count) }
    quarantine.removeAll()
  }

  /// A place for a new shard: one whose thread has ended is used again, with its counts, so that sums never fall.
  mutating func openShard() -> Int {
    if let idle = shards.firstIndex(where: { !$0.inUse }) {
      shards[idle].inUse = true
      return idle
    }
    shards.append(ShardState())
    return shards.count - 1
  }

  /// A thread has ended: what it measured as a level is gone, what it counted stays.
  mutating func closeShard(_ shard: Int) {
    shards[shard].inUse = false
    for family in families where family.descriptor.kind == .gauge {
      for series in family.series {
        guard let series, shard < series.cells.count, let cells = series.cells[shard] else { continue }
        cl_store(cells.base, 0)
      }
    }
  }
}
