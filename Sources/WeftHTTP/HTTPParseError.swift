/// Why a message was refused. Nothing of a refused message is forwarded, and its connection must be closed: where the
/// next message would start is not known.
public enum HTTPParseError: UInt8, Sendable, CaseIterable {
  // Request line.
  case tlsHandshake, emptyRequestLine, methodInvalid, requestLineInvalid, versionMissing, versionInvalid
  case versionUnsupported, requestLineTooLong
  case targetInvalid, targetFragment, targetForm, targetAsterisk, targetAuthority, targetScheme
  // Status line.
  case statusLineInvalid, statusInvalid
  // Lines.
  case bareCR, bareLF, nul, headTooLarge, tooManyFields
  case lineFolding, fieldNameEmpty, fieldNameInvalid, fieldNameSpace, fieldColonMissing, fieldValueInvalid
  // Framing.
  case contentLengthInvalid, contentLengthConflict, contentLengthRepeated, contentLengthWithTransferEncoding
  case transferEncodingInvalid, transferEncodingUnsupported, transferEncodingInHTTP10, chunkedNotLast, chunkedRepeated
  case interimWithBody
  // Single fields.
  case hostMissing, hostRepeated, hostInvalid, connectionInvalid, expectationFailed
  // Chunked bodies.
  case chunkSizeInvalid, chunkSizeTooLarge, chunkLineInvalid, chunkExtensionInvalid, chunkExtensionsTooLong
  case chunkEndInvalid, trailerInvalid, trailerForbidden, trailersTooLarge

  /// What a response with any of these faults is answered with, downstream.
  public static let responseStatus = 502

  /// What a request with this fault is answered with; 502 where only a response can have it.
  public var status: Int {
    switch self {
    case .requestLineTooLong: 414
    case .headTooLarge, .tooManyFields: 431
    case .expectationFailed: 417
    case .transferEncodingUnsupported: 501
    case .versionUnsupported: 505
    case .statusLineInvalid, .statusInvalid, .interimWithBody: Self.responseStatus
    default: 400
    }
  }

  /// Names the fault in access logs and metrics (response code detail). Stable.
  public var code: StaticString { entry.code }

  /// Says what was wrong, in one sentence without its full stop. Holds nothing of what was received.
  public var message: StaticString { entry.message }

  private var entry: (code: StaticString, message: StaticString) {
    switch self {
    case .tlsHandshake: ("http1.tls_handshake", "a TLS handshake arrived where plain HTTP is spoken")
    case .emptyRequestLine: ("http1.empty_request_line", "more than one empty line stood before the request line")
    case .methodInvalid: ("http1.method_invalid", "the method is not a token")
    case .requestLineInvalid:
      ("http1.request_line_invalid", "the request line is not method, target and version with one space between them")
    case .versionMissing: ("http1.version_missing", "the request line has no HTTP version")
    case .versionInvalid: ("http1.version_invalid", "the HTTP version is malformed")
    case .versionUnsupported: ("http1.version_unsupported", "only HTTP/1.0 and HTTP/1.1 are spoken here")
    case .requestLineTooLong: ("http1.request_line_too_long", "the request line is too long")
    case .targetInvalid:
      ("http1.target_invalid", "the request target has a character that must be percent-encoded")
    case .targetFragment: ("http1.target_fragment", "the request target has a fragment (#)")
    case .targetForm:
      ("http1.target_form", "the request target is neither a path that begins with / nor an absolute URI")
    case .targetAsterisk: ("http1.target_asterisk", "the request target * belongs to OPTIONS alone")
    case .targetAuthority: ("http1.target_authority", "the target of CONNECT is not host:port")
    case .targetScheme: ("http1.target_scheme", "the scheme of the request target is neither http nor https")
    case .statusLineInvalid: ("http1.status_line_invalid", "the status line is malformed")
    case .statusInvalid: ("http1.status_invalid", "the status code is not three digits of 100 or more")
    case .bareCR: ("http1.bare_cr", "a carriage return without a line feed")
    case .bareLF: ("http1.bare_lf", "a line feed without a carriage return")
    case .nul: ("http1.nul", "a NUL byte in the head")
    case .headTooLarge: ("http1.head_too_large", "the head is too large")
    case .tooManyFields: ("http1.too_many_fields", "the head has too many fields")
    case .lineFolding: ("http1.line_folding", "a field line begins with white space")
    case .fieldNameEmpty: ("http1.field_name_empty", "a field line has no name")
    case .fieldNameInvalid: ("http1.field_name_invalid", "a field name is not a token")
    case .fieldNameSpace: ("http1.field_name_space", "white space between a field name and its colon")
    case .fieldColonMissing: ("http1.field_colon_missing", "a field line has no colon")
    case .fieldValueInvalid: ("http1.field_value_invalid", "a field value has a control character")
    case .contentLengthInvalid: ("http1.content_length_invalid", "Content-Length is not one decimal number")
    case .contentLengthConflict: ("http1.content_length_conflict", "two Content-Length fields differ")
    case .contentLengthRepeated: ("http1.content_length_repeated", "Content-Length stands there more than once")
    case .contentLengthWithTransferEncoding:
      ("http1.content_length_with_transfer_encoding", "Content-Length and Transfer-Encoding exclude each other")
    case .transferEncodingInvalid: ("http1.transfer_encoding_invalid", "Transfer-Encoding is malformed")
    case .transferEncodingUnsupported:
      ("http1.transfer_encoding_unsupported", "a transfer coding other than chunked")
    case .transferEncodingInHTTP10:
      ("http1.transfer_encoding_in_http10", "HTTP/1.0 knows no Transfer-Encoding")
    case .chunkedNotLast: ("http1.chunked_not_last", "chunked is not the last transfer coding")
    case .chunkedRepeated: ("http1.chunked_repeated", "chunked is applied more than once")
    case .interimWithBody: ("http1.interim_with_body", "an interim response (1xx) announces a body")
    case .hostMissing: ("http1.host_missing", "an HTTP/1.1 request needs a Host field")
    case .hostRepeated: ("http1.host_repeated", "Host stands there more than once")
    case .hostInvalid: ("http1.host_invalid", "the host is not a name or address with an optional port")
    case .connectionInvalid: ("http1.connection_invalid", "Connection is not a short list of tokens")
    case .expectationFailed: ("http1.expectation_failed", "the only expectation that can be met is 100-continue")
    case .chunkSizeInvalid: ("http1.chunk_size_invalid", "a chunk size is not a hexadecimal number")
    case .chunkSizeTooLarge: ("http1.chunk_size_too_large", "a chunk size has too many digits")
    case .chunkLineInvalid: ("http1.chunk_line_invalid", "a chunk size line does not end with CRLF")
    case .chunkExtensionInvalid: ("http1.chunk_extension_invalid", "a chunk extension is malformed")
    case .chunkExtensionsTooLong: ("http1.chunk_extensions_too_long", "there is more chunk extension than data")
    case .chunkEndInvalid: ("http1.chunk_end_invalid", "the data of a chunk is not followed by CRLF")
    case .trailerInvalid: ("http1.trailer_invalid", "a trailer field is malformed")
    case .trailerForbidden: ("http1.trailer_forbidden", "a trailer field that must stand in the head")
    case .trailersTooLarge: ("http1.trailers_too_large", "the trailer section is too large")
    }
  }
}
