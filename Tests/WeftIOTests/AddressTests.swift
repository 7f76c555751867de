import Glibc
import Testing
import WeftIO

struct IPAddressTests {
  @Test(arguments: [
    ("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"),
    ("::1", "::1"), ("::", "::"), ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
    ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
    ("::ffff:10.1.2.3", "10.1.2.3"), ("fe80::1%7", "fe80::1%7"), ("fe80::1%lo", "fe80::1%1"),
    ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
  ])
  func readsAndPrints(text: String, printed: String) throws {
    let ip = try #require(IPAddress(text))
    #expect(ip.description == printed)
    #expect(IPAddress(ip.description) == ip)
  }

  @Test(arguments: [
    "", " ", "1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.4 ", " 1.2.3.4", "0x7f.1", "1.2.3.4%lo",
    ":", ":::", "1::2::3", "12345::", "g::", "[::1]", "fe80::1%", "fe80::1%nosuchinterface", "fe80::1%0",
    "::1\0", "1.2.3.4\0", String(repeating: "1", count: 1000), "fe80::1%" + String(repeating: "x", count: 60), "é",
  ])
  func refuses(text: String) { #expect(IPAddress(text) == nil) }

  @Test func aMappedAddressIsTheIPv4Address() throws {
    let mapped = try #require(IPAddress("::ffff:127.0.0.1"))
    #expect(mapped == .loopbackV4)
    #expect(mapped.hashValue == IPAddress.loopbackV4.hashValue)
    #expect(mapped.isV4 && mapped.isLoopback && !IPAddress.loopbackV6.isV4 && IPAddress.loopbackV6.isLoopback)
  }

  @Test func properties() {
    #expect(IPAddress("169.254.1.1")?.isLinkLocal == true)
    #expect(IPAddress("fe80::1")?.isLinkLocal == true)
    #expect(IPAddress("febf::1")?.isLinkLocal == true)
    #expect(IPAddress("fec0::1")?.isLinkLocal == false)
    #expect(IPAddress.any.isUnspecified && IPAddress.anyV4.isUnspecified && !IPAddress.loopbackV6.isUnspecified)
  }

  @Test func aWriterThatIsTooSmallSaysSo() {
    var memory = [UInt8](repeating: 0, count: 8)
    memory.withUnsafeMutableBufferPointer { buffer in
      var writer = ByteWriter(buffer.baseAddress!, 8)
      IPAddress("192.168.100.200")!.append(to: &writer)
      #expect(writer.overflow)
      #expect(writer.count <= 8)
    }
  }
}

struct SocketAddressTests {
  @Test(arguments: [
    ("127.0.0.1:80", "127.0.0.1:80"), (":8080", "[::]:8080"), ("[::1]:80", "[::1]:80"), ("[::]:0", "[::]:0"),
    ("[fe80::1%1]:65535", "[fe80::1%1]:65535"), ("unix:/run/a.sock", "unix:/run/a.sock"),
    ("unix:@abstract", "unix:@abstract"), ("unix:relative.sock", "unix:relative.sock"),
    ("[::ffff:1.2.3.4]:5", "1.2.3.4:5"),
  ])
  func readsAndPrints(text: String, printed: String) throws {
    let address = try #require(SocketAddress(text))
    #expect(address.description == printed)
    #expect(SocketAddress(address.description) == address)
  }

  @Test(arguments: [
    "", ":", "80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1: 1",
    "127.0.0.1:1 ", "::1:80", "[::1]", "[::1]80", "[::1", "[127.0.0.1]:80", "localhost:80", "unix:", "unix:@",
    "unix:" + String(repeating: "a", count: 108), "unix:a\0b", "127.0.0.1:000080", "[]:80", "UNIX:/a",
  ])
  func refuses(text: String) { #expect(SocketAddress(text) == nil) }

  @Test func theLongestTextsFit() throws {
    let path = String(repeating: "p", count: 107)
    let unix = try #require(SocketAddress(unixPath: path))
    #expect(unix.description == "unix:" + path)
    let v6 = try #require(SocketAddress("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535"))
    #expect(v6.description == "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535")
  }

  @Test func aHeaderFieldMayLackThePort() {
    func read(_ text: String) -> SocketAddress? { OwnedBytes(text).withBytes { SocketAddress(ip: $0, defaultPort: 0) } }
    #expect(read("10.0.0.1")?.description == "10.0.0.1:0")
    #expect(read("10.0.0.1:99")?.port == 99)
    #expect(read("2001:db8::1")?.description == "[2001:db8::1]:0")
    #expect(read("[2001:db8::1]")?.description == "[2001:db8::1]:0")
    #expect(read("[2001:db8::1]:7")?.port == 7)
    #expect(read("") == nil)
    #expect(read("unknown") == nil)
    #expect(read("_hidden:1") == nil)
  }

  @Test(arguments: ["127.0.0.1:80", "[2001:db8::5%3]:443", "unix:/tmp/x.sock", "unix:@name"])
  func survivesTheKernelsForm(text: String) throws {
    let address = try #require(SocketAddress(text))
    let back = address.withSockaddr { pointer, length in
      var storage = sockaddr_storage()
      memcpy(&storage, pointer, Int(length))
      return SocketAddress(storage, length: length)
    }
    #expect(back == address)
  }

  @Test func whatTheKernelDidNotFillIsNoAddress() {
    var storage = sockaddr_storage()
    #expect(SocketAddress(storage, length: 0).family == .none)
    storage.ss_family = sa_family_t(AF_INET6)
    #expect(SocketAddress(storage, length: 4).family == .none)
    storage.ss_family = sa_family_t(AF_UNIX)
    #expect(SocketAddress(storage, length: 2).family == .none)
    #expect(SocketAddress(storage, length: 128).family == .none)
    #expect(SocketAddress().description == "")
  }

  @Test func isTrivialAndSmall() {
    #expect(_isPOD(SocketAddress.self))
    #expect(MemoryLayout<SocketAddress>.stride == 24)
  }
}

struct CIDRTests {
  @Test(arguments: [
    ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.0", false), ("10.1.2.3/8", "10.9.9.9", true),
    ("0.0.0.0/0", "8.8.8.8", true), ("0.0.0.0/0", "::1", false), ("::/0", "::1", true), ("::/0", "1.2.3.4", false),
    ("192.168.1.7", "192.168.1.7", true), ("192.168.1.7", "192.168.1.6", false), ("1.2.3.4/31", "1.2.3.5", true),
    ("1.2.3.4/31", "1.2.3.6", false), ("2001:db8::/32", "2001:db8:ffff::1", true),
    ("2001:db8::/32", "2001:db9::1", false), ("2001:db8::/64", "2001:db8::ffff:0:0:1", true),
    ("2001:db8::/65", "2001:db8::8000:0:0:1", false), ("::1", "::1", true), ("::1/128", "::2", false),
    ("::ffff:10.0.0.0/104", "10.3.2.1", true),
  ])
  func contains(range: String, address: String, expected: Bool) throws {
    let cidr = try #require(CIDR(range))
    #expect(cidr.contains(try #require(IPAddress(address))) == expected)
  }

  @Test(arguments: [
    "", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8", "a/8",
  ])
  func refuses(text: String) { #expect(CIDR(text) == nil) }

  @Test func prints() {
    #expect(CIDR("10.1.2.3/8")?.description == "10.0.0.0/8")
    #expect(CIDR("2001:db8:1::/32")?.description == "2001:db8::/32")
  }
}

extension OwnedBytes {
  func withBytes<R>(_ body: (Bytes) -> R) -> R {
    withExtendedLifetime(self) { body(bytes) }
  }
}
