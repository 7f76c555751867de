extension ConfigNode {
  /// How to name this node in a message: `the string "a"`, `the number 5`, `a list`.
  var shown: String {
    switch tree.content {
    case .null: "nothing"
    case .bool(let value): "the boolean \(value)"
    case .integer(let text), .float(let text): "the number \(text.prefix(40))"
    case .string(let text): "the string \(JSONText.quote(String(text.prefix(80))))"
    case .sequence: "a list"
    case .mapping: "an object"
    }
  }

  /// A string that satisfies every rule.
  public func string(_ rules: StringRule...) throws(Diagnostic) -> String { try string(rules) }

  func string(_ rules: [StringRule]) throws(Diagnostic) -> String {
    guard case .string(let text) = tree.content else {
      switch tree.content {
      case .bool(let value): throw error("expected a string, not \(shown); write \"\(value)\" in quotes")
      case .integer(let text), .float(let text):
        throw error("expected a string, not \(shown); write \"\(text.prefix(40))\" in quotes")
      default: throw error("expected a string, not \(shown)")
      }
    }
    for rule in rules {
      if let problem = rule.problem(text) { throw error(problem) }
    }
    return text
  }

  /// A whole number in `range`.
  public func int(in range: ClosedRange<Int> = Int.min...Int.max) throws(Diagnostic) -> Int {
    guard case .integer(let text) = tree.content else {
      let bounds = range == Int.min...Int.max ? "" : " from \(range.lowerBound) to \(range.upperBound)"
      if case .string(let text) = tree.content, case .integer = ScalarSyntax.resolve(text) {
        throw error("expected a whole number\(bounds), not \(shown); write it without quotes")
      }
      throw error("expected a whole number\(bounds), not \(shown)")
    }
    guard let value = ScalarSyntax.integer(text), range.contains(value) else {
      throw error("\(text.prefix(40)) is out of range; allowed are \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// A number in `range`, with or without a fraction.
  public func double(
    in range: ClosedRange<Double> = -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude
  ) throws(Diagnostic) -> Double {
    guard let value = doubleValue else { throw error("expected a number such as 0.5, not \(shown)") }
    guard range.contains(value) else {
      throw error("\(value) is out of range; allowed are \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// `true` or `false`.
  public func bool() throws(Diagnostic) -> Bool {
    guard case .bool(let value) = tree.content else {
      throw error("expected true or false, not \(shown)")
    }
    return value
  }

  /// A duration in the Gateway API's format (GEP-2257), in `range`.
  public func duration(
    in range: ClosedRange<ConfigDuration> = ConfigDuration.zero...ConfigDuration.max
  ) throws(Diagnostic) -> ConfigDuration {
    guard case .string(let text) = tree.content, let value = ConfigDuration(text) else {
      if case .integer(let text) = tree.content {
        throw error("expected a duration, not \(shown); add a unit, such as \(text.prefix(40))s")
      }
      throw error(
        "expected a duration such as 10s, 500ms or 1h30m, not \(shown): up to four whole numbers, each with h, m, s or ms"
      )
    }
    guard range.contains(value) else {
      throw error("\(text) is out of range; allowed are \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// A number of bytes in `range`, with or without a unit.
  public func bytes(in range: ClosedRange<Int> = 0...Int.max) throws(Diagnostic) -> Int {
    let text: String
    switch tree.content {
    case .integer(let digits): text = digits
    case .string(let string): text = string
    default: throw error("expected a size such as 65536, 64KiB or 1MB, not \(shown)")
    }
    guard let value = ByteCount.parse(text) else {
      throw error("expected a size such as 65536, 64KiB or 1MB, not \(shown)")
    }
    guard range.contains(value) else {
      let (lower, upper) = (ByteCount.text(range.lowerBound), ByteCount.text(range.upperBound))
      throw error("\(text) is out of range; allowed are \(lower) to \(upper)")
    }
    return value
  }

  /// One of the values that `type` lists.
  public func enumeration<E: RawRepresentable & CaseIterable>(
    _ type: E.Type = E.self
  ) throws(Diagnostic) -> E where E.RawValue == String {
    let names = type.allCases.map(\.rawValue)
    guard case .string(let text) = tree.content else {
      throw error("expected one of \(names.joined(separator: ", ")), not \(shown)")
    }
    guard let value = E(rawValue: text) else {
      let advice = Suggestion.advice(for: text, among: names, listing: "use one of")
      throw error("unknown value \(JSONText.quote(String(text.prefix(80))))\(advice)")
    }
    return value
  }
}
