import Foundation
import WeftIdentity

/// The names that the control plane's certificate carries: those under which proxies may reach it.
struct ServerNames {
  private(set) var dns: [String] = []
  private(set) var addresses: [String] = []

  init(listening: ListenAddress, advertised: [String]) {
    for name in ["localhost", "weft-control", ProcessInfo.processInfo.hostName] + advertised { add(name) }
    for address in ["127.0.0.1", "::1"] { add(address) }
    if listening.isEverywhere { for address in Self.local { add(address) } } else { add(listening.host) }
  }

  private mutating func add(_ text: String) {
    var bytes = in6_addr()
    if inet_pton(AF_INET, text, &bytes) == 1 || inet_pton(AF_INET6, text, &bytes) == 1 {
      if !addresses.contains(text) { addresses.append(text) }
    } else if Self.isName(text), !dns.contains(text) {
      dns.append(text)
    }
  }

  private static func isName(_ text: String) -> Bool {
    (1...253).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        (0x61...0x7a).contains(byte | 0x20) || (0x30...0x39).contains(byte) || byte == 0x2d || byte == 0x2e
      }
  }

  /// Addresses of this machine's interfaces, without those that need a scope.
  private static var local: [String] {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return [] }
    defer { freeifaddrs(list) }
    var found: [String] = []
    var next = list
    while let entry = next, found.count < 64 {
      next = entry.pointee.ifa_next
      guard let address = entry.pointee.ifa_addr else { continue }
      let family = Int32(address.pointee.sa_family)
      guard family == AF_INET || family == AF_INET6 else { continue }
      let size = family == AF_INET ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
      var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      guard getnameinfo(address, socklen_t(size), &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST) == 0 else {
        continue
      }
      let text = String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      if !text.contains("%") { found.append(text) }
    }
    return found
  }
}
