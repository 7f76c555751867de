import Logging
import WeftIO

/// The addresses of endpoints that are given by name, looked up again when their time to live is over.
final class NameTable {
  private let loop: EventLoop
  private let resolver: Resolver
  private let log: Logger
  private let onChange: ([String: [IPAddress]]) -> Void
  private var wanted: Set<String> = []
  private var pending: Set<String> = []
  private(set) var addresses: [String: [IPAddress]] = [:]
  private var failures: [String: Int] = [:]

  /// Seconds between two look-ups of a name, whatever its time to live.
  private static let refresh: ClosedRange<UInt64> = 1...300
  /// Seconds to the next try after a failure, doubling up to the bound above.
  private static let retry: UInt64 = 1

  init(loop: EventLoop, log: Logger, onChange: @escaping ([String: [IPAddress]]) -> Void) throws {
    self.loop = loop
    self.log = log
    self.onChange = onChange
    resolver = try Resolver()
    try loop.host(resolver)
  }

  /// Names that the present configuration mentions; others are forgotten.
  func want(_ names: Set<String>) {
    wanted = names
    addresses = addresses.filter { names.contains($0.key) }
    failures = failures.filter { names.contains($0.key) }
    for name in names where addresses[name] == nil { lookUp(name) }
  }

  /// Whether every name has been looked up at least once.
  var isComplete: Bool { wanted.allSatisfy { addresses[$0] != nil || failures[$0] != nil } }

  private func lookUp(_ name: String) {
    if pending.contains(name) || !wanted.contains(name) { return }
    pending.insert(name)
    _ = resolver.resolve(name) { [weak self] result in self?.answered(name, result) }
  }

  private func answered(_ name: String, _ result: Result<Resolution, ResolveError>) {
    pending.remove(name)
    if !wanted.contains(name) { return }
    switch result {
    case .success(let resolution):
      failures[name] = nil
      let sorted = resolution.addresses.sorted { $0.description < $1.description }
      if addresses[name] != sorted {
        addresses[name] = sorted
        log.info("\(name) resolves to \(sorted.map(\.description).joined(separator: ", "))")
        onChange(addresses)
      }
      again(name, min(max(UInt64(resolution.ttl), Self.refresh.lowerBound), Self.refresh.upperBound))
    case .failure(let error):
      // What was known stays in use: an address that still answers beats none.
      let count = failures[name, default: 0]
      failures[name] = count + 1
      if count == 0 { log.warning("cannot resolve \(name): \(error)") }
      again(name, min(Self.retry << UInt64(min(count, 8)), 30))
    }
  }

  private func again(_ name: String, _ seconds: UInt64) {
    loop.after(seconds * 1_000) { [weak self] in self?.lookUp(name) }
  }
}
