import WeftConfig

/// What a script may use up. A call that goes beyond a limit fails its own exchange, nothing else.
public struct BundleLimits: Sendable, Hashable {
  /// Bytes of one Lua state, which a worker shares among all routes that use the bundle.
  public var memory = 16 << 20
  /// Processor time of one call into the script, waits not counted.
  public var cpu = ConfigDuration.milliseconds(20)
  /// Bytes of a body that `body()` collects.
  public var body = 1 << 20
  /// Log lines a second, on each worker.
  public var logLines = 100

  public init() {}

  /// Decodes `limits`; what is not given keeps the value of `defaults`.
  public init(_ node: ConfigNode, defaults: BundleLimits = BundleLimits()) throws {
    self = try ObjectReader.decode(node) { reader in
      var limits = defaults
      limits.memory = reader.bytes("memory", in: 256 << 10...1 << 30, default: defaults.memory)
      limits.cpu = reader.duration("cpu", in: .milliseconds(1) ... .seconds(10), default: defaults.cpu)
      limits.body = reader.bytes("body", in: 1...16 << 20, default: defaults.body)
      limits.logLines = reader.int("logLines", in: 0...1_000_000, default: defaults.logLines)
      return limits
    }
  }
}
