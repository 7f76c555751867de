import WeftFilter
import WeftHTTP
import WeftIO

/// `HeaderChanges` as one worker runs them. Constant values are written without a look at the exchange.
final class HeaderPlan {
  private struct Step {
    var name: HeaderName
    var replaces: Bool
    /// Nil: filled in from `templates[template]`.
    var constant: Bytes?
    var template = 0
  }

  private let removed: [HeaderName]
  private let steps: [Step]
  private let templates: [ValueTemplate]
  /// Owns what the constants point to.
  private let constants: [OwnedBytes]
  private let scratch: MutableBytePointer
  /// Bytes of a value that is filled in; a longer one is left out.
  private static let valueLimit = 8 * 1024

  init(_ changes: HeaderChanges) {
    removed = changes.remove
    var steps: [Step] = []
    var templates: [ValueTemplate] = []
    var constants: [OwnedBytes] = []
    for (field, replaces) in changes.set.map({ ($0, true) }) + changes.add.map({ ($0, false) }) {
      if let constant = field.value.constant {
        constants.append(constant)
        steps.append(Step(name: field.name, replaces: replaces, constant: constant.bytes))
      } else {
        steps.append(Step(name: field.name, replaces: replaces, constant: nil, template: templates.count))
        templates.append(field.value)
      }
    }
    self.steps = steps
    self.templates = templates
    self.constants = constants
    scratch = .allocate(capacity: templates.isEmpty ? 1 : HeaderPlan.valueLimit)
  }

  deinit { scratch.deallocate() }

  func applyToRequest(_ exchange: Exchange) {
    for name in removed { exchange.request.headers.remove(name) }
    for step in steps {
      guard let value = step.constant ?? fill(step, exchange) else { continue }
      if step.replaces {
        exchange.request.headers.set(step.name, value)
      } else {
        exchange.request.headers.add(step.name, value)
      }
    }
  }

  func applyToResponse(_ exchange: Exchange) {
    for name in removed { exchange.response.headers.remove(name) }
    for step in steps {
      guard let value = step.constant ?? fill(step, exchange) else { continue }
      if step.replaces {
        exchange.response.headers.set(step.name, value)
      } else {
        exchange.response.headers.add(step.name, value)
      }
    }
  }

  /// Nil for a value that comes out empty or too long: the field is then left as it is.
  private func fill(_ step: Step, _ exchange: Exchange) -> Bytes? {
    var w = ByteWriter(scratch, HeaderPlan.valueLimit)
    templates[step.template].fill(exchange, into: &w)
    return w.overflow || w.count == 0 ? nil : w.bytes
  }
}
