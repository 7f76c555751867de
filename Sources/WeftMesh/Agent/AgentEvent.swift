import WeftConfig
import WeftProtocol
import WeftProxy

/// Everything that an agent reacts to, one at a time.
enum AgentEvent: Sendable {
  // Of the stream with this number.
  case connected(Int, OutgoingMessages)
  case received(Int, Weft_Discovery_V1_ControlMessage)
  case disconnected(Int)

  case identity(MeshIdentity)
  /// Resources have come to rest: build what they make.
  case settle
  case saveCache
  // Of the proxy.
  case finished(UInt64, ConfigurationOutcome)
  /// What is in force and does not work at present.
  case troubled([Diagnostic])
  case wanted(Set<String>)
  case serving(RunningProxy)
  case draining(@Sendable () -> Void)
  /// Whether the app is well; why not.
  case appHealth(isHealthy: Bool, detail: String)
  case bundle(FetchedBundle)
  /// Bundles that could not be fetched may be there now.
  case retryBundles
  case sendTelemetry(Int)
}

/// Messages on their way to the control plane, in order.
struct OutgoingMessages: Sendable {
  private let continuation: AsyncStream<Weft_Discovery_V1_ProxyMessage>.Continuation

  init(_ continuation: AsyncStream<Weft_Discovery_V1_ProxyMessage>.Continuation) { self.continuation = continuation }

  func send(_ fill: (inout Weft_Discovery_V1_ProxyMessage) -> Void) {
    var message = Weft_Discovery_V1_ProxyMessage()
    fill(&message)
    continuation.yield(message)
  }

  func finish() { continuation.finish() }
}
