import Foundation
import Logging
import NIOPosix
import Synchronization
import WeftIdentity
import WeftProxy

/// The agent in a proxy of the mesh: gets and renews its identity, keeps up with the control plane, and feeds the proxy.
/// Runs on threads of its own, off the data path.
public final class MeshAgent: Sendable {
  /// Where the proxy takes its configuration from.
  public let feed: any ConfigurationFeed

  private let loop: AgentLoop
  private let events: AsyncStream<AgentEvent>
  private let tell: @Sendable (AgentEvent) -> Void
  private let session: ControlSession
  private let options: MeshOptions
  private let log: Logger
  private let group: MultiThreadedEventLoopGroup
  private let tasks = Mutex<[Task<Void, Never>]>([])

  /// - Throws: `MeshError` when the proxy cannot take part: no identity and no usable join token, or a state folder that
  ///   cannot be written to.
  public init(_ options: MeshOptions, log: Logger) throws(MeshError) {
    self.options = options
    self.log = log
    let folder = try StateFolder(options.stateFolder)
    let identity = try MeshIdentity.load(folder)
    if identity.map({ $0.notAfter <= Date() }) ?? true {
      // Found out before anything starts, where the user reads it.
      if let token = options.joinToken {
        _ = try JoinToken(token, for: options)
      } else if identity == nil {
        throw MeshError(
          "the proxy has no identity yet and needs a join token (--token, --token-file or WEFT_JOIN_TOKEN); make one with \"weft token create --join\""
        )
      }
    }
    if let identity, identity.id.namespace != options.namespace || identity.id.name != options.name {
      throw MeshError(
        "the state folder \(folder.path) holds the identity of \(identity.id), not of \(options.namespace)/\(options.name); name another with --state"
      )
    }
    let (events, continuation) = AsyncStream<AgentEvent>.makeStream()
    let tell: @Sendable (AgentEvent) -> Void = { continuation.yield($0) }
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let session = ControlSession(
      options, folder: folder, identity: identity, group: group, log: log, tell: tell)
    let feed = AgentFeed(tell)
    self.events = events
    self.tell = tell
    self.group = group
    self.session = session
    self.feed = feed
    loop = AgentLoop(
      options, folder: folder, feed: feed, bundles: BundleStore(folder, fetch: session.fetchBundle), log: log,
      tell: tell)
  }

  /// Begins. Returns at once.
  public func start() {
    let (loop, events, session, tell) = (loop, events, session, tell)
    var started: [Task<Void, Never>] = []
    started.append(
      Task {
        await loop.begin(session.identity)
        for await event in events { await loop.handle(event) }
      })
    started.append(Task { await session.run() })
    started.append(Task { await session.renewIdentity() })
    if let workload = options.workload, workload.check != .off {
      let check = AppCheck(app: workload.app, check: workload.check, group: group)
      started.append(Task { await check.run { tell(.appHealth(isHealthy: $0, detail: $1)) } })
    }
    let all = started
    tasks.withLock { $0 += all }
  }

  /// Ends everything. The proxy serves on with what it has.
  public func stop() {
    for task in tasks.withLock({ $0 }) { task.cancel() }
  }
}
