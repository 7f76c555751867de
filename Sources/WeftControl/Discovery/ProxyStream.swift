import Foundation
import GRPCCore
import WeftConfig
import WeftProtocol

/// What the control plane keeps of one stream: what it asks for, what it has, and what waits for it. Bounded by the number
/// of names, not by the number of changes: a slow proxy gets the newest state, not all the steps.
///
/// Belongs to `DiscoveryHub`, which alone touches it.
final class ProxyStream {
  typealias Response = RPCWriter<Weft_Discovery_V1_ControlMessage>

  enum Limits {
    static let kinds = 64
    /// Types that streams share the text of.
    static let types = 1_000
    /// Subscriptions of one stream, and names that it says it holds.
    static let names = 50_000
    static let nameBytes = 600
    /// Bytes of bodies in one delta, beyond which the rest follows in the next one.
    static let deltaBytes = 1 << 20
    static let deltaResources = 2_000
    static let rejections = 1_000
    static let messageBytes = 8_192
    static let bundles = 1_000
  }

  let number: UInt64
  let peer: PeerIdentity
  let response: Response
  /// A task writes, and looks for more before it ends.
  var isWriting = false
  /// Ends what reads, and with it the stream, whatever it is doing. nil: not yet.
  var reader: (@Sendable () -> Void)?
  private(set) var isEnded = false
  /// Seconds since the Unix epoch.
  let opened: Double
  /// nil until `hello`.
  var id: String?
  var kind = ProxyStatus.Kind.gateway
  /// In the order in which it subscribed to them. A few dozen at most, hence a list.
  private(set) var kinds: [StreamKind] = []
  /// Subscriptions of all kinds.
  var names = 0
  /// Deltas that were sent.
  var nonces: UInt64 = 0
  /// Messages that go before any delta.
  var first: [Weft_Discovery_V1_ControlMessage] = []
  /// Set: nothing but the goodbye is sent any more.
  var goodbye: String?
  /// When that was, in seconds since the Unix epoch.
  var dismissed = 0.0
  var revision: UInt64 = 0

  init(number: UInt64, peer: PeerIdentity, response: Response, now: Double) {
    self.number = number
    self.peer = peer
    self.response = response
    opened = now
  }

  /// Cuts the stream off.
  func end() {
    isEnded = true
    reader?()
  }

  func place(_ kind: ResourceKind) -> Int? { kinds.firstIndex { $0.type.kind == kind } }

  subscript(kind: ResourceKind) -> StreamKind? { place(kind).map { kinds[$0] } }

  func add(_ type: StreamKind.Name) -> Int {
    // Not twice as many places as are needed.
    if kinds.count == kinds.capacity { kinds.reserveCapacity(kinds.count + 4) }
    kinds.append(StreamKind(type: type))
    return kinds.count - 1
  }

  /// Changes what is known of a kind, in place.
  func change<Result>(_ place: Int, _ body: (inout StreamKind) throws -> Result) rethrows -> Result {
    // Taken out while it is changed, so that neither its tables are copied nor the list is in use meanwhile.
    var state = StreamKind(type: kinds[place].type)
    swap(&state, &kinds[place])
    defer { kinds[place] = state }
    return try body(&state)
  }

  /// All that it asked for is no longer known.
  func forget() { kinds = [] }

  var isSynced: Bool {
    kinds.allSatisfy { $0.pending.isEmpty && $0.unanswered.isEmpty && $0.outstanding == nil }
  }
}
