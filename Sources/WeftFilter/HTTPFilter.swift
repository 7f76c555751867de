import WeftHTTP
import WeftIO

/// One step of a filter chain: the whole life of a request as a filter sees it, each phase one method.
///
/// A filter type's factory makes one instance per worker and use in a configuration; every call comes on that worker's
/// thread, so an instance may keep state (a token bucket, a cache) without a lock. Nothing may block. State that belongs
/// to one exchange goes into `Exchange.state` and is given back in `onEnd`.
///
/// The request side runs in the order of the chain, the response side in reverse:
/// ```
/// onRequest → onRequestBody* → onRequestTrailers → (upstream) → onResponse → onResponseBody* → onResponseTrailers → onLog
/// ```
/// `onResume` and `onEnd` may come at any point in between.
open class HTTPFilter {
  public init() {}

  /// Set by the proxy; nil: nothing is counted.
  package final var counters: FilterCounters?

  /// Configurations in force on this worker that use the filter.
  package final var uses = 0

  /// A configuration that uses the filter comes into force on its worker, and none before it did: the first call on the
  /// worker's thread.
  open func onStart() {}

  /// No configuration in force uses the filter any more. Exchanges that have begun with it may still call it.
  open func onStop() {}

  /// The phases to be called for. Read once, when a chain is built.
  open var phases: FilterPhases { [] }

  /// The request's head is there and a route was found. Fields, method, path and authority may be changed.
  open func onRequest(_ exchange: Exchange) -> FilterVerdict { .next }

  /// A piece of the request's body, without its transfer coding. The piece may be replaced. After `.suspend` the
  /// exchange keeps the piece and hands it to the next filter when it is resumed with `.next`.
  ///
  /// The last call has `chunk.isLast`, perhaps with no bytes, unless the request is cut off.
  open func onRequestBody(_ exchange: Exchange, _ chunk: inout BodyChunk) -> FilterVerdict { .next }

  /// The request's trailers are in `exchange.requestTrailers`.
  open func onRequestTrailers(_ exchange: Exchange) -> FilterVerdict { .next }

  /// The response's head is there: the upstream's, or a local one (an earlier filter's, or an error of the proxy's).
  open func onResponse(_ exchange: Exchange) -> FilterVerdict { .next }

  /// A piece of the response's body; see `onRequestBody`.
  open func onResponseBody(_ exchange: Exchange, _ chunk: inout BodyChunk) -> FilterVerdict { .next }

  /// The response's trailers are in `exchange.responseTrailers`.
  open func onResponseTrailers(_ exchange: Exchange) -> FilterVerdict { .next }

  /// What this filter suspended for has come: `exchange.phase` tells which method said `.suspend`. The answer counts as
  /// that method's.
  open func onResume(_ exchange: Exchange) -> FilterVerdict { .next }

  /// The exchange has ended, well or not: count, log, report. Heads can still be read.
  open func onLog(_ exchange: Exchange) {}

  /// The exchange ends while this filter holds `exchange.state`: give it back. Also called when the client has gone
  /// away in the middle, perhaps while this filter has it suspended; the exchange must not be resumed afterwards.
  open func onEnd(_ exchange: Exchange) {}
}
