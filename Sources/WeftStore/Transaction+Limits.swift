extension Transaction {
  /// - Throws: `StoreError.invalid` for what no store takes.
  func checkLimits() throws(StoreError) {
    if operations.isEmpty { throw .invalid("a transaction needs at least one operation") }
    if operations.count + conditions.count > StoreLimits.operations {
      throw .invalid(
        "a transaction of \(operations.count + conditions.count) conditions and operations; at most \(StoreLimits.operations) are taken"
      )
    }
    var keys: Set<String> = []
    for operation in operations {
      try StoreLimits.check(key: operation.key)
      if !keys.insert(operation.key).inserted { throw .invalid("key \(operation.key) twice in one transaction") }
      if case .put(_, let value, _) = operation, value.count > StoreLimits.value {
        throw .invalid("the value of \(operation.key) has \(value.count) bytes; at most \(StoreLimits.value) are taken")
      }
    }
    for condition in conditions { try StoreLimits.check(key: condition.key) }
  }
}

extension Transaction.Operation {
  public var key: String {
    switch self {
    case .put(let key, _, _), .delete(let key): key
    }
  }
}

extension Transaction.Condition {
  public var key: String {
    switch self {
    case .absent(let key), .exists(let key), .unchanged(let key, _): key
    }
  }

  /// Whether it holds for what the key is at present.
  func holds(for entry: Entry?) -> Bool {
    switch self {
    case .absent: entry == nil
    case .exists: entry != nil
    case .unchanged(_, let revision): entry?.modified == revision
    }
  }
}

extension StoreLimits {
  /// Keys are printable ASCII, so that every store orders them alike.
  static func check(key: String) throws(StoreError) {
    guard (1...StoreLimits.key).contains(key.utf8.count) else {
      throw .invalid("a key of \(key.utf8.count) bytes; 1 to \(StoreLimits.key) are taken")
    }
    guard key.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
      throw .invalid("key \"\(key)\": only printable ASCII without spaces is taken")
    }
  }

  /// The first key behind all that begin with `prefix`, for keys as `check(key:)` takes them.
  static func end(of prefix: String) -> String { prefix + "\u{7f}" }
}
