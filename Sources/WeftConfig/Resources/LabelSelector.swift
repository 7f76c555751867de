/// Kubernetes' label selector: every requirement must hold.
public struct LabelSelector: Sendable, Hashable {
  public enum Operator: String, Sendable, Hashable, CaseIterable {
    case isIn = "In"
    case isNotIn = "NotIn"
    case exists = "Exists"
    case doesNotExist = "DoesNotExist"
  }

  public struct Requirement: Sendable, Hashable {
    public let key: String
    public let `operator`: Operator
    public let values: [String]
  }

  public let matchLabels: [String: String]
  public let matchExpressions: [Requirement]

  init(_ reader: ObjectReader) {
    matchLabels = reader.stringMap("matchLabels")
    matchExpressions = reader.objects("matchExpressions", count: Bounds.conditions) { reader in
      let requirement = Requirement(
        key: reader.string("key", .length(1...317)), operator: reader.enumeration("operator"),
        values: reader.strings("values", count: Bounds.conditions))
      switch requirement.operator {
      case .isIn, .isNotIn:
        if requirement.values.isEmpty { reader.error("values", "needs at least one element with this operator") }
      case .exists, .doesNotExist:
        if !requirement.values.isEmpty { reader.error("values", "must be empty with this operator; remove it") }
      }
      return requirement
    }
  }

  /// Whether `labels` satisfies every requirement; an empty selector selects everything.
  public func selects(_ labels: [String: String]) -> Bool {
    for (key, value) in matchLabels where labels[key] != value { return false }
    return matchExpressions.allSatisfy { requirement in
      switch requirement.operator {
      case .isIn: labels[requirement.key].map(requirement.values.contains) ?? false
      case .isNotIn: !(labels[requirement.key].map(requirement.values.contains) ?? false)
      case .exists: labels[requirement.key] != nil
      case .doesNotExist: labels[requirement.key] == nil
      }
    }
  }
}
