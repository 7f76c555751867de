import Testing

@testable import WeftProxy

/// Records of which there are as many as connections.
@Suite struct RecordSizeTests {
  /// What an idle client connection costs, but for its place in the table of descriptors: docs/performance.md promises
  /// half of what nginx takes.
  @Test func anIdleClientIsSmall() {
    #expect(MemoryLayout<ClientConnection>.stride <= 216)
  }
}
