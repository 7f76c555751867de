extension ObjectReader {
  // MARK: Any value

  /// The field as `convert` decodes it; what it throws is reported. Nil when the field is absent or wrong.
  public func optional<T>(_ name: String, _ convert: (ConfigNode) throws -> T) -> T? {
    guard let node = value(name) else { return nil }
    return capture(at: node) { try convert(node) }
  }

  /// The field as `convert` decodes it, reported when absent; `placeholder` when it is absent or wrong.
  public func required<T>(_ name: String, placeholder: T, _ convert: (ConfigNode) throws -> T) -> T {
    guard let node = value(name) else {
      missing(name)
      return placeholder
    }
    return capture(at: node) { try convert(node) } ?? placeholder
  }

  // MARK: Strings

  /// A string that must be given and satisfy every rule.
  public func string(_ name: String, _ rules: StringRule...) -> String {
    required(name, placeholder: "") { try $0.string(rules) }
  }

  public func string(_ name: String, _ rules: StringRule..., default: String) -> String {
    optional(name) { try $0.string(rules) } ?? `default`
  }

  public func optionalString(_ name: String, _ rules: StringRule...) -> String? {
    optional(name) { try $0.string(rules) }
  }

  /// One of the values of `E` that must be given.
  public func enumeration<E: RawRepresentable & CaseIterable>(
    _ name: String, _ type: E.Type = E.self
  ) -> E where E.RawValue == String {
    guard let placeholder = E.allCases.first else { preconditionFailure("\(E.self) has no values") }
    return required(name, placeholder: placeholder) { try $0.enumeration(type) }
  }

  public func enumeration<E: RawRepresentable & CaseIterable>(
    _ name: String, default: E
  ) -> E where E.RawValue == String {
    optional(name) { try $0.enumeration(E.self) } ?? `default`
  }

  public func optionalEnumeration<E: RawRepresentable & CaseIterable>(
    _ name: String, _ type: E.Type = E.self
  ) -> E? where E.RawValue == String {
    optional(name) { try $0.enumeration(type) }
  }

  // MARK: Numbers and booleans

  /// A whole number that must be given; `range.lowerBound` when it is wrong.
  public func int(_ name: String, in range: ClosedRange<Int> = Int.min...Int.max) -> Int {
    required(name, placeholder: range.lowerBound) { try $0.int(in: range) }
  }

  public func int(_ name: String, in range: ClosedRange<Int> = Int.min...Int.max, default: Int) -> Int {
    optional(name) { try $0.int(in: range) } ?? `default`
  }

  public func optionalInt(_ name: String, in range: ClosedRange<Int> = Int.min...Int.max) -> Int? {
    optional(name) { try $0.int(in: range) }
  }

  /// A number that must be given; `range.lowerBound` when it is wrong.
  public func double(_ name: String, in range: ClosedRange<Double>) -> Double {
    required(name, placeholder: range.lowerBound) { try $0.double(in: range) }
  }

  public func double(_ name: String, in range: ClosedRange<Double>, default: Double) -> Double {
    optional(name) { try $0.double(in: range) } ?? `default`
  }

  public func optionalDouble(_ name: String, in range: ClosedRange<Double>) -> Double? {
    optional(name) { try $0.double(in: range) }
  }

  /// `true` or `false` that must be given.
  public func bool(_ name: String) -> Bool {
    required(name, placeholder: false) { try $0.bool() }
  }

  public func bool(_ name: String, default: Bool) -> Bool {
    optional(name) { try $0.bool() } ?? `default`
  }

  public func optionalBool(_ name: String) -> Bool? {
    optional(name) { try $0.bool() }
  }

  // MARK: Durations and sizes

  /// A duration (GEP-2257) that must be given; `range.lowerBound` when it is wrong.
  public func duration(
    _ name: String, in range: ClosedRange<ConfigDuration> = ConfigDuration.zero...ConfigDuration.max
  ) -> ConfigDuration {
    required(name, placeholder: range.lowerBound) { try $0.duration(in: range) }
  }

  public func duration(
    _ name: String, in range: ClosedRange<ConfigDuration> = ConfigDuration.zero...ConfigDuration.max,
    default: ConfigDuration
  ) -> ConfigDuration {
    optional(name) { try $0.duration(in: range) } ?? `default`
  }

  public func optionalDuration(
    _ name: String, in range: ClosedRange<ConfigDuration> = ConfigDuration.zero...ConfigDuration.max
  ) -> ConfigDuration? {
    optional(name) { try $0.duration(in: range) }
  }

  /// A number of bytes (`65536`, `64KiB`, `1MB`) that must be given; `range.lowerBound` when it is wrong.
  public func bytes(_ name: String, in range: ClosedRange<Int> = 0...Int.max) -> Int {
    required(name, placeholder: range.lowerBound) { try $0.bytes(in: range) }
  }

  public func bytes(_ name: String, in range: ClosedRange<Int> = 0...Int.max, default: Int) -> Int {
    optional(name) { try $0.bytes(in: range) } ?? `default`
  }

  public func optionalBytes(_ name: String, in range: ClosedRange<Int> = 0...Int.max) -> Int? {
    optional(name) { try $0.bytes(in: range) }
  }
}
