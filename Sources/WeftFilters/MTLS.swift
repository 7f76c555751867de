import WeftConfig
import WeftFilter
import WeftHTTP
import WeftIO
import WeftRegex
import WeftTLS
import WeftTelemetry

/// `mtls`: demands a client whose certificate is valid, says which identities may pass, and tells the upstream who it
/// is in X-Forwarded-Client-Cert.
public struct MTLS: FilterType {
  public static let name = "mtls"

  /// What becomes of X-Forwarded-Client-Cert.
  enum Forwarding: String, CaseIterable, Sendable {
    /// What the client sent goes, and its own certificate takes the place.
    case replace
    /// A verified client's own is added to what it sent; of any other client nothing is passed on.
    case append
    /// What a verified client sent is passed on as it is; of any other client nothing.
    case keep
    /// Nothing is passed on.
    case remove
  }

  /// What an element of X-Forwarded-Client-Cert tells.
  enum Detail: String, CaseIterable, Sendable { case by, hash, cert, subject, uri, dns }

  let isRequired: Bool
  let allowed: [IdentityMatch]
  let denied: [IdentityMatch]
  let forwarding: Forwarding
  let details: [Detail]
  let series: FilterSeries

  public init(_ reader: ObjectReader, _ context: FilterTypeContext) throws {
    isRequired = reader.bool("require", default: true)
    allowed = reader.objects("allow", count: 0...IdentityMatch.limit, IdentityMatch.init)
    denied = reader.objects("deny", count: 0...IdentityMatch.limit, IdentityMatch.init)
    forwarding = reader.enumeration("forward", default: .replace)
    let given = reader.list("details", count: 0...Detail.allCases.count) { try $0.enumeration(Detail.self) }
    details = reader.has("details") ? given : [.by, .hash, .subject, .uri]
    if !isRequired && !allowed.isEmpty {
      reader.error("allow", "needs \"require: true\"; without it every client may pass")
    }
    series = try FilterSeries(
      context, "weft_filter_mtls_decisions_total",
      help: "Requests by their client's identity: allowed, anonymous, no_identity, denied.", label: "result")
  }

  public func makeFilter(_ worker: WorkerContext) throws -> HTTPFilter { try MTLSFilter(self, worker) }
}

/// What the filter has found out about one connection.
private struct MTLSFinding {
  enum Result { case allowed, anonymous, noIdentity, denied }

  /// The connection's number; 0: none.
  var connection: UInt64 = 0
  var result = Result.noIdentity
  /// The client's element of X-Forwarded-Client-Cert; empty without a verified one.
  var element = OwnedBytes("")
}

final class MTLSFilter: HTTPFilter {
  private let mtls: MTLS
  private let scratch: PatternScratch
  /// Looked at once a connection: the slot is the connection's number modulo the size.
  private var findings = ContiguousArray(repeating: MTLSFinding(), count: MTLSFilter.slots)
  private let allowed: Counter
  private let anonymous: Counter
  private let noIdentity: Counter
  private let denied: Counter

  private static let slots = 256
  /// Bytes of the whole field; what a client sent beyond that is left out.
  private static let fieldLimit = 8 * 1024
  private static let field = HeaderName("x-forwarded-client-cert")

  init(_ mtls: MTLS, _ worker: WorkerContext) throws {
    self.mtls = mtls
    scratch = try PatternScratch()
    allowed = mtls.series.counter(worker, "allowed")
    anonymous = mtls.series.counter(worker, "anonymous")
    noIdentity = mtls.series.counter(worker, "no_identity")
    denied = mtls.series.counter(worker, "denied")
  }

  override var phases: FilterPhases { .request }

  override func onRequest(_ exchange: Exchange) -> FilterVerdict {
    guard let tls = exchange.tls else { return answer(exchange, plainFinding) }
    let slot = Int(truncatingIfNeeded: tls.number % UInt64(Self.slots))
    if findings[slot].connection != tls.number { findings[slot] = look(at: tls) }
    return answer(exchange, findings[slot])
  }

  private var plainFinding: MTLSFinding {
    var finding = MTLSFinding()
    finding.result = mtls.isRequired ? .noIdentity : .anonymous
    return finding
  }

  private func answer(_ exchange: Exchange, _ finding: MTLSFinding) -> FilterVerdict {
    switch finding.result {
    case .noIdentity:
      noIdentity.add()
      exchange.respond(
        403, body: Bytes("a valid client certificate is needed\n"), details: "client_certificate_required")
      return .respond
    case .denied:
      denied.add()
      exchange.respond(403, body: Bytes("this client may not do that\n"), details: "client_identity_denied")
      return .respond
    case .allowed: allowed.add()
    case .anonymous: anonymous.add()
    }
    forward(exchange, finding)
    return .next
  }

  private func forward(_ exchange: Exchange, _ finding: MTLSFinding) {
    let isVerified = !finding.element.bytes.isEmpty
    switch mtls.forwarding {
    case .keep where isVerified: return
    case .append where isVerified:
      withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.fieldLimit) { memory in
        guard let base = memory.baseAddress else { return }
        var w = ByteWriter(base, Self.fieldLimit)
        if exchange.request.headers.joined(Self.field, into: &w) > 0 { w.append(",") }
        w.append(finding.element.bytes)
        exchange.request.headers.remove(Self.field)
        exchange.request.headers.add(Self.field, w.overflow ? finding.element.bytes : w.bytes)
      }
    case .replace:
      exchange.request.headers.remove(Self.field)
      if isVerified { exchange.request.headers.add(Self.field, finding.element.bytes) }
    case .keep, .append, .remove: exchange.request.headers.remove(Self.field)
    }
  }

  // MARK: Once a connection

  private func look(at tls: DownstreamTLS) -> MTLSFinding {
    var finding = MTLSFinding()
    finding.connection = tls.number
    guard tls.isPeerVerified, let peer = tls.peer else {
      finding.result = mtls.isRequired ? .noIdentity : .anonymous
      return finding
    }
    finding.element = OwnedBytes(ClientCertificateElement.text(peer, by: tls.local, mtls.details))
    let isDenied = mtls.denied.contains { $0.matches(peer, scratch, onFailure: true) }
    let isAllowed = mtls.allowed.isEmpty || mtls.allowed.contains { $0.matches(peer, scratch, onFailure: false) }
    finding.result = isDenied || !isAllowed ? .denied : .allowed
    return finding
  }
}
