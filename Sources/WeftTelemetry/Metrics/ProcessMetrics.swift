import Glibc

/// The process' own metrics, under the names that Prometheus' client libraries share.
public enum ProcessMetrics {
  /// Registers `process_*` and `weft_build_info`.
  /// - Parameter version: Weft's version.
  /// - Throws: `MetricError` when they are registered already.
  public static func register(in registry: MetricsRegistry, version: String) throws {
    func add(_ kind: MetricKind, _ name: String, _ help: String, _ read: @escaping @Sendable () -> Double?) throws {
      let unit: MetricUnit = name.contains("_bytes") ? .bytes : name.contains("_seconds") ? .nanoseconds : .count
      try registry.collected(MetricDescriptor(kind, name: name, help: help, unit: unit)) {
        read().map { [CollectedSample(value: $0)] } ?? []
      }
    }
    try add(.counter, "process_cpu_seconds_total", "User and system CPU time spent.", cpuSeconds)
    try add(.gauge, "process_resident_memory_bytes", "Resident memory.") { memoryPages().map { Double($0.resident) } }
    try add(.gauge, "process_virtual_memory_bytes", "Virtual memory.") { memoryPages().map { Double($0.total) } }
    try add(.gauge, "process_open_fds", "Open file descriptors.", openDescriptors)
    try add(.gauge, "process_max_fds", "Limit of open file descriptors.", maxDescriptors)
    let start = startTime()
    try add(.gauge, "process_start_time_seconds", "Start of the process, in seconds since the Unix epoch.") { start }
    try registry.collected(
      MetricDescriptor(.gauge, name: "weft_build_info", help: "1, labelled with the version.", labels: ["version"])
    ) { [CollectedSample(labels: [version], value: 1)] }
  }

  private static func cpuSeconds() -> Double? {
    var time = timespec()
    guard clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return nil }
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private static func memoryPages() -> (total: UInt64, resident: UInt64)? {
    guard let text = readFile("/proc/self/statm") else { return nil }
    let fields = text.split(separator: " ")
    let pageSize = sysconf(Int32(_SC_PAGESIZE))
    guard fields.count > 1, pageSize > 0, let total = UInt64(fields[0]), let resident = UInt64(fields[1]) else {
      return nil
    }
    return (total &* UInt64(pageSize), resident &* UInt64(pageSize))
  }

  private static func openDescriptors() -> Double? {
    guard let directory = opendir("/proc/self/fd") else { return nil }
    defer { closedir(directory) }
    var count = 0
    while readdir(directory) != nil { count += 1 }
    // Without `.`, `..` and the descriptor that reads the folder.
    return Double(max(count - 3, 0))
  }

  private static func maxDescriptors() -> Double? {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
    return limit.rlim_cur == .max ? .infinity : Double(limit.rlim_cur)
  }

  /// Boot time and the ticks from there to the start, proc(5).
  private static func startTime() -> Double? {
    guard let stat = readFile("/proc/self/stat"), let system = readFile("/proc/stat") else { return nil }
    // The command's name, in parentheses, may hold anything; the fields behind it start with the third.
    guard let end = stat.lastIndex(of: ")") else { return nil }
    let fields = stat[stat.index(after: end)...].split(separator: " ")
    let boot = system.split(separator: "\n").first { $0.hasPrefix("btime ") }?.split(separator: " ").last
    let ticksPerSecond = sysconf(Int32(_SC_CLK_TCK))
    guard fields.count > 19, let ticks = Double(fields[19]), let boot, let boot = Double(boot), ticksPerSecond > 0
    else { return nil }
    return boot + ticks / Double(ticksPerSecond)
  }

  private static func readFile(_ path: String) -> String? {
    let fd = open(path, O_RDONLY | O_CLOEXEC)
    if fd < 0 { return nil }
    defer { close(fd) }
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16384)
    while text.count < 1 << 20 {
      let n = read(fd, &buffer, buffer.count)
      if n < 0 && errno == EINTR { continue }
      if n < 0 { return nil }
      if n == 0 { break }
      text.append(contentsOf: buffer[..<n])
    }
    return String(decoding: text, as: UTF8.self)
  }
}
