/// Values by name, in little memory: a list while there are few names, as there are for most types that a proxy subscribes
/// to, and a dictionary beyond. With thousands of proxies, the empty places of small dictionaries are what costs.
struct NameTable<Value> {
  /// Names up to which a list is searched.
  static var most: Int { 24 }

  private var few: [(name: String, value: Value)] = []
  private var many: [String: Value] = [:]

  var count: Int { few.count + many.count }
  var isEmpty: Bool { few.isEmpty && many.isEmpty }
  /// In no order.
  var names: [String] { few.map(\.name) + many.keys }

  func contains(_ name: String) -> Bool { many.isEmpty ? place(name) != nil : many[name] != nil }

  subscript(name: String) -> Value? {
    get { many.isEmpty ? place(name).map { few[$0].value } : many[name] }
    set {
      guard let newValue else {
        remove(name)
        return
      }
      if !many.isEmpty {
        many[name] = newValue
      } else if let place = place(name) {
        few[place].value = newValue
      } else if few.count < Self.most {
        few.append((name, newValue))
      } else {
        many = Dictionary(few.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
        many[name] = newValue
        few = []
      }
    }
  }

  /// - Returns: what it was, nil when it was not there.
  @discardableResult
  mutating func remove(_ name: String) -> Value? {
    if !many.isEmpty { return many.removeValue(forKey: name) }
    // The order does not count.
    guard let place = place(name) else { return nil }
    few.swapAt(place, few.count - 1)
    return few.removeLast().value
  }

  /// So many names come: no more places than that are made.
  mutating func reserve(_ count: Int) {
    if many.isEmpty, count <= Self.most { few.reserveCapacity(count) }
  }

  private func place(_ name: String) -> Int? { few.firstIndex { $0.name == name } }
}

/// Names alone.
typealias NameSet = NameTable<Void>

extension NameTable where Value == Void {
  /// - Returns: whether it is new.
  mutating func insert(_ name: String) -> Bool {
    if contains(name) { return false }
    self[name] = ()
    return true
  }
}
