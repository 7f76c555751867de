/// Why the head of an HTTP/2 request was refused, beyond what the framing layer refuses by itself by resetting the
/// stream. Such a request is answered, and never forwarded.
public enum HTTP2HeadError: UInt8, Sendable, CaseIterable {
  case methodInvalid, targetInvalid, authorityInvalid, authorityMissing, authorityConflict, contentLengthInvalid
  case fieldValueInvalid, connectionField, headTooLarge, tooManyFields, expectationFailed
  case protocolUnknown

  public var status: Int {
    switch self {
    case .headTooLarge, .tooManyFields: 431
    case .expectationFailed: 417
    case .protocolUnknown: 501
    default: 400
    }
  }

  /// Names the fault in access logs and metrics. Stable.
  public var code: StaticString { entry.code }

  /// Says what was wrong, in one sentence without its full stop. Holds nothing of what was received.
  public var message: StaticString { entry.message }

  private var entry: (code: StaticString, message: StaticString) {
    switch self {
    case .methodInvalid: ("http2.method_invalid", "the method is not a token")
    case .targetInvalid: ("http2.target_invalid", ":path is neither a path nor *")
    case .authorityInvalid:
      ("http2.authority_invalid", "the host is not a name or address with an optional port")
    case .authorityMissing: ("http2.authority_missing", "the request has neither :authority nor Host")
    case .authorityConflict: ("http2.authority_conflict", ":authority and Host differ")
    case .contentLengthInvalid: ("http2.content_length_invalid", "Content-Length is not one decimal number")
    case .fieldValueInvalid: ("http2.field_value_invalid", "a field value has a control character")
    case .connectionField: ("http2.connection_field", "a field that belongs to connections of HTTP/1.1")
    case .headTooLarge: ("http2.head_too_large", "the head is too large")
    case .tooManyFields: ("http2.too_many_fields", "the head has too many fields")
    case .expectationFailed: ("http2.expectation_failed", "the only expectation that can be met is 100-continue")
    case .protocolUnknown: ("http2.protocol_unknown", "the only :protocol that is known is websocket")
    }
  }
}
