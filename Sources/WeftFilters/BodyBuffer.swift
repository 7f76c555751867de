import WeftConfig
import WeftFilter

/// `buffer`: collects the whole request body before the request goes on, so that a slow client does not hold an upstream
/// connection, and a body that is too long never reaches it.
public struct BodyBuffer: FilterType {
  public static let name = "buffer"

  let maxBytes: Int

  public init(_ reader: ObjectReader, _ context: FilterTypeContext) throws {
    maxBytes = reader.bytes("maxBytes", in: 1...(16 << 20))
  }

  public func makeFilter(_ worker: WorkerContext) -> HTTPFilter { BodyBufferFilter(maxBytes: maxBytes) }
}

final class BodyBufferFilter: HTTPFilter {
  private let maxBytes: Int

  init(maxBytes: Int) { self.maxBytes = maxBytes }

  override var phases: FilterPhases { .request }

  override func onRequest(_ exchange: Exchange) -> FilterVerdict {
    exchange.hasRequestBody ? exchange.bufferRequestBody(limit: maxBytes) : .next
  }

  override func onResume(_ exchange: Exchange) -> FilterVerdict { .next }
}
