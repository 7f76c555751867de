import NIOCore
import NIOPosix
import WeftIO

/// Finds out, every so often, whether the app is well.
struct AppCheck: Sendable {
  let app: WeftIO.SocketAddress
  let check: WorkloadOptions.Check
  let group: MultiThreadedEventLoopGroup

  private static let interval = Duration.seconds(2)
  private static let timeout = TimeAmount.seconds(1)
  /// Failures in a row before a healthy app counts as unhealthy.
  private static let failures = 2

  /// Checks until the task is cancelled.
  /// - Parameter tell: called after each check that counts.
  func run(_ tell: @Sendable (_ isHealthy: Bool, _ detail: String) -> Void) async {
    var failed = 0
    while !Task.isCancelled {
      let problem = await probe()
      failed = problem == nil ? 0 : min(failed + 1, Self.failures)
      if problem == nil {
        tell(true, "")
      } else if failed >= Self.failures, let problem {
        tell(false, problem)
      }
      try? await Task.sleep(for: failed > 0 && failed < Self.failures ? .milliseconds(500) : Self.interval)
    }
  }

  /// - Returns: nil when the app is well; otherwise what is wrong.
  func probe() async -> String? {
    let channel: any Channel
    let answer = group.next().makePromise(of: Int.self)
    do {
      let bootstrap = ClientBootstrap(group: group).connectTimeout(Self.timeout).channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(StatusReader(answer))
        }
      }
      if let path = app.unixPath {
        channel = try await bootstrap.connect(unixDomainSocketPath: path).get()
      } else {
        channel = try await bootstrap.connect(host: app.ip?.description ?? "", port: Int(app.port)).get()
      }
    } catch {
      answer.fail(error)
      return "\(app) takes no connections"
    }
    defer { channel.close(promise: nil) }
    guard case .http(let path) = check else {
      answer.succeed(0)
      return nil
    }
    let request = "GET \(path) HTTP/1.1\r\nhost: \(app)\r\nuser-agent: weft-check\r\nconnection: close\r\n\r\n"
    let timer = group.next().scheduleTask(in: Self.timeout) { answer.fail(ChannelError.connectTimeout(Self.timeout)) }
    defer { timer.cancel() }
    do {
      try await channel.writeAndFlush(channel.allocator.buffer(string: request))
      let status = try await answer.futureResult.get()
      return (200..<400).contains(status) ? nil : "GET \(path) answered with \(status)"
    } catch {
      answer.fail(error)
      return "GET \(path) got no answer in time"
    }
  }
}

/// Reads the status of an HTTP/1 response.
private final class StatusReader: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let answer: EventLoopPromise<Int>
  private var line: [UInt8] = []

  init(_ answer: EventLoopPromise<Int>) { self.answer = answer }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    line += unwrapInboundIn(data).readableBytesView.prefix(64)
    // "HTTP/1.1 200"
    guard line.count >= 12 else { return }
    let text = String(decoding: line[9..<12], as: UTF8.self)
    answer.succeed(line.starts(with: "HTTP/1.".utf8) ? Int(text) ?? 0 : 0)
  }

  func channelInactive(context: ChannelHandlerContext) { answer.fail(ChannelError.eof) }
}
