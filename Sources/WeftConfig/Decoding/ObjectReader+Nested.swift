extension ObjectReader {
  // MARK: Objects

  /// The reader of an object that must be given. When it is missing or no object, that is reported, and every read from
  /// the reader gives a placeholder. `finish()` of this reader covers it.
  public func object(_ name: String) -> ObjectReader {
    if let reader = optionalObject(name) { return reader }
    if value(name) == nil { missing(name) }
    return child(.empty(at: node.location, path: node.path.appending(name)), isMuted: true)
  }

  /// The reader of an object that may be absent. `finish()` of this reader covers it.
  public func optionalObject(_ name: String) -> ObjectReader? {
    guard let node = value(name, hasFields: true) else { return nil }
    return readable(node) ? child(node) : nil
  }

  /// What `body` makes of an object that may be absent.
  public func optionalObject<T>(_ name: String, _ body: (ObjectReader) throws -> T) -> T? {
    guard let reader = optionalObject(name) else { return nil }
    return reader.attempt(body)
  }

  // MARK: Lists

  /// The elements of a list as `element` decodes each; those for which it throws are reported and left out. An absent
  /// list is empty, and reported when `count` does not allow that.
  public func list<T>(
    _ name: String, count: ClosedRange<Int> = 0...Int.max, _ element: (ConfigNode) throws -> T
  ) -> [T] {
    items(name, count: count, hasFields: false).compactMap { item in capture(at: item) { try element(item) } }
  }

  /// The same for a list of objects, each with a reader that `finish()` of this reader covers.
  public func objects<T>(
    _ name: String, count: ClosedRange<Int> = 0...Int.max, _ element: (ObjectReader) throws -> T
  ) -> [T] {
    items(name, count: count, hasFields: true).compactMap { item in
      guard readable(item) else { return nil }
      return child(item).attempt(element)
    }
  }

  /// A list of strings that each satisfy every rule.
  public func strings(_ name: String, count: ClosedRange<Int> = 0...Int.max, _ rules: StringRule...) -> [String] {
    list(name, count: count) { try $0.string(rules) }
  }

  private func items(_ name: String, count: ClosedRange<Int>, hasFields: Bool) -> [ConfigNode] {
    guard let node = value(name, hasFields: hasFields) else {
      if count.lowerBound > 0 { missing(name) }
      return []
    }
    guard node.kind == .sequence else {
      let hint = node.kind == .mapping ? "; begin each element with \"- \"" : ""
      error(name, "expected a list, not \(node.shown)\(hint)")
      return []
    }
    let items = node.items
    if items.count < count.lowerBound {
      error(name, "needs at least \(count.lowerBound) element\(count.lowerBound == 1 ? "" : "s")")
    }
    if items.count > count.upperBound {
      error(name, "has \(items.count) elements; at most \(count.upperBound) are allowed")
    }
    return items
  }

  // MARK: Maps

  /// The fields of a mapping whose names the user chooses, in the order written. Absent: empty.
  public func map<T>(_ name: String, _ element: (_ key: String, _ value: ConfigNode) throws -> T) -> [T] {
    guard let node = value(name) else { return [] }
    guard node.kind == .mapping else {
      error(name, "expected an object with fields, not \(node.shown)")
      return []
    }
    return node.entries.compactMap { entry in capture(at: entry.value) { try element(entry.key, entry.value) } }
  }

  /// A mapping from names that the user chooses to strings. Absent: empty.
  public func stringMap(_ name: String, _ rules: StringRule...) -> [String: String] {
    let pairs = map(name) { key, value in (key, try value.string(rules)) }
    return Dictionary(pairs) { first, _ in first }
  }

  private func readable(_ node: ConfigNode) -> Bool {
    if node.kind == .mapping || node.kind == .null { return true }
    if !isMuted { findings.diagnostics.append(node.error("expected an object with fields, not \(node.shown)")) }
    return false
  }
}
