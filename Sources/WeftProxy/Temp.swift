import Logging
import WeftHTTP
import WeftIO
import WeftRegex

final class RateLimitedLog: Sendable {
  let log: Logger
  init(_ log: Logger) { self.log = log }
  func warning(_ s: String) { log.warning("\(s)") }
}
