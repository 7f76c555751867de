import WeftConfig

/// One place in which two JSON values differ.
public struct JSONDifference: Sendable, Hashable {
  /// `spec.rules[0].matches`
  public let path: FieldPath
  /// nil: it was not there.
  public let before: JSONValue?
  /// nil: it is there no more.
  public let after: JSONValue?

  /// What differs, in the order of paths. Lists are compared item by item.
  public static func between(_ before: JSONValue?, _ after: JSONValue?) -> [JSONDifference] {
    var found: [JSONDifference] = []
    compare(before, after, at: .root, &found)
    return found
  }

  private static func compare(
    _ before: JSONValue?, _ after: JSONValue?, at path: FieldPath, _ found: inout [JSONDifference]
  ) {
    if before == after { return }
    switch (before, after) {
    case (.object(let old)?, .object(let new)?):
      for key in Set(old.keys).union(new.keys).sorted() { compare(old[key], new[key], at: path.appending(key), &found) }
    case (.array(let old)?, .array(let new)?):
      for index in 0..<max(old.count, new.count) {
        compare(
          index < old.count ? old[index] : nil, index < new.count ? new[index] : nil, at: path.appending(index), &found)
      }
    default: found.append(JSONDifference(path: path, before: before, after: after))
    }
  }

  var json: JSONValue {
    var value: JSONValue = ["path": .string(path.description)]
    value["before"] = before
    value["after"] = after
    return value
  }
}
