import WeftConfig
import WeftFilter

/// `header-modifier`: sets, adds and removes header fields of requests and responses.
///
/// Also what the Gateway API calls RequestHeaderModifier and ResponseHeaderModifier.
public struct HeaderModifier: FilterType {
  public static let name = "header-modifier"

  let request: HeaderChanges?
  let response: HeaderChanges?

  /// - Parameters: nil: that side is left alone.
  public init(request: HeaderChanges? = nil, response: HeaderChanges? = nil) {
    self.request = request
    self.response = response
  }

  public init(_ reader: ObjectReader, _ context: FilterTypeContext) throws {
    if !reader.has("request") && !reader.has("response") {
      reader.error(nil, "changes nothing; give \"request\", \"response\" or both")
    }
    request = reader.optionalObject("request").flatMap { HeaderChanges($0, inResponse: false) }
    response = reader.optionalObject("response").flatMap { HeaderChanges($0, inResponse: true) }
  }

  public func makeFilter(_ worker: WorkerContext) -> HTTPFilter {
    HeaderModifierFilter(request: request.map(HeaderPlan.init), response: response.map(HeaderPlan.init))
  }
}

final class HeaderModifierFilter: HTTPFilter {
  private let request: HeaderPlan?
  private let response: HeaderPlan?

  init(request: HeaderPlan?, response: HeaderPlan?) {
    self.request = request
    self.response = response
  }

  override var phases: FilterPhases {
    var phases: FilterPhases = []
    if request != nil { phases.insert(.request) }
    if response != nil { phases.insert(.response) }
    return phases
  }

  override func onRequest(_ exchange: Exchange) -> FilterVerdict {
    request?.applyToRequest(exchange)
    return .next
  }

  override func onResponse(_ exchange: Exchange) -> FilterVerdict {
    response?.applyToResponse(exchange)
    return .next
  }
}
