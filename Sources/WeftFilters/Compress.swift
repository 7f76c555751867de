import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO
import WeftTelemetry

/// `compress`: compresses responses with gzip for clients that accept it.
public struct Compress: FilterType {
  public static let name = "compress"

  /// When what has been compressed so far is sent on.
  enum FlushPolicy: String, CaseIterable, Sendable {
    /// With each piece of a response whose length is not known beforehand, which may be a stream of events.
    case auto
    /// With each piece.
    case always
    /// As zlib sees fit: fewest bytes.
    case never
  }

  let contentTypes: [MediaTypePattern]
  let minLength: Int
  let level: Int
  let flush: FlushPolicy
  let maxStreams: Int
  let removesAcceptEncoding: Bool
  let responses: FilterSeries
  let received: FilterSeries
  let sent: FilterSeries

  static let defaultTypes = [
    "text/*", "application/json", "application/javascript", "application/xml", "application/wasm", "*+json", "*+xml",
  ]

  public init(_ reader: ObjectReader, _ context: FilterTypeContext) throws {
    let types = reader.strings("contentTypes", count: 0...64, .mediaTypePattern)
    if reader.rawNode("contentTypes")?.items.isEmpty == true {
      reader.error("contentTypes", "needs at least 1 element")
    }
    contentTypes = (reader.has("contentTypes") ? types : Compress.defaultTypes).map { MediaTypePattern($0) }
    minLength = reader.bytes("minLength", in: 0...(1 << 30), default: 256)
    level = reader.int("level", in: 1...9, default: 6)
    flush = reader.enumeration("flush", default: .auto)
    maxStreams = reader.int("maxStreams", in: 1...65_536, default: 128)
    removesAcceptEncoding = reader.bool("removeAcceptEncoding", default: false)
    responses = try FilterSeries(
      context, "weft_filter_compress_responses_total",
      help: "Responses by what became of them: compressed, not_accepted, not_eligible, busy, failed.", label: "result")
    received = try FilterSeries(
      context, "weft_filter_compress_received_bytes_total", help: "Body bytes before compression.", unit: .bytes)
    sent = try FilterSeries(
      context, "weft_filter_compress_sent_bytes_total", help: "Body bytes after compression.", unit: .bytes)
  }

  public func makeFilter(_ worker: WorkerContext) -> HTTPFilter { CompressFilter(self, worker) }
}
