import Logging
import WeftHTTP
import WeftIO
import WeftRegex

final class RateLimitedLog: Sendable {
  let log: Logger
  init(_ log: Logger) { self.log = log }
  func warning(_ s: String) { log.warning("\(s)") }
}
struct RouteMatch {
  var target = -1
  var prefixLength = 0
}
final class RouteTable: Sendable {
  func match(_ head: inout MessageHead, scratch: borrowing PatternScratch) -> RouteMatch { RouteMatch() }
}
enum PathNormalizer { static func normalize(_ h: inout MessageHead) -> Bool { true } }
