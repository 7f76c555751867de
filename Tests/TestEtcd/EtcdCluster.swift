import Foundation
import Synchronization
import WeftStore

/// Members of etcd, started for a test on ports that are free.
public final class EtcdCluster: Sendable {
  private let folder: String
  private let clientPorts: [UInt16]
  private let peerPorts: [UInt16]
  private let processes: Mutex<[Process?]>

  public var endpoints: [String] { clientPorts.map { "http://127.0.0.1:\($0)" } }

  /// Starts the members and waits until they answer.
  public init(members: Int) async throws {
    folder = NSTemporaryDirectory() + "weft-etcd-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let ports = try Self.freePorts(2 * members)
    clientPorts = Array(ports.prefix(members))
    peerPorts = Array(ports.suffix(members))
    processes = Mutex(Array(repeating: nil, count: members))
    for member in 0..<members { try start(member) }
    try await waitUntilReady()
  }

  public func waitUntilReady() async throws {
    // Where hundreds of tests start at once, an answer that is there may be looked at much later.
    let store = try EtcdStore(endpoints: endpoints, timeout: .seconds(30))
    let end = ContinuousClock.now + .seconds(180)
    while true {
      do {
        try await store.check()
        break
      } catch {
        if ContinuousClock.now > end { throw error }
        try await Task.sleep(for: .milliseconds(50))
      }
    }
    await store.close()
  }

  public func start(_ member: Int) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    let all = peerPorts.enumerated().map { "m\($0)=http://127.0.0.1:\($1)" }.joined(separator: ",")
    let client = "http://127.0.0.1:\(clientPorts[member])"
    let peer = "http://127.0.0.1:\(peerPorts[member])"
    process.arguments = [
      "etcd", "--name", "m\(member)", "--data-dir", "\(folder)/m\(member)", "--listen-client-urls", client,
      "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
      "--initial-cluster", all, "--heartbeat-interval", "50", "--election-timeout", "500", "--log-level", "error",
    ]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    processes.withLock { $0[member] = process }
  }

  public func kill(_ member: Int) {
    let process = processes.withLock { processes in
      defer { processes[member] = nil }
      return processes[member]
    }
    guard let process else { return }
    Foundation.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// The member that leads at present; nil: none does.
  public func leader() -> Int? {
    clientPorts.indices.first { member in
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = ["curl", "-s", "--max-time", "5", "http://127.0.0.1:\(clientPorts[member])/metrics"]
      let output = Pipe()
      process.standardOutput = output
      guard (try? process.run()) != nil else { return false }
      let page = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      return page.contains("\netcd_server_is_leader 1\n")
    }
  }

  public func stop() { for member in clientPorts.indices { kill(member) } }

  deinit {
    stop()
    try? FileManager.default.removeItem(atPath: folder)
  }

  private static func freePorts(_ count: Int) throws -> [UInt16] {
    var sockets: [Int32] = []
    defer { for socket in sockets { close(socket) } }
    return try (0..<count).map { _ in
      let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      sockets.append(fd)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = inet_addr("127.0.0.1")
      var size = socklen_t(MemoryLayout<sockaddr_in>.size)
      let result = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
          bind(fd, generic, size) == 0 && getsockname(fd, generic, &size) == 0
        }
      }
      guard result else { throw POSIXError(.EADDRINUSE) }
      return UInt16(bigEndian: address.sin_port)
    }
  }
}
