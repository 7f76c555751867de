/// What a filter wants to happen after one of its phases.
@frozen
public enum FilterVerdict: UInt8, Sendable {
  /// Go on with the next filter.
  case next
  /// Wait. The exchange stands still until somebody resumes it: a timer, a finished call, a buffered body. Then the
  /// filter's `onResume` decides again.
  case suspend
  /// Answer with the response that the filter gave to `Exchange.respond`. No later filter sees the request; the filters
  /// that saw it see the response, in reverse order.
  case respond
}

/// The phases of an exchange in which a filter takes part. A phase that it does not name costs nothing.
@frozen
public struct FilterPhases: OptionSet, Sendable {
  public let rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// `onRequest`: the request's head has arrived and a route was found.
  public static let request = FilterPhases(rawValue: 1)
  /// `onRequestBody` for every exchange with a request body; a filter that wants it for some exchanges only calls
  /// `Exchange.watchRequestBody` in `onRequest` instead.
  public static let requestBody = FilterPhases(rawValue: 2)
  /// `onRequestTrailers`.
  public static let requestTrailers = FilterPhases(rawValue: 4)
  /// `onResponse`: the response's head has arrived, or was made locally.
  public static let response = FilterPhases(rawValue: 8)
  /// `onResponseBody`; see `requestBody`.
  public static let responseBody = FilterPhases(rawValue: 16)
  /// `onResponseTrailers`.
  public static let responseTrailers = FilterPhases(rawValue: 32)
  /// `onLog`: the exchange has ended.
  public static let log = FilterPhases(rawValue: 64)
}
