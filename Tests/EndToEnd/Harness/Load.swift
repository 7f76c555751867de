/// Clients that send one request after another, each on a connection of its own, until they are stopped.
final class Load: Sendable {
  private struct State {
    var isStopped = false
    var running = 0
    var responses: [Int: Int] = [:]
    var mistakes: [String] = []
  }
  private let state = Locked(State())

  /// - Parameters:
  ///   - reconnects: an idle connection may end, as HTTP allows: the request is sent again on a new one.
  ///   - check: what is wrong with a response; nil when nothing is.
  init(
    clients: Int, port: @escaping @Sendable () -> Int, request: String = HTTPText.get("/load"),
    reconnects: Bool = false,
    check: @escaping @Sendable (HTTPMessage) -> String? = { $0.status == 200 ? nil : "status \($0.status): \($0.text)" }
  ) {
    state.withLock { $0.running = clients }
    for _ in 0..<clients {
      let state = state
      BackgroundThread.start {
        Load.run(state, port, request, reconnects, check)
        state.withLock { $0.running -= 1 }
      }
    }
  }

  private static func run(
    _ state: Locked<State>, _ port: () -> Int, _ request: String, _ reconnects: Bool, _ check: (HTTPMessage) -> String?
  ) {
    var connection: RawClient?
    var isFresh = true
    while !state.withLock({ $0.isStopped }) {
      do {
        isFresh = connection == nil
        let client = try connection ?? RawClient(port())
        connection = client
        try client.send(request)
        let response = try client.response()
        let mistake = check(response)
        state.withLock {
          $0.responses[response.status, default: 0] += 1
          if let mistake, $0.mistakes.count < 20 { $0.mistakes.append(mistake) }
        }
        if response["connection"] == "close" { connection = nil }
      } catch {
        let wasIdle = (error as? EndOfStream)?.isClean ?? ((error as? SocketFault) == .reset)
        connection = nil
        if reconnects && wasIdle && !isFresh { continue }
        state.withLock { if $0.mistakes.count < 20 { $0.mistakes.append("\(error), fresh: \(isFresh)") } }
      }
    }
  }

  /// Responses so far.
  var count: Int { state.withLock { $0.responses.values.reduce(0, +) } }

  /// Waits for so many more responses.
  func wait(forMore number: Int) throws {
    let target = count + number
    try eventually("\(number) more responses", within: 60) { count >= target }
  }

  /// Ends the clients.
  /// - Returns: what was wrong.
  func stop() throws -> [String] {
    state.withLock { $0.isStopped = true }
    try eventually("the clients to stop", within: 60) { state.withLock { $0.running == 0 } }
    return state.withLock { $0.mistakes }
  }
}
