import ArgumentParser
import WeftIO

struct RedirectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "redirect",
    abstract: "Show the nftables rules that redirect an app's connections to its sidecar.",
    discussion: """
      Changes nothing: what it prints is to be read, and applied by nft(8). The sidecar is started with --redirected, and \
      takes each connection to where it was meant to go: requests by their host, TLS by its server name, anything else \
      by the address, which is the clusterIP of a core Service. Connections of IPv6 come to [::1], so that the sidecar \
      takes --outbound [::1]:15001 as well as --outbound 127.0.0.1:15001. Redirect the addresses of the mesh's services alone: \
      what belongs to no service is refused.

      Examples:
        weft redirect --to 10.96.0.0/12
        weft redirect --to 10.96.0.0/12 --proxy-user weft --port 80 --port 443 | nft -f -
        weft redirect --to 10.96.0.0/12 --to fd00:10:96::/108 | nft -f -
        nft delete table ip weft; nft delete table ip6 weft
      """)

  @Option(
    help: ArgumentHelp("Addresses of the mesh's services, of IPv4 or IPv6. May be repeated.", valueName: "cidr"))
  var to: [String]

  @Option(help: ArgumentHelp("Only connections to this port. May be repeated.", valueName: "port"))
  var port: [UInt16] = []

  @Option(help: "Only connections of this user, the app's.")
  var appUser: String?

  @Option(help: "The user as which the sidecar runs: its own connections are left alone.")
  var proxyUser: String?

  @Option(help: "The port of the sidecar's outbound listener.")
  var outbound: UInt16 = 15_001

  func validate() throws {
    for text in to where !Self.isNetwork(text) {
      throw ValidationError("--to takes a network such as 10.96.0.0/12 or fd00:10:96::/108, not '\(text)'")
    }
    if port.contains(0) || outbound == 0 { throw ValidationError("a port is 1 to 65535") }
    if port.contains(outbound) { throw ValidationError("--port \(outbound) is the outbound listener's own") }
    for user in [appUser, proxyUser].compactMap({ $0 }) where !Self.isUser(user) {
      throw ValidationError("'\(user)' is no user: write a name such as weft, or a number")
    }
  }

  private static func isNetwork(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[1].utf8.allSatisfy({ $0 &- 0x30 < 10 }), let bits = UInt8(parts[1]),
      parts[0].utf8.allSatisfy({ $0 != 0x25 }), let address = IPAddress(String(parts[0]))
    else { return false }
    // IPv4 in IPv6 form is IPv4 to netfilter, too, but its prefix means something else.
    return parts[0].contains(":") ? !address.isV4 && bits <= 128 : bits <= 32
  }

  /// As adduser(8) takes names; what is printed is read by a shell's user and by nft.
  private static func isUser(_ text: String) -> Bool {
    (1...32).contains(text.utf8.count)
      && text.utf8.allSatisfy { $0 &- 0x61 < 26 || $0 &- 0x30 < 10 || $0 == 0x2d || $0 == 0x5f }
  }

  func run() throws { print(text) }

  var text: String {
    let families = [("ip", to.filter { !$0.contains(":") }), ("ip6", to.filter { $0.contains(":") })]
      .filter { !$0.1.isEmpty }
    let tables = families.map { "table \($0.0) weft" }
    return """
      # Connections of this machine to services of the mesh go to the sidecar's outbound listener.
      #   apply:  weft redirect ... | nft -f -        the sidecar: weft sidecar ... \(listeners(families.map(\.0)))
      #   show:   \(tables.map { "nft list \($0)" }.joined(separator: "; "))
      #   undo:   \(tables.map { "nft delete \($0)" }.joined(separator: "; "))
      \(families.map(table).joined(separator: "\n"))
      """
  }

  /// How the sidecar is started: redirected connections come to the loopback address of their family.
  private func listeners(_ families: [String]) -> String {
    if families == ["ip"] && outbound == 15_001 { return "--redirected" }
    let addresses = families.map { $0 == "ip" ? "127.0.0.1:\(outbound)" : "[::1]:\(outbound)" }
    return "--redirected " + addresses.map { "--outbound \($0)" }.joined(separator: " ")
  }

  private func table(_ family: String, _ networks: [String]) -> String {
    let ports = port.map(String.init)
    var rules = ["    \(family) daddr != { \(networks.joined(separator: ", ")) } return"]
    if let proxyUser { rules.append("    meta skuid \(proxyUser) return") }
    if let appUser { rules.append("    meta skuid != \(appUser) return") }
    let match = ports.isEmpty ? "meta l4proto tcp" : "tcp dport { \(ports.joined(separator: ", ")) }"
    rules.append("    \(match) redirect to :\(outbound)")
    return """
      table \(family) weft
      delete table \(family) weft
      table \(family) weft {
        chain output {
          type nat hook output priority -100; policy accept;
      \(rules.joined(separator: "\n"))
        }
      }
      """
  }
}
