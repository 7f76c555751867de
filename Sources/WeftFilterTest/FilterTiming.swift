import WeftConfig
import WeftFilter
import WeftIO
import WeftLua

/// What calls of a bundle's functions cost.
///
/// The filter stands in a chain of its own between two looks at the thread's counters; what a look itself costs is
/// measured first and taken off. Requests run in batches; each number is the median over batches, so that what else the
/// machine does moves it little. Memory is counted in batches of their own, in which nothing is collected.
public struct FilterTiming {
  /// One function of the bundle.
  public struct Row: Sendable {
    public let function: String
    /// Calls that were timed.
    public let calls: Int
    /// Nanoseconds of processor time of one call, everything included that it caused: the middle of all batches, and the
    /// tenth and ninetieth of a hundred.
    public let median: Double
    public let low: Double
    public let high: Double
    /// Bytes of Lua objects that one call makes, and the blocks of memory that it takes for them.
    public let bytes: Double
    public let allocations: Double
    /// User instructions of one call; nil where the system does not count them for us.
    public let instructions: Double?
  }

  public let rows: [Row]
  /// The request that was measured did not do what one in a proxy would: the filter failed, for this reason.
  public let error: String?

  /// Measures for about so many seconds.
  /// - Throws: `ConfigError` for a bundle, settings or messages that are not right.
  public init(_ folder: String, _ input: FilterTrial.Input, seconds: Double) throws {
    // A trial shows whether the filter works at all, and what it needs answered.
    error = try FilterTrial(folder, input).error
    let subject = try Subject(try TestFolder(folder), input)
    let meter = Meter()
    subject.timed.meter = meter
    // Caches, the allocator and the branch predictor settle.
    let deadline = ThreadTime.nanoseconds() + UInt64(seconds * 0.2e9)
    var size = 0
    while ThreadTime.nanoseconds() < deadline {
      try subject.run(count: 16)
      size += 16
    }
    // A batch of a few milliseconds: long against the clock's grain, short against the machine's moods.
    let batch = max(min(Int(Double(size) / (seconds * 0.2) * 0.004), 4096), 16)
    var samples: [TimedFilter.Function: [Sample]] = [:]
    var calls: [TimedFilter.Function: Int] = [:]
    let end = ThreadTime.nanoseconds() + UInt64(seconds * 0.7e9)
    while ThreadTime.nanoseconds() < end || samples.values.allSatisfy({ $0.count < 3 }) {
      subject.timed.clear()
      try subject.run(count: batch)
      for (function, sum) in subject.timed.sums where sum.exchanges > 0 {
        samples[function, default: []].append(meter.sample(sum))
        calls[function, default: 0] += sum.exchanges
      }
      if samples.isEmpty { break }
    }
    let memory = try subject.memory()
    rows = TimedFilter.Function.allCases.compactMap { function in
      guard let taken = samples[function], let count = calls[function] else { return nil }
      let times = taken.map(\.nanoseconds).sorted()
      let counted = taken.compactMap(\.instructions).sorted()
      return Row(
        function: function.rawValue, calls: count, median: times[times.count / 2], low: times[times.count / 10],
        high: times[times.count * 9 / 10], bytes: memory[function]?.bytes ?? 0,
        allocations: memory[function]?.allocations ?? 0,
        instructions: counted.isEmpty ? nil : counted[counted.count / 2])
    }
  }

  /// Of one batch, for one exchange.
  struct Sample {
    let nanoseconds: Double
    let instructions: Double?
  }

  /// The bundle in a chain, and the request that goes through it again and again.
  private final class Subject {
    private let world: TestWorld
    private let input: FilterTrial.Input
    private let request: LuaValue
    let timed: TimedFilter

    init(_ folder: TestFolder, _ input: FilterTrial.Input) throws {
      world = TestWorld(folder, coverage: nil, cpu: .max)
      self.input = input
      var fields = input.request
      if fields["method"].isNone { fields["method"] = .text("GET") }
      if fields["path"].isNone { fields["path"] = .text("/") }
      request = .table(fields.fields)
      var timed: TimedFilter?
      let options: LuaValue = .table(input.settings.map { [("settings", LuaValue($0))] } ?? [])
      try world.configure(options) { inner in
        let made = TimedFilter(inner)
        timed = made
        return made
      }
      guard let timed else { throw TestWorld.Mistake("there is no filter to measure") }
      self.timed = timed
    }

    func run(count: Int) throws {
      for _ in 0..<count {
        _ = try world.play(world.begin(request), input)
      }
      world.forget()
    }

    /// What one call takes of Lua's memory, by function.
    func memory() throws -> [TimedFilter.Function: (bytes: Double, allocations: Double)] {
      guard let state = timed.luaMemory else { return [:] }
      var bytes: [TimedFilter.Function: [Double]] = [:]
      var allocations: [TimedFilter.Function: [Double]] = [:]
      for _ in 0..<5 {
        timed.clear()
        state.stopCollecting()
        timed.countsMemory = true
        try run(count: 20)
        timed.countsMemory = false
        state.collect()
        for (function, sum) in timed.sums where sum.exchanges > 0 {
          bytes[function, default: []].append(Double(sum.bytes) / Double(sum.exchanges))
          allocations[function, default: []].append(Double(sum.allocations) / Double(sum.exchanges))
        }
      }
      return Dictionary(
        uniqueKeysWithValues: bytes.map { function, values in
          let counts = (allocations[function] ?? [0]).sorted()
          return (function, (values.sorted()[values.count / 2], counts[counts.count / 2]))
        })
    }
  }

  // MARK: Text

  /// A table.
  public func text(usesColor: Bool) -> String {
    let style = TextStyle(usesColor: usesColor)
    var lines = [["function", "calls", "µs", "p10", "p90", "Lua bytes", "allocations", "instructions"]]
    for row in rows {
      lines.append([
        row.function, "\(row.calls)", Self.microseconds(row.median), Self.microseconds(row.low),
        Self.microseconds(row.high), "\(Int(row.bytes.rounded()))", "\(Int(row.allocations.rounded()))",
        row.instructions.map { "\(Int($0.rounded()))" } ?? "-",
      ])
    }
    let widths = lines[0].indices.map { i in lines.map { $0[i].count }.max() ?? 0 }
    let text = lines.map { cells in
      cells.enumerated().map { i, cell in
        let space = String(repeating: " ", count: widths[i] - cell.count)
        return i == 0 ? cell + space : space + cell
      }.joined(separator: "  ")
    }
    let heading = style.bold(text[0])
    let failure = error.map { style.red("the filter failed") + "\n  \(VisibleText.of($0))\n" } ?? ""
    if rows.isEmpty { return failure + "the request reaches no function of the bundle\n" }
    return ([heading] + text.dropFirst()).map { $0 + "\n" }.joined() + failure
  }

  /// One JSON object.
  public var json: String {
    let items = rows.map { row in
      """
      {"function":"\(row.function)","calls":\(row.calls),"nanoseconds":\(row.median),"p10":\(row.low),\
      "p90":\(row.high),"bytes":\(row.bytes),"allocations":\(row.allocations),"instructions":\(row.instructions.map { "\($0)" } ?? "null")}
      """
    }
    return "{\"functions\":[\(items.joined(separator: ","))],\"error\":\(error.map(JSONText.quote) ?? "null")}\n"
  }

  private static func microseconds(_ nanoseconds: Double) -> String {
    let hundredths = Int((nanoseconds / 10).rounded())
    let fraction = hundredths % 100
    return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
  }
}
