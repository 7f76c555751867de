import Crypto
import Foundation
import GRPCCore
import Logging
import Testing
import WeftIdentity
import WeftProtocol
import WeftStore

@testable import WeftControl

@Suite struct ControlPlaneTests {
  private let log = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

  private func failure(_ folder: String, _ address: String, keyFile: String? = nil) async throws -> String {
    var options = ControlPlane.Options(dataFolder: folder, discovery: try #require(ListenAddress(address)))
    options.keyFile = keyFile
    do {
      let plane = try await ControlPlane.open(options, log: log)
      await plane.store.close()
      return ""
    } catch { return "\(error)" }
  }

  @Test func saysWhyItCannotStart() async throws {
    try await Plane.with { plane in
      let free = try TemporaryFolder()
      #expect(
        try await failure(free.path, "127.0.0.1:\(plane.plane.discovery.port)").contains(
          "another process listens there"))
      #expect(try await failure(plane.folder.path, "127.0.0.1:0").contains(plane.folder.path))
      #expect(try await failure("/dev/null/weft", "127.0.0.1:0").contains("/dev/null/weft"))
      #expect(try await failure(free.path, "192.0.2.1:0").contains("no such address"))
    }
    let plane = try await Plane()
    try await plane.stop()
    try FileManager.default.removeItem(atPath: plane.folder.path + "/ca.key-file")
    #expect(try await failure(plane.folder.path, "127.0.0.1:0").contains("ca.key-file is missing"))
  }

  @Test("one that is told to end in the moment in which it starts ends, without an error")
  func endsWhileItStarts() async throws {
    let folder = try TemporaryFolder()
    for round in 0..<30 {
      let plane = try await Plane(folder: folder)
      // At once, and a little later each time, through all of what starting consists of.
      try await Task.sleep(for: .microseconds(round * 100))
      try await plane.stop()
    }
  }

  @Test func listensWiderOnlyWithTLSAndCredentials() throws {
    let local = try #require(ListenAddress("127.0.0.1:1"))
    try local.check(hasTLS: false, hasCredentials: false)
    try #require(ListenAddress("[::1]:1")).check(hasTLS: false, hasCredentials: false)
    for text in [":1", "0.0.0.0:1", "[::]:1", "10.0.0.1:1"] {
      let wide = try #require(ListenAddress(text))
      #expect(throws: IdentityError.self) { try wide.check(hasTLS: false, hasCredentials: true) }
      #expect(throws: IdentityError.self) { try wide.check(hasTLS: true, hasCredentials: false) }
      try wide.check(hasTLS: true, hasCredentials: true)
    }
    for text in ["", "1", "host:1", "::1:1", "127.0.0.1:70000", "127.0.0.1", "[::1", "1.2.3:4"] {
      #expect(ListenAddress(text) == nil, "\(text)")
    }
    #expect(ListenAddress("[::1]:15081")?.description == "[::1]:15081")
  }

  @Test func handsOutBundlesByTheirDigest() async throws {
    try await Plane.with { plane in
      let archive = (0..<700_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      let hex = SHA256.hash(data: archive).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      let folder = plane.folder.path + "/blobs/sha256"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try Data(archive).write(to: URL(fileURLWithPath: "\(folder)/\(hex)"))
      try Data("signed".utf8).write(to: URL(fileURLWithPath: "\(folder)/\(hex).sig"))
      let member = try await plane.join()
      @Sendable func fetch(_ digest: String, _ port: Int) async throws -> [Weft_Discovery_V1_BundleChunk] {
        try await withConnection(port, member.security) { client in
          var request = Weft_Discovery_V1_BundleRequest()
          request.digest = digest
          return try await Weft_Discovery_V1_Discovery.Client(wrapping: client).fetchBundle(request) { response in
            try await response.messages.reduce(into: []) { $0.append($1) }
          }
        }
      }
      let port = plane.plane.discovery.port
      for _ in 0..<2 {
        let chunks = try await fetch("sha256:\(hex)", port)
        #expect(chunks.flatMap { [UInt8]($0.data) } == archive && chunks.count == 3)
        #expect(chunks[0].size == 700_000 && chunks[0].signatures == [Data("signed".utf8)])
      }
      // Somebody changed a byte of another one.
      let wrong = String(hex.reversed())
      try Data(archive).write(to: URL(fileURLWithPath: "\(folder)/\(wrong)"))
      for (digest, expected) in [
        ("sha256:\(wrong)", RPCError.Code.dataLoss), ("sha256:" + String(repeating: "0", count: 64), .notFound),
        ("sha256:../../ca.key-file", .notFound), ("", .notFound),
      ] {
        do {
          _ = try await fetch(digest, port)
          Issue.record("\(digest) must be refused")
        } catch let error as RPCError { #expect(error.code == expected) }
      }
    }
  }
}
