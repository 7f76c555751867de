import Testing
import WeftIO

@testable import WeftProxy

@Suite struct PlainPathTests {
  static func plain(_ path: String) -> String? {
    let owned = OwnedBytes(path)
    return withExtendedLifetime(owned) {
      withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 1024) { memory in
        guard let base = memory.baseAddress else { return nil }
        var w = ByteWriter(base, memory.count)
        return PlainPath.write(owned.bytes, into: &w) ? w.bytes.string : nil
      }
    }
  }

  @Test(arguments: [
    ("/a//b", "/a/b"), ("//a", "/a"), ("/a%2fb", "/a/b"), ("/a%2Fb", "/a/b"), ("/a%5cb", "/a/b"), ("/a\\b", "/a/b"),
    ("/a;x=1/b", "/a/b"), ("/a;x", "/a"), ("/a/..;/b", "/b"), ("/a/..;x=y/b", "/b"), ("/a%2f..%2fb", "/b"),
    ("/a%2f.%2fb", "/a/b"), ("/a\\..\\b", "/b"), ("/a/%2f/b", "/a/b"), ("/a%2f", "/a/"), ("/x%2f..", "/"),
    ("/%2f..%2f..%2fb", "/b"), ("/a%20b", "/a b"), ("/a%3bb", "/a"), ("/a%252fb", "/a%2fb"), ("/...%2fb", "/.../b"),
    ("/a%2f...", "/a/..."), ("/;/a", "/a"), ("/a/b%2f..%2f..%2fc", "/c"),
  ])
  func pathsAreMadePlain(path: String, expected: String) { #expect(Self.plain(path) == expected) }

  @Test(arguments: ["/", "/a", "/a/b/", "/a.b", "*", "", "/a-b_c~d"])
  func plainPathsStay(path: String) { #expect(Self.plain(path) == nil) }
}
